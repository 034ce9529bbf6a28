//! What a head is told of a text beside the sentence vector: the mean of the vectors its words have before any layer has
//! read them. A sentence encoder blurs what it seldom met, such as brands and model names; the words still tell.

use crate::encode::ModelError;
use crate::encode::bert::Bert;

/// Goes into the fingerprint: change it with anything here that moves features.
pub const PARAMS: &str = "words-v1";

/// Appends what the words say to the sentence vector of `text`.
///
/// # Errors
/// The tokenizer failed on this text.
pub fn append(model: &Bert, text: &str, features: &mut Vec<f32>) -> Result<(), ModelError> {
    features.extend(model.mean_word(text)?);
    Ok(())
}
