//! Text to token numbers, from a `tokenizer.json`, or from the `vocab.txt` of a BERT.

use std::path::Path;

use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer, TruncationParams};

use super::ModelError;
use super::weights::{read, read_json_optional};

/// A tokenizer that truncates and never pads (batches pad for themselves).
pub struct TextTokenizer {
    inner: Tokenizer,
}

impl TextTokenizer {
    /// Loads `tokenizer.json` of `dir`, else `vocab.txt`; texts are cut to `max_tokens`, special tokens counted.
    ///
    /// # Errors
    /// Missing or invalid file.
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

    /// Token numbers of `text`, special tokens included.
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

    /// Number of tokens seen, special ones included, after truncation.
    pub fn count(&self, text: &str) -> usize {
        self.ids(text).map_or(0, |ids| ids.len())
    }

    /// The number of a token by its text.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

/// BERT's tokenizer of a vocabulary with one piece a line, which older folders have in place of `tokenizer.json`.
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
    let there = special
        .into_iter()
        .filter(|t| tokenizer.token_to_id(t).is_some());
    let there: Vec<AddedToken> = there.map(|t| AddedToken::from(t, true)).collect();
    tokenizer.add_special_tokens(&there);
    Ok(tokenizer)
}
