//! Private training of heads: differentially private stochastic gradient descent
//! ([Abadi et al. 2016](https://arxiv.org/abs/1607.00133)).
//!
//! The loss of a pair needs others, so gradients are not those of pairs: pairs are divided into
//! small groups by a hash of their ids, and the loss of a group sees that group alone. A step takes
//! each group with the same probability, clips its gradient, adds them up as integers, and adds
//! discrete Gaussian noise by OpenDP's exact sampler. The guarantee is about adding or removing all
//! pairs of one group.

mod gradient;
#[cfg(test)]
mod tests;

use rand::Rng;
use rayon::prelude::*;
use serde::Serialize;
use vitrine::privacy::{discrete_gaussian, noise_multiplier, sampled_gaussian_epsilon};

use self::gradient::Gradients;
use super::{Pairs, Recipe, TrainError};
use crate::fixed_point::{LEVELS, clip, level, sensitivity};
use crate::space::heads::Heads;

/// Share of the last steps whose weights are averaged: noise of steps cancels.
const AVERAGED: f64 = 0.5;

/// Momentum of gradients.
const MOMENTUM: f64 = 0.9;

/// Minimum number of groups: with fewer, the noise exceeds any gradient.
const MIN_GROUPS: usize = 20;

/// Settings of a private training. The defaults were chosen on pairs that no figure reports on.
#[derive(Debug, Clone, PartialEq)]
pub struct Privacy {
    /// Privacy loss.
    pub epsilon: f64,
    /// Probability of a greater loss.
    pub delta: f64,
    /// Mean number of pairs of a group.
    pub group: usize,
    /// Probability that a group takes part in a step.
    pub sampling: f64,
    /// Number of steps.
    pub steps: u32,
    /// Maximum L2 norm of the gradient of a group.
    pub clip: f64,
    /// Length of a step, for a mean gradient of the maximum norm.
    pub rate: f64,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            epsilon: 4.0,
            delta: 1e-5,
            group: 8,
            sampling: 0.25,
            steps: 100,
            clip: 1.0,
            rate: 0.5,
        }
    }
}

/// Cost of a private training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Unit of the guarantee.
    pub unit: &'static str,
    /// Privacy loss of all steps.
    pub epsilon: f64,
    /// Probability of a greater loss.
    pub delta: f64,
    /// Scale of the noise in multiples of the clipping norm.
    pub noise_multiplier: f64,
    /// Probability that a group took part in a step.
    pub sampling: f64,
    /// Number of steps.
    pub steps: u32,
    /// Number of groups.
    pub groups: usize,
    /// Share of the gradients that were clipped.
    pub clipped: f64,
}

/// Heads and what they cost.
pub struct Private {
    /// Heads: mean weights of the last steps.
    pub heads: Heads,
    /// The account.
    pub account: Account,
}

/// Trains heads on `pairs`. The first layers stay as they were drawn; nothing of the heads depends
/// on the pairs but through the noisy steps.
///
/// # Errors
/// A setting is out of range, there are too few pairs, or a computation failed.
pub fn train_private(
    encoders: &str,
    recipe: &Recipe,
    privacy: &Privacy,
    pairs: &Pairs,
) -> Result<Private, TrainError> {
    let count = pairs.len() / privacy.group.max(2);
    if count < MIN_GROUPS {
        return Err(TrainError::TooFew {
            what: "pairs for a private training".to_owned(),
            found: pairs.len(),
            min: MIN_GROUPS * privacy.group.max(2),
        });
    }
    let sigma = multiplier(privacy)?;
    let groups = groups(pairs, count);
    let recipe = recipe.for_private();
    let mut gradients = Gradients::new(encoders, &recipe, pairs)?;
    let length = gradients.length();
    // Neither the choice of the groups nor the noise may be guessed: both come from a generator
    // that the operating system seeds.
    let mut rng = rand::rng();
    let scale = sigma * sensitivity(length);
    let mut velocity = vec![0.0_f64; length];
    let mut average = vec![0.0_f64; length];
    let averaged = (AVERAGED * f64::from(privacy.steps)).ceil().max(1.0);
    let (mut clipped, mut drawn) = (0, 0);
    for step in 1..=privacy.steps {
        let sample: Vec<&Vec<usize>> = groups
            .iter()
            .filter(|_| rng.random_bool(privacy.sampling))
            .collect();
        let of_group = |rows: &&Vec<usize>| -> Result<(Vec<i64>, bool), TrainError> {
            let mut gradient = gradients.of(rows)?;
            let norm = clip(&mut gradient, privacy.clip);
            let levels = gradient.iter().map(|v| level(f64::from(*v), privacy.clip));
            Ok((levels.collect(), norm > privacy.clip))
        };
        let parts: Result<Vec<_>, _> = sample.par_iter().map(of_group).collect();
        let mut sum = discrete_gaussian(length, scale)?;
        for (gradient, is_clipped) in parts? {
            sum.iter_mut().zip(&gradient).for_each(|(s, g)| *s += g);
            clipped += usize::from(is_clipped);
            drawn += 1;
        }
        // The number of groups in the sample is as secret as they are: the mean is over the
        // expected number.
        let expected = privacy.sampling * groups.len() as f64 * LEVELS;
        let change: Vec<f64> = velocity
            .iter_mut()
            .zip(&sum)
            .map(|(velocity, sum)| {
                *velocity = MOMENTUM * *velocity + (1.0 - MOMENTUM) * *sum as f64 / expected;
                -privacy.rate * *velocity
            })
            .collect();
        let values = gradients.change(&change)?;
        if f64::from(privacy.steps - step) < averaged {
            average
                .iter_mut()
                .zip(&values)
                .for_each(|(a, v)| *a += f64::from(*v) / averaged);
        }
    }
    let average: Vec<f32> = average.iter().map(|v| *v as f32).collect();
    Ok(Private {
        heads: gradients.heads(&average)?,
        account: Account {
            unit: "all pairs of a group",
            epsilon: sampled_gaussian_epsilon(
                privacy.sampling,
                sigma,
                privacy.steps,
                privacy.delta,
            ),
            delta: privacy.delta,
            noise_multiplier: sigma,
            sampling: privacy.sampling,
            steps: privacy.steps,
            groups: groups.len(),
            clipped: f64::from(clipped as u32) / f64::from(drawn.max(1)),
        },
    })
}

/// Returns the least noise multiplier for the budget.
fn multiplier(privacy: &Privacy) -> Result<f64, TrainError> {
    let Privacy {
        epsilon,
        delta,
        sampling,
        steps,
        ..
    } = *privacy;
    let wrong = |what: &str| Err(TrainError::Recipe(what.to_owned()));
    if !(0.01..=100.0).contains(&epsilon) {
        return wrong(&format!(
            "private epsilon: expected 0.01 to 100, got {epsilon}"
        ));
    }
    if !(1e-12..=0.01).contains(&delta) {
        return wrong(&format!(
            "private delta: expected 1e-12 to 0.01, got {delta}"
        ));
    }
    if !(sampling > 0.0 && sampling <= 1.0) || steps == 0 {
        return wrong("private training: expected a sampling above 0 to 1, and steps");
    }
    let none = || {
        let reason = format!("no noise keeps epsilon {epsilon} at delta {delta} for {steps} steps");
        TrainError::Recipe(reason)
    };
    noise_multiplier(sampling, steps, epsilon, delta).ok_or_else(none)
}

/// Divides the rows of `pairs` into groups by a hash of the ids: a pair that is added or removed
/// changes its own group alone. The number of groups counts as public.
fn groups(pairs: &Pairs, count: usize) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); count];
    for (row, id) in pairs.ids.iter().enumerate() {
        let hash = blake3::hash(format!("group {id}").as_bytes());
        let number = u64::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]));
        groups[(number % count as u64) as usize].push(row);
    }
    groups
}
