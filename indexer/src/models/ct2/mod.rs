//! Whisper from the files of CTranslate2, as faster-whisper uses them: fused and renamed tensors
//! become the `model.safetensors` of Hugging Face.

mod file;
#[cfg(test)]
mod tests;
mod weights;

use super::bytes::Reader;
use file::File;
pub(super) use weights::weights;

/// `config.json` of whisper-base, with the suppressed tokens of its package.
pub(super) const BASE_CONFIG: &[u8] = include_bytes!("whisper-base.json");

/// `config.json` of whisper-tiny.en.
pub(super) const TINY_EN_CONFIG: &[u8] = include_bytes!("whisper-tiny-en.json");

/// A file that is not in the format of CTranslate2: the expected content, and what it has instead.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("not a Whisper model file of CTranslate2: {0}")]
pub(super) struct FormatError(String);

impl From<String> for FormatError {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}
