//! Recordings to samples: decoding, resampling to 16 kHz mono, and cutting of silence.
//!
//! Files come from clients, so nothing in them is trusted: sizes are bounded, and damage is an
//! error.

mod container;
mod opus;
mod resample;
#[cfg(test)]
mod tests;
mod voice;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use voice::speech;

/// Samples a second of decoded audio.
pub const RATE: usize = 16_000;

/// Maximum size of a file in bytes.
pub const MAX_BYTES: usize = 10 << 20;

/// Maximum length of a recording in seconds.
pub const MAX_SECONDS: usize = 30;

/// Formats in messages.
const FORMATS: &str = "WAV, FLAC, MP3, AAC or MP4, Ogg or WebM with Vorbis or Opus";

/// A recording that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// There are no bytes.
    #[error("the recording is empty; send a file of {FORMATS}")]
    Empty,
    /// The file is too large.
    #[error("expected at most {MAX_BYTES} bytes, got {0}; send a shorter or compressed recording")]
    TooLarge(usize),
    /// The recording is too long.
    #[error("expected at most {MAX_SECONDS} s of audio, got more; send a shorter recording")]
    TooLong,
    /// The format is unknown or not supported, or the file is damaged.
    #[error("expected a recording as {FORMATS}; {0}")]
    Unsupported(String),
    /// Nobody speaks.
    #[error(
        "no speech was found in the recording; speak closer to the microphone, and record again"
    )]
    NoSpeech,
}

impl AudioError {
    /// Returns an [`AudioError::Unsupported`].
    fn unsupported(reason: &str) -> Self {
        Self::Unsupported(reason.to_owned())
    }
}

/// Decodes a file to mono samples at [`RATE`], from -1 to 1. A file that is cut off is decoded as
/// far as it goes.
///
/// # Errors
/// The file is too large, too long, damaged, or of another format.
pub fn decode(bytes: &[u8]) -> Result<Vec<f32>, AudioError> {
    if bytes.is_empty() {
        return Err(AudioError::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(AudioError::TooLarge(bytes.len()));
    }
    // Parsers of untrusted data in other projects: a bug there is a damaged file here.
    let decoded = catch_unwind(AssertUnwindSafe(|| container::decode(bytes.to_vec())));
    let damaged = |_| AudioError::Unsupported("the file is damaged".into());
    let mut samples = decoded.map_err(damaged)??;
    for sample in &mut samples {
        *sample = if sample.is_finite() {
            sample.clamp(-1.0, 1.0)
        } else {
            0.0
        };
    }
    Ok(samples)
}
