//! Tokenization with a `tokenizer.json`, or with the `vocab.txt` of a BERT.

use std::path::Path;

use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer, TruncationParams};

use crate::encode::ModelError;
use crate::encode::weights::{read, read_json_optional};

/// A tokenizer that truncates and never pads.
pub struct TextTokenizer {
    inner: Tokenizer,
}

impl TextTokenizer {
    /// Loads `tokenizer.json` of `dir`, else `vocab.txt`. Texts are truncated to `max_tokens`,
    /// special tokens included.
    ///
    /// # Errors
    /// The file is missing or invalid.
    pub fn load(dir: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let path = dir.join("tokenizer.json");
        let mut inner = match read(&path) {
            Ok(bytes) => Tokenizer::from_bytes(bytes).map_err(|e| ModelError::invalid(&path, e))?,
            Err(ModelError::Missing(_)) if dir.join("vocab.txt").is_file() => word_pieces(dir)?,
            Err(error) => return Err(error),
        };
        if inner.get_vocab_size(true) == 0 {
            return Err(ModelError::invalid(&path, "the vocabulary is empty"));
        }
        inner.with_padding(None);
        inner
            .with_truncation(Some(TruncationParams {
                max_length: max_tokens,
                ..Default::default()
            }))
            .map_err(|e| ModelError::invalid(&path, e))?;
        Ok(Self { inner })
    }

    /// Returns the token ids of `text`, special tokens included.
    ///
    /// # Errors
    /// The tokenizer failed on this text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self
            .inner
            .encode(text, true)
            .map_err(|e| ModelError::Compute(format!("tokenizer: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns the number of tokens after truncation, special tokens included.
    pub fn count(&self, text: &str) -> usize {
        self.ids(text).map_or(0, |ids| ids.len())
    }

    /// Returns the id of a token.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

/// Returns BERT's tokenizer for a vocabulary with one word piece on each line, which older folders
/// have instead of `tokenizer.json`.
fn word_pieces(dir: &Path) -> Result<Tokenizer, ModelError> {
    let path = dir.join("vocab.txt");
    let model = WordPiece::from_file(&path.to_string_lossy())
        .unk_token("[UNK]".to_owned())
        .build()
        .map_err(|e| ModelError::invalid(&path, e))?;
    let mut tokenizer = Tokenizer::new(model);
    let id = |token: &str| {
        let id = tokenizer.token_to_id(token);
        id.ok_or_else(|| ModelError::invalid(&path, format!("no token {token}")))
    };
    id("[UNK]")?;
    let (start, end) = (id("[CLS]")?, id("[SEP]")?);
    let settings: Value =
        read_json_optional(&dir.join("tokenizer_config.json"))?.unwrap_or_default();
    let flag = |name: &str| settings[name].as_bool();
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(
            true,
            flag("tokenize_chinese_chars").unwrap_or(true),
            flag("strip_accents"),
            flag("do_lower_case").unwrap_or(true),
        )))
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(BertProcessing::new(
            ("[SEP]".to_owned(), end),
            ("[CLS]".to_owned(), start),
        )));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let present = special
        .into_iter()
        .filter(|t| tokenizer.token_to_id(t).is_some());
    let present: Vec<AddedToken> = present.map(|t| AddedToken::from(t, true)).collect();
    tokenizer.add_special_tokens(&present);
    Ok(tokenizer)
}
