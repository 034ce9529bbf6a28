//! The heads of all shops, and the coordinator's step after a round.

use super::{
    FederateError,
    plan::{Plan, ServerOptimizer},
    shop::FEATURE_BOUND,
    vector::{check_finite, flatten, length, replaced},
};
use crate::encode::ModelError;
use crate::fixed_point::{LEVELS, dequantize, norm};
use crate::space::heads::{Heads, Modality};
use crate::space::tower::{Standardize, Tower};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
/// Adaptivity of FedAdam: the smaller, the more equal are the steps of all parameters.
const TAU: f64 = 1e-4;
/// Slack of the norm bound for rounding.
const SLACK: f64 = 1.01;

/// Heads in training with the state of the optimizer.
pub struct Global {
    /// Heads after the rounds so far.
    pub heads: Heads,
    /// Moments of FedAdam; empty with FedAvg.
    pub moments: [Vec<f32>; 2],
    /// Number of steps done.
    pub steps: u32,
}

impl Global {
    /// Returns the start of a training.
    ///
    /// # Errors
    /// A tensor cannot be created.
    pub fn new(plan: &Plan) -> Result<Self, FederateError> {
        Ok(Self {
            heads: plan.start()?,
            moments: [Vec::new(), Vec::new()],
            steps: 0,
        })
    }

    /// Length of the vectors of a round; round 0 sums moments of features.
    pub fn length(&self, plan: &Plan, round: u32) -> usize {
        match round {
            0 => 2 * (plan.features.text + plan.features.image) + 1,
            _ => length(&self.heads) + 1,
        }
    }

    /// Sets the standardization of the features from the sum of the moments of `shops` shops.
    ///
    /// # Errors
    /// The sum is invalid, or exceeds what honest shops can send: then the heads stay as they are.
    pub fn apply_statistics(
        &mut self,
        plan: &Plan,
        sum: &[u32],
        shops: usize,
    ) -> Result<(), FederateError> {
        let (moments, weight) = split(sum, self.length(plan, 0))?;
        check_weight(weight, shops)?;
        check_moments(plan, moments, weight, shops)?;
        let mean_of = |sum: &u32| dequantize(*sum, FEATURE_BOUND) / weight;
        let mut rest: Vec<f64> = moments.iter().map(mean_of).collect();
        let mut next = |width: usize| {
            let squares_and_after = rest.split_off(width);
            let mean = std::mem::replace(&mut rest, squares_and_after);
            let after = rest.split_off(width);
            let squares = std::mem::replace(&mut rest, after);
            (mean, squares)
        };
        let (text, image) = (next(plan.features.text), next(plan.features.image));
        self.heads = self.heads.map(|modality, tower| {
            let (mean, squares) = match modality {
                Modality::Text => &text,
                _ => &image,
            };
            let squares: Vec<f64> = squares.iter().map(|s| s * FEATURE_BOUND).collect();
            let standardize = Standardize::of_moments(mean, &squares);
            let parameters = tower.parameters().clone();
            Ok::<_, ModelError>(Tower::new(tower.shape().clone(), standardize, parameters))
        })?;
        Ok(())
    }

    /// Applies the sum of the updates of `shops` shops; returns the norm of their mean.
    ///
    /// # Errors
    /// The sum is invalid, or exceeds what honest shops can send: then the heads stay as they are.
    pub fn apply(&mut self, plan: &Plan, sum: &[u32], shops: usize) -> Result<f64, FederateError> {
        let (sums, weight) = split(sum, self.length(plan, 1))?;
        check_weight(weight, shops)?;
        let mean_of = |sum: &u32| (dequantize(*sum, plan.clip) / weight) as f32;
        let mean: Vec<f32> = sums.iter().map(mean_of).collect();
        check_finite(&mean)?;
        let size = norm(&mean);
        let limit = plan.clip * SLACK + noise_norm(plan, mean.len(), shops) / weight;
        if size > limit {
            return Err(FederateError::Update(format!(
                "expected a mean update of norm {limit:.3} at most, got {size:.3}: a shop does not \
                 clip; its update cannot be told from the others, so the sum is refused"
            )));
        }
        let mut values = flatten(&self.heads)?;
        self.step(plan, &mut values, &mean);
        self.heads = replaced(&self.heads, &values)?;
        Ok(size)
    }

    fn step(&mut self, plan: &Plan, values: &mut [f32], mean: &[f32]) {
        self.steps += 1;
        let rate = plan.server_rate;
        if plan.server == ServerOptimizer::FedAvg {
            for (value, change) in values.iter_mut().zip(mean) {
                *value += (rate * f64::from(*change)) as f32;
            }
            return;
        }
        let [first, second] = &mut self.moments;
        first.resize(values.len(), 0.0);
        second.resize(values.len(), 0.0);
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correct = [1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps)];
        let state = first.iter_mut().zip(second.iter_mut());
        for ((value, change), (first, second)) in values.iter_mut().zip(mean).zip(state) {
            let change = f64::from(*change);
            let m = BETA1 * f64::from(*first) + (1.0 - BETA1) * change;
            let v = BETA2 * f64::from(*second) + (1.0 - BETA2) * change * change;
            (*first, *second) = (m as f32, v as f32);
            *value += (rate * (m / correct[0]) / ((v / correct[1]).sqrt() + TAU)) as f32;
        }
    }
}

/// Returns the sums and the weight of a vector of `expected` numbers.
fn split(sum: &[u32], expected: usize) -> Result<(&[u32], f64), FederateError> {
    let got = sum.len();
    let wrong = || FederateError::Update(format!("expected {expected} numbers, got {got}"));
    let (weight, sums) = sum.split_last().ok_or_else(wrong)?;
    if got != expected {
        return Err(wrong());
    }
    let weight = dequantize(*weight, 1.0);
    if weight <= 0.0 {
        let reason = format!("expected a weight above 0, got {weight}");
        return Err(FederateError::Update(reason));
    }
    Ok((sums, weight))
}

/// Checks that the weight is one that `shops` shops can have.
fn check_weight(weight: f64, shops: usize) -> Result<(), FederateError> {
    match weight > shops as f64 * SLACK {
        true => Err(FederateError::Update(format!(
            "expected a weight of at most {shops}, got {weight:.2}: a shop does not follow the \
             protocol"
        ))),
        false => Ok(()),
    }
}

/// Checks that sums of means, and of mean squares over [`FEATURE_BOUND`], are within the bounds of
/// features, for texts and for images. Each shop rounds each number and its weight.
fn check_moments(
    plan: &Plan,
    sums: &[u32],
    weight: f64,
    shops: usize,
) -> Result<(), FederateError> {
    let most = FEATURE_BOUND * (weight * SLACK + shops as f64 / LEVELS);
    let mut rest = sums;
    for (name, width) in [("text", plan.features.text), ("image", plan.features.image)] {
        for (moment, least) in [("mean", -most), ("mean square", 0.0)] {
            let (part, after) = rest.split_at(width.min(rest.len()));
            rest = after;
            let values = part.iter().map(|sum| dequantize(*sum, FEATURE_BOUND));
            let outside = values.enumerate().find(|(_, v)| *v < least || *v > most);
            if let Some((n, got)) = outside {
                return Err(FederateError::Update(format!(
                    "expected a sum from {least:.3} to {most:.3} as {moment} of {name} feature \
                     {n}, got {got:.3}: a shop does not follow the protocol"
                )));
            }
        }
    }
    Ok(())
}

/// Returns a bound of the norm that noise adds to a sum, with a margin of a tenth.
fn noise_norm(plan: &Plan, length: usize, shops: usize) -> f64 {
    if plan.noise == 0.0 {
        return 0.0;
    }
    let per_shop = plan.sigma(length, shops) / LEVELS * plan.clip;
    1.1 * per_shop * (shops as f64 * length as f64).sqrt()
}
