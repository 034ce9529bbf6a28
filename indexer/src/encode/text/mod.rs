//! Text encoders and tokenization.

pub mod bert;
mod centering;
pub mod pair;
mod role;
mod script;
pub mod tokenizer;

use super::ModelError;
use bert::{Pooling, Prefixes, Role};

/// An encoder of texts alone.
pub trait TextEncoder: Send + Sync {
    /// Number of components of a vector.
    fn dim(&self) -> usize;
    /// Maximum number of tokens of a text, special tokens included.
    fn max_tokens(&self) -> usize;
    /// Pooling of token vectors into one.
    fn pooling(&self) -> Pooling;
    /// Prefixes of texts.
    fn prefixes(&self) -> &Prefixes;
    /// Number of tokens of a text after truncation, special tokens included.
    fn count_tokens(&self, text: &str) -> usize;
    /// Number of components of [`TextEncoder::mean_word`].
    fn word_dim(&self) -> usize;

    /// Returns the mean of the word embeddings `[word_dim]` of a text's tokens (before any layer),
    /// without the first and last special token; zero for an empty text.
    ///
    /// # Errors
    /// The tokenizer failed on this text, or belongs to another model.
    fn mean_word(&self, text: &str) -> Result<Vec<f32>, ModelError>;

    /// Returns the unit vectors `[dim]` of texts, in order; each core runs one batch at a time.
    fn encode(&self, texts: &[&str], role: Role) -> Vec<Result<Vec<f32>, ModelError>>;

    /// Turns a vector of [`TextEncoder::encode`] `[dim]` into the one to search with, where
    /// queries have another layout than documents.
    fn to_query(&self, _vector: &mut [f32]) {}
}
