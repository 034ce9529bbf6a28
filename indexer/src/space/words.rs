//! Word features of a text for heads, beside the sentence vector: the mean of its word embeddings
//! before any layer. A sentence encoder blurs words that were rare in its training, such as brands
//! and model names; the word embeddings keep them apart.

use crate::encode::ModelError;
use crate::encode::text::TextEncoder;

/// Version, part of the fingerprint: changed with anything here that changes features.
pub const PARAMS: &str = "words-v1";

/// Appends the word features of `text` to its sentence vector.
///
/// # Errors
/// The tokenizer failed on this text.
pub fn append(
    model: &dyn TextEncoder,
    text: &str,
    features: &mut Vec<f32>,
) -> Result<(), ModelError> {
    features.extend(model.mean_word(text)?);
    Ok(())
}
