//! Training of heads on frozen features ([`session`]) of pairs of text and photo and of items that the same people chose ([`CoPurchases`]), how good a space is ([`metrics`]), what may take the place of
//! what ([`guard`]), and what one category can learn from others ([`transfer`], [`domains`]). Serving a trained head
//! is the business of [`crate::space`].

mod adamw;
pub mod behavior;
mod checkpoint;
mod choices;
mod co_objective;
mod co_purchases;
pub mod domains;
mod feature_cache;
mod gather;
pub mod guard;
pub mod loss;
pub mod metrics;
mod objective;
mod pairs;
mod recipe;
mod report;
pub mod session;
mod term;
#[cfg(test)]
mod tests;
pub mod transfer;

pub use checkpoint::Checkpoint;
pub use choices::{Choices, People};
pub use co_purchases::{CoPurchase, CoPurchases};
pub use feature_cache::FeatureCache;
pub use gather::{Gather, Gathered, Views};
pub use pairs::{Example, Pairs, shuffled};
pub use recipe::Recipe;
pub use report::{Report, Split};
pub use session::{Epoch, Session, Trained, TrainingSet};

use crate::encode::ModelError;

/// Why a training cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The encoders or a file of heads.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An encoder failed.
    #[error("cannot embed: {0}")]
    Embed(vitrine::EmbedError),
    /// Not enough to learn from.
    #[error("{found} {what}, at least {least} are needed")]
    TooFew {
        /// Of what.
        what: String,
        /// Number there is.
        found: usize,
        /// Number needed.
        least: usize,
    },
    /// Features do not fit each other or the heads.
    #[error("{0}")]
    Features(String),
    /// A setting out of range.
    #[error("{0}")]
    Recipe(String),
    /// The loss is no number any more.
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
