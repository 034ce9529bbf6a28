//! Encoders: text and pixels to vectors, by [candle](https://github.com/huggingface/candle) on the CPU.

pub mod architecture;
pub mod batch;
pub mod bert;
pub mod chinese_clip;
pub mod clip;
pub mod cnn;
mod describe;
pub mod efficientnet_lite;
pub mod joint;
mod kernels;
pub mod mobile_clip;
mod precision;
mod preprocessing;
pub mod pth;
pub mod siglip;
pub mod tokenizer;
pub mod weights;

use std::path::PathBuf;

pub use describe::{Description, describe};
pub use precision::Precision;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the model is not there.
    #[error("missing model file {}; get the models with `vitrine-indexer models get`", .0.display())]
    Missing(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not say what it should.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor is missing or of another shape: weights of another architecture.
    #[error(
        "weights do not fit {architecture}: expected tensor `{tensor}` of shape {expected}, found {found}"
    )]
    Tensor {
        /// What was being built.
        architecture: &'static str,
        /// Name of the tensor expected.
        tensor: String,
        /// Shape expected.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A computation failed.
    #[error("model computation: {0}")]
    Compute(String),
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or("unknown")
                .to_owned(),
        )
    }
}

impl ModelError {
    /// An [`ModelError::Invalid`] about `path`.
    pub fn invalid(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Invalid {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

/// Scales `vector` to unit length in place; a zero vector stays zero.
pub fn normalise(vector: &mut [f32]) {
    let norm = vector
        .iter()
        .map(|v| f64::from(*v) * f64::from(*v))
        .sum::<f64>()
        .sqrt();
    if norm > 0.0 && norm.is_finite() {
        for value in vector {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
}
