//! Encoders: texts and images to vectors, on the CPU, with our own `kernels` and
//! [candle](https://github.com/huggingface/candle).
//!
//! [`registry`] lists the supported architectures. Their modules are [`text`], [`image`] and
//! [`joint`].

pub mod batch;
mod description;
pub mod image;
pub mod joint;
mod kernels;
mod precision;
pub mod pth;
pub mod registry;
pub mod speech;
pub mod text;
pub mod weights;

use std::path::PathBuf;

pub use description::{Description, describe};
pub use precision::Precision;
pub use vitrine::distance::normalize;

/// An error when a model is loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the model is missing.
    #[error("missing model file {}; get the models with `vitrine-indexer models get`", .0.display())]
    Missing(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A file has invalid content.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Description of the problem.
        reason: String,
    },
    /// A tensor is missing or has another shape: the weights are of another architecture.
    #[error(
        "weights do not fit {architecture}: expected tensor `{tensor}` of shape {expected}, got {found}"
    )]
    Tensor {
        /// Architecture that was being built.
        architecture: &'static str,
        /// Name of the expected tensor.
        tensor: String,
        /// Expected shape.
        expected: String,
        /// Shape in the file, or that the tensor is missing.
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
    /// Returns a [`ModelError::Invalid`] about `path`.
    pub fn invalid(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Invalid {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}
