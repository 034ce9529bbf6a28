//! Training of heads on frozen features.
//!
//! [`Trainer`] trains on pairs of text and image and on items that the same users chose
//! ([`CoPurchases`]). [`metrics`] measures a space, [`guard`] decides on promotions, and
//! [`transfer`] and [`domains`] carry knowledge from one category to another. Trained heads are
//! served by [`crate::space`]. Rankers ([`rank`]) are trained on the features of the engine.

mod adamw;
pub mod behavior;
mod checkpoint;
mod choices;
mod co_objective;
mod co_purchases;
mod curve;
pub mod domain_events;
pub mod domains;
mod feature_cache;
mod gather;
pub mod guard;
pub mod loss;
pub mod metrics;
mod objective;
mod pairs;
pub mod private;
pub mod rank;
mod recipe;
mod report;
pub mod sequence;
mod term;
#[cfg(test)]
mod tests;
pub mod trainer;
mod training_set;
pub mod transfer;

pub use checkpoint::Checkpoint;
pub use choices::{Choices, UserSplit};
pub use co_purchases::{CoPurchase, CoPurchases};
pub use curve::Epoch;
pub use feature_cache::FeatureCache;
pub use gather::{Gather, Gathered, ItemFeatures};
pub use pairs::{Example, Pairs, shuffled};
pub use recipe::Recipe;
pub use report::{Report, Split};
pub use trainer::{Trained, Trainer};
pub use training_set::TrainingSet;

use crate::encode::ModelError;

/// An error of a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The encoders or a file of heads cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An encoder failed.
    #[error("cannot embed: {0}")]
    Embed(vitrine::EmbedError),
    /// Noise cannot be drawn.
    #[error(transparent)]
    Noise(#[from] vitrine::Error),
    /// There is too little training data.
    #[error("expected at least {min} {what}, got {found}")]
    TooFew {
        /// Name of the missing data, plural.
        what: String,
        /// Available number.
        found: usize,
        /// Required number.
        min: usize,
    },
    /// Features do not fit each other or the heads.
    #[error("{0}")]
    Features(String),
    /// A setting is out of range.
    #[error("{0}")]
    Recipe(String),
    /// A file of searches with clicks cannot be read.
    #[error(
        "{}, line {line}: {reason} (expected {{\"query\", \"shown\", \"clicked\", \"purchased\"}})",
        path.display()
    )]
    SearchRecords {
        /// The file.
        path: std::path::PathBuf,
        /// Line from 1.
        line: usize,
        /// Cause.
        reason: String,
    },
    /// The loss became NaN or infinite.
    #[error("the loss is not finite in epoch {epoch}; lower --rate")]
    Diverged {
        /// The epoch.
        epoch: usize,
    },
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}
