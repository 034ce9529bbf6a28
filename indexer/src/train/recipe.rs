//! What decides a training beside its data.

use serde::{Deserialize, Serialize};

/// Settings of a training. The defaults were chosen on pairs that `make bench-heads` does not report on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Components of the shared space.
    pub dim: usize,
    /// Units of the hidden layer of the text tower; 0: linear.
    pub text_hidden: usize,
    /// Units of the hidden layer of the photo tower; 0: linear.
    pub photo_hidden: usize,
    /// Whether a linear map runs beside the hidden layers.
    pub shortcut: bool,
    /// Whether features are brought to mean 0 and deviation 1 first.
    pub standardise: bool,
    /// Share of hidden units left out at a step.
    pub dropout: f32,
    /// Share of features left out at a step.
    pub feature_dropout: f32,
    /// Parameter of the Beta distribution that pairs are mixed by ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)); 0: not mixed.
    pub mixup: f32,
    /// Pairs a step.
    pub batch: usize,
    /// Most epochs.
    pub epochs: usize,
    /// Fewest steps: few pairs are gone over in more epochs than `epochs`.
    pub least_steps: usize,
    /// Epochs without a better held-out score after which it ends; 0: never.
    pub patience: usize,
    /// Highest learning rate.
    pub rate: f32,
    /// Whether the rate rises over the first tenth and falls as a cosine; else it stays.
    pub schedule: bool,
    /// Weight decay.
    pub weight_decay: f32,
    /// Momentum of the moving average of the weights, which is what is kept; 0: the weights themselves.
    pub momentum: f32,
    /// Temperature of InfoNCE at the start; it is learned.
    pub temperature: f32,
    /// Weight of the loss that brings photos of one label together; 0: left out.
    pub label_weight: f64,
    /// Its temperature, and that of the next.
    pub label_temperature: f64,
    /// Weight of the loss that keeps the photos' neighbourhoods as the encoder has them, where there are no labels.
    pub neighbour_weight: f64,
    /// Units of the hidden layer of the tower of behaviour; 0: linear.
    pub behavior_hidden: usize,
    /// How much of the logarithm of an item's share of the choices is taken off in that loss, 0 to 1: at 1 what is near is what is
    /// likely, at 0 what is likelier than usual.
    pub popularity_correction: f64,
    /// Weight of the loss of items that the same people chose, beside that of pairs of text and photo.
    pub co_purchase_weight: f64,
    /// Share of the pairs that are put into batches of like labels, so that negatives are hard.
    pub hard_share: f32,
    /// Decides everything random.
    pub seed: u64,
}

/// Fewest steps after a transfer, which has less to learn.
const TRANSFER_STEPS: usize = 40;

/// Most epochs of a joint training.
const JOINT_EPOCHS: usize = 8;

impl Default for Recipe {
    fn default() -> Self {
        Self {
            dim: 384,
            text_hidden: 0,
            photo_hidden: 512,
            shortcut: true,
            standardise: true,
            dropout: 0.3,
            feature_dropout: 0.2,
            mixup: 0.0,
            batch: 256,
            epochs: 30,
            least_steps: 200,
            patience: 8,
            rate: 1e-3,
            schedule: true,
            weight_decay: 0.01,
            momentum: 0.99,
            temperature: 0.07,
            label_weight: 0.2,
            label_temperature: 0.1,
            neighbour_weight: 0.2,
            behavior_hidden: 0,
            popularity_correction: 0.5,
            co_purchase_weight: 1.0,
            hard_share: 0.0,
            seed: 0,
        }
    }
}

impl Recipe {
    /// The plain recipe that others are measured against: two layers on photos, one on texts, InfoNCE alone.
    pub fn plain() -> Self {
        Self {
            shortcut: false,
            standardise: false,
            dropout: 0.0,
            feature_dropout: 0.0,
            least_steps: 0,
            patience: 0,
            schedule: false,
            momentum: 0.0,
            label_weight: 0.0,
            neighbour_weight: 0.0,
            ..Self::default()
        }
    }

    /// With as many epochs as `pairs` need to be learned at all.
    #[must_use]
    pub fn for_pairs(&self, pairs: usize) -> Self {
        let per_epoch = pairs.div_ceil(self.batch).max(1);
        Self {
            epochs: self.epochs.max(self.least_steps.div_ceil(per_epoch)),
            ..self.clone()
        }
    }

    /// For a start that knows something already: lower rate, stronger pull back to it.
    #[must_use]
    pub fn for_transfer(&self, pairs: usize) -> Self {
        let recipe = Self {
            rate: self.rate * 0.3,
            weight_decay: 0.1,
            momentum: 0.9,
            least_steps: self.least_steps.min(TRANSFER_STEPS),
            ..self.clone()
        };
        recipe.for_pairs(pairs)
    }

    /// For a joint training that starts from heads of its source: the source's pairs set the pace and are known already.
    #[must_use]
    pub fn for_joint(&self) -> Self {
        Self {
            epochs: self.epochs.min(JOINT_EPOCHS),
            ..self.clone()
        }
    }
}
