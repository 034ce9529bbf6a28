//! Hyperparameters of a network on sequences.

use serde::{Deserialize, Serialize};

use crate::train::TrainError;

/// Hyperparameters of a GRU on sequences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceRecipe {
    /// Length of item vectors and of the state.
    pub dim: usize,
    /// Learning rate of Adam.
    pub rate: f32,
    /// Share of the numbers of inputs and states that are set to 0 in training.
    pub dropout: f32,
    /// Number of sequences in a batch.
    pub batch: usize,
    /// Number of negatives of a batch that are drawn from all items alike.
    pub uniform: usize,
    /// Number of negatives of a batch that are drawn from its choices.
    pub in_batch: usize,
    /// Number of the latest items of a sequence that are learned from.
    pub length: usize,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Number of epochs without a gain after which training stops.
    pub patience: usize,
    /// Random seed.
    pub seed: u64,
}

impl Default for SequenceRecipe {
    fn default() -> Self {
        Self {
            dim: 64,
            rate: 0.01,
            dropout: 0.2,
            batch: 128,
            uniform: 128,
            in_batch: 128,
            length: 50,
            epochs: 60,
            patience: 5,
            seed: 1,
        }
    }
}

impl SequenceRecipe {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A field out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let count = |n: usize| (n > 0, n.to_string());
        let checks = [
            (
                "dim",
                ((1..=1024).contains(&self.dim), self.dim.to_string()),
                "1 to 1024",
            ),
            (
                "rate",
                (self.rate > 0.0 && self.rate < 1.0, self.rate.to_string()),
                "above 0 and below 1",
            ),
            (
                "dropout",
                ((0.0..0.9).contains(&self.dropout), self.dropout.to_string()),
                "at least 0 and below 0.9",
            ),
            ("batch", count(self.batch), "at least 1"),
            ("uniform", count(self.uniform), "at least 1"),
            ("length", count(self.length), "at least 1"),
            ("epochs", count(self.epochs), "at least 1"),
            ("patience", count(self.patience), "at least 1"),
        ];
        match checks.iter().find(|(_, (is_valid, _), _)| !is_valid) {
            Some((name, (_, value), range)) => Err(TrainError::Recipe(format!(
                "{name}: expected {range}, got {value}"
            ))),
            None => Ok(()),
        }
    }
}
