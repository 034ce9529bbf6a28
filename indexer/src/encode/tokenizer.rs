//! Text to token numbers, from a `tokenizer.json`.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use super::{ModelError, weights};

/// A tokenizer that truncates and never pads (batches pad for themselves).
pub struct TextTokenizer {
    inner: Tokenizer,
}

impl TextTokenizer {
    /// Loads `tokenizer.json` of `dir`; texts are cut to `max_tokens`, special tokens counted.
    ///
    /// # Errors
    /// Missing or invalid file.
    pub fn load(dir: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let path = dir.join("tokenizer.json");
        let mut inner = Tokenizer::from_bytes(weights::read(&path)?)
            .map_err(|e| ModelError::invalid(&path, e))?;
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
}
