//! A shop's part in a round: its update, clipped and quantized.

use candle_core::Tensor;

use super::{
    FederateError, noise,
    plan::{Features, Plan},
    vector::{check_finite, flatten},
};
use crate::encode::ModelError;
use crate::fixed_point::{clip, quantize};
use crate::space::heads::Heads;
use crate::train::{Pairs, Trainer, TrainingSet};

/// Bound of features and of their mean squares over it: what is farther out is limited.
pub const FEATURE_BOUND: f64 = 8.0;

/// Minimum number of pairs of a shop: moments and updates of fewer would be those of few items.
pub const MIN_PAIRS: usize = 20;

/// A shop with its own pairs of text and image.
pub struct Shop<'a> {
    plan: &'a Plan,
    pairs: &'a Pairs,
    /// Seed of its local trainings.
    seed: u64,
}

impl<'a> Shop<'a> {
    /// Returns a shop that trains on `pairs`.
    ///
    /// # Errors
    /// The pairs are too few, or of other encoders than those of the plan.
    pub fn new(plan: &'a Plan, pairs: &'a Pairs, seed: u64) -> Result<Self, FederateError> {
        let own = Features {
            encoders: plan.features.encoders.clone(),
            text: pairs.text.dim(1).map_err(ModelError::from)?,
            image: pairs.image.dim(1).map_err(ModelError::from)?,
        };
        plan.check_features(&own)?;
        if pairs.len() < MIN_PAIRS {
            let found = pairs.len();
            return Err(FederateError::Misfit(format!(
                "expected at least {MIN_PAIRS} items with text and image, got {found}"
            )));
        }
        Ok(Self { plan, pairs, seed })
    }

    /// Returns the moments of the features for the first round: means and mean squares of texts,
    /// then of images, and the weight of the shop.
    ///
    /// # Errors
    /// A computation failed.
    pub fn statistics(&self) -> Result<Vec<u32>, FederateError> {
        let weight = self.plan.weight(self.pairs.len());
        let mut all = Vec::new();
        for features in [&self.pairs.text, &self.pairs.image] {
            for moment in moments(features)? {
                all.push(quantize(weight * moment, FEATURE_BOUND));
            }
        }
        all.push(quantize(weight, 1.0));
        Ok(all)
    }

    /// Trains on the shop's pairs from `global` on, and returns the clipped change of the
    /// parameters, the norm before clipping, and the weight of the shop.
    ///
    /// # Errors
    /// The training failed, or its result is not finite.
    pub fn train(&self, global: &Heads, round: u32) -> Result<Update, FederateError> {
        let recipe = self.plan.local_recipe(round, self.seed ^ u64::from(round));
        let trainer = Trainer {
            recipe: &recipe,
            start: global,
            from: TrainingSet::from(self.pairs),
            joint: None,
            held_out: TrainingSet::default(),
            anchored: true,
        };
        let trained = trainer.run(None, &mut |_| {})?;
        let mut change = flatten(&trained.heads)?;
        for (value, before) in change.iter_mut().zip(flatten(global)?) {
            *value -= before;
        }
        check_finite(&change)?;
        let norm = clip(&mut change, self.plan.clip);
        let weight = self.plan.weight(self.pairs.len());
        Ok(Update {
            change,
            norm,
            weight,
        })
    }

    /// Returns an update as integers, with the noise of a round of `shops` shops if the plan has
    /// noise.
    ///
    /// # Errors
    /// The noise cannot be drawn.
    pub fn quantized(&self, update: &Update, shops: usize) -> Result<Vec<u32>, FederateError> {
        let weighted = update.change.iter().map(|v| f64::from(*v) * update.weight);
        let mut all: Vec<u32> = weighted.map(|v| quantize(v, self.plan.clip)).collect();
        if self.plan.noise > 0.0 {
            let sigma = self.plan.sigma(all.len(), shops);
            noise::add(&mut all, sigma)?;
        }
        all.push(quantize(update.weight, 1.0));
        Ok(all)
    }
}

/// Change of the parameters by a local training.
pub struct Update {
    /// Clipped change of each parameter.
    pub change: Vec<f32>,
    /// L2 norm before clipping.
    pub norm: f64,
    /// Weight of the shop, 0 to 1.
    pub weight: f64,
}

/// Returns the means of the columns of `features` `[n, d]`, and then their mean squares over
/// [`FEATURE_BOUND`].
fn moments(features: &Tensor) -> Result<Vec<f64>, ModelError> {
    let rows: Vec<Vec<f32>> = features.to_vec2()?;
    let (n, d) = (rows.len().max(1) as f64, features.dim(1)?);
    let mut all = vec![0.0; 2 * d];
    for row in &rows {
        for (column, value) in row.iter().enumerate() {
            let value = f64::from(*value).clamp(-FEATURE_BOUND, FEATURE_BOUND);
            all[column] += value / n;
            all[d + column] += value * value / FEATURE_BOUND / n;
        }
    }
    Ok(all)
}
