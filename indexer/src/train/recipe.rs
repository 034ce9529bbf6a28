//! Hyperparameters of a training.

use serde::{Deserialize, Serialize};

use crate::space::heads::Modality;
use crate::space::tower::TowerShape;

/// Hyperparameters of a training. The defaults were chosen on pairs that `make bench-heads` does
/// not report on. Reports store them, and checkpoints hash their Debug form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Number of components of the shared space.
    pub dim: usize,
    /// Number of hidden units of the text tower; 0 for a linear tower.
    pub text_hidden: usize,
    /// Number of hidden units of the image tower; 0 for a linear tower.
    #[serde(alias = "photo_hidden")]
    pub image_hidden: usize,
    /// True for a linear shortcut beside the hidden layers.
    pub shortcut: bool,
    /// True if features are standardized to mean 0 and standard deviation 1.
    pub standardize: bool,
    /// Dropout rate of hidden units.
    pub dropout: f32,
    /// Dropout rate of features.
    pub feature_dropout: f32,
    /// Parameter of the Beta distribution of mixup
    /// ([Zhang et al. 2018](https://arxiv.org/abs/1710.09412)); 0 for no mixup.
    pub mixup: f32,
    /// Batch size in pairs.
    pub batch: usize,
    /// Maximum number of epochs.
    pub epochs: usize,
    /// Minimum number of steps: small data sets are trained for more epochs than `epochs`.
    pub least_steps: usize,
    /// Early stopping: number of epochs without a better held-out score; 0 disables it.
    pub patience: usize,
    /// Maximum learning rate.
    pub rate: f32,
    /// True for warm-up over the first tenth of the steps and cosine decay, else a constant rate.
    pub schedule: bool,
    /// Weight decay.
    pub weight_decay: f32,
    /// Momentum of the moving average of the weights, which is the result; 0 for the weights
    /// themselves.
    pub momentum: f32,
    /// Initial temperature of InfoNCE; it is trained.
    pub temperature: f32,
    /// Weight of the loss that pulls images of the same label together; 0 disables it.
    pub label_weight: f64,
    /// Temperature of that loss and of the neighborhood loss.
    pub label_temperature: f64,
    /// Weight of the loss that preserves the encoder's image neighborhoods, used without labels.
    pub neighbor_weight: f64,
    /// Number of hidden units of the behavior tower; 0 for a linear tower.
    pub behavior_hidden: usize,
    /// Strength of the logQ (sampling-bias) correction of the co-purchase loss, 0 to 1: with 1
    /// similarity means conditional probability, with 0 it means lift.
    pub popularity_correction: f64,
    /// Weight of the co-purchase loss relative to that of pairs of text and image.
    pub co_purchase_weight: f64,
    /// Share of the pairs in batches of the same label, for hard negatives.
    pub hard_share: f32,
    /// Random seed.
    pub seed: u64,
}

/// Minimum number of steps of a transfer, which starts from trained heads.
const MIN_TRANSFER_STEPS: usize = 40;

/// Number of components of the space of a private training: noise grows with it.
const PRIVATE_DIM: usize = 64;

/// Number of hidden units of a private training.
const PRIVATE_HIDDEN: usize = 512;

/// Maximum number of epochs of a joint training.
const MAX_JOINT_EPOCHS: usize = 8;

impl Default for Recipe {
    fn default() -> Self {
        Self {
            dim: 384,
            text_hidden: 0,
            image_hidden: 512,
            shortcut: true,
            standardize: true,
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
            neighbor_weight: 0.2,
            behavior_hidden: 0,
            popularity_correction: 0.5,
            co_purchase_weight: 1.0,
            hard_share: 0.0,
            seed: 0,
        }
    }
}

impl Recipe {
    /// Returns the baseline recipe: two layers for images, one for texts, InfoNCE alone.
    pub fn plain() -> Self {
        Self {
            shortcut: false,
            standardize: false,
            dropout: 0.0,
            feature_dropout: 0.0,
            least_steps: 0,
            patience: 0,
            schedule: false,
            momentum: 0.0,
            label_weight: 0.0,
            neighbor_weight: 0.0,
            ..Self::default()
        }
    }

    /// Returns the recipe with at least the number of epochs that `pairs` need for the minimum
    /// steps.
    #[must_use]
    pub fn for_pairs(&self, pairs: usize) -> Self {
        let per_epoch = pairs.div_ceil(self.batch).max(1);
        Self {
            epochs: self.epochs.max(self.least_steps.div_ceil(per_epoch)),
            ..self.clone()
        }
    }

    /// Returns the recipe for a training that starts from trained heads: a lower rate and a
    /// stronger pull toward the start.
    #[must_use]
    pub fn for_transfer(&self, pairs: usize) -> Self {
        let recipe = Self {
            rate: self.rate * 0.3,
            weight_decay: 0.1,
            momentum: 0.9,
            least_steps: self.least_steps.min(MIN_TRANSFER_STEPS),
            ..self.clone()
        };
        recipe.for_pairs(pairs)
    }

    /// Returns the shape of the tower of a modality for features of `input` components.
    pub fn tower_shape(&self, modality: Modality, input: usize) -> TowerShape {
        TowerShape {
            input,
            hidden: match modality {
                Modality::Text => self.text_hidden,
                Modality::Image => self.image_hidden,
                Modality::Behavior => self.behavior_hidden,
            },
            shortcut: self.shortcut,
            output: self.dim,
        }
    }

    /// Returns the recipe of a private training: narrow towers, and nothing that is fitted to the
    /// pairs outside of the noisy steps.
    #[must_use]
    pub fn for_private(&self) -> Self {
        Self {
            dim: PRIVATE_DIM,
            text_hidden: PRIVATE_HIDDEN,
            image_hidden: PRIVATE_HIDDEN,
            shortcut: false,
            dropout: 0.0,
            feature_dropout: 0.0,
            label_weight: 0.0,
            neighbor_weight: 0.0,
            temperature: self.temperature,
            seed: self.seed,
            ..Self::plain()
        }
    }

    /// Returns the recipe for a joint training: the source's pairs set the length of an epoch, and
    /// the initial heads were trained on them.
    #[must_use]
    pub fn for_joint(&self) -> Self {
        Self {
            epochs: self.epochs.min(MAX_JOINT_EPOCHS),
            ..self.clone()
        }
    }
}
