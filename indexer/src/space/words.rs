//! What a head is told of a text beside the sentence vector: the mean of the vectors its words have before any layer has
//! read them. A sentence encoder blurs what it seldom met, such as brands and model names; the words still tell.

use std::path::Path;

use crate::encode::ModelError;
use crate::encode::tokenizer::TextTokenizer;
use crate::encode::weights::{Weights, read_json};

/// Names of the table in BERT checkpoints, with and without the prefix.
const TABLES: [&str; 2] = [
    "embeddings.word_embeddings.weight",
    "bert.embeddings.word_embeddings.weight",
];
/// Goes into the fingerprint: change it with anything here that moves features.
pub const PARAMS: &str = "words-v1";

/// The word table of a BERT model.
pub struct Words {
    tokenizer: TextTokenizer,
    table: Vec<f32>,
    dim: usize,
}

impl Words {
    /// Of a model folder whose texts are cut to `max_tokens`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: serde_json::Value = read_json(&path)?;
        let number = |key: &str| {
            let value = config[key].as_u64().and_then(|v| usize::try_from(v).ok());
            value.ok_or_else(|| ModelError::invalid(&path, format!("no number `{key}`")))
        };
        let (words, dim) = (number("vocab_size")?, number("hidden_size")?);
        let weights = Weights::load(&dir.join("model.safetensors"), "BERT")?;
        let name = if weights.contains(TABLES[1]) {
            TABLES[1]
        } else {
            TABLES[0]
        };
        Ok(Self {
            tokenizer: TextTokenizer::load(dir, max_tokens)?,
            table: weights.flat(name, &[words, dim])?,
            dim,
        })
    }

    /// Length of [`Words::mean`].
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Mean of the vectors of a text's tokens `[dim]`, those that only mark its ends left out; of none: zero.
    ///
    /// # Errors
    /// The tokenizer failed on this text.
    pub fn mean(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokenizer.ids(text.trim())?;
        let inner = ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default();
        let mut mean = vec![0f32; self.dim];
        for id in inner {
            let start = *id as usize * self.dim;
            let row = self.table.get(start..start + self.dim).unwrap_or_default();
            mean.iter_mut()
                .zip(row)
                .for_each(|(m, v)| *m += v / inner.len() as f32);
        }
        Ok(mean)
    }
}
