//! Errors of federated training.

use super::secagg::SecureError;
use crate::encode::ModelError;
use crate::train::TrainError;

/// A failed federated training, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum FederateError {
    /// Secure aggregation refused a message.
    #[error(transparent)]
    Secure(#[from] SecureError),
    /// Local training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The encoders or heads cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Noise cannot be drawn.
    #[error(transparent)]
    Noise(#[from] vitrine::Error),
    /// A setting of the plan is out of range.
    #[error("plan: {0}")]
    Plan(String),
    /// The shop and the plan do not fit each other.
    #[error("this shop cannot take part: {0}")]
    Misfit(String),
    /// A model or a sum of updates is invalid.
    #[error("update refused: {0}")]
    Update(String),
    /// The coordinator refused a request, or sent something else than expected.
    #[error("coordinator: {0}")]
    Coordinator(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}
