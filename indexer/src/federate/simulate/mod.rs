//! Simulation of a federated training in one process: the same shops, sums and steps as between
//! processes, without a network.

mod masking;
mod split;

pub use self::split::{Partition, partition};

use std::collections::BTreeSet;

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use rayon::prelude::*;

use self::masking::masked_sum;
use super::{FederateError, Global, Plan, Shop, Update};
use crate::space::heads::Heads;
use crate::train::{Pairs, metrics::Quality, trainer::evaluate_pairs};

/// A simulated training.
pub struct Simulation<'a> {
    /// Settings.
    pub plan: &'a Plan,
    /// Pairs of each shop.
    pub shops: &'a [Pairs],
    /// Share of the shops that leave each round, half of them before and half after they sent
    /// their vectors.
    pub leaving: f64,
    /// Pairs that measure the heads after each round; no shop has them.
    pub test: &'a Pairs,
    /// Number of the first rounds whose sums are masked. Later rounds add the same integers without
    /// masks, whose sums are equal bit for bit.
    pub masked_rounds: u32,
}

/// Findings of the masked rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaskCheck {
    /// Number of sums that were masked.
    pub sums: usize,
    /// Number of those that differed from the plain sum.
    pub different: usize,
    /// Greatest correlation of a message with the vector in it, in multiples of what chance gives
    /// (one over the square root of the length).
    pub max_correlation: f64,
}

/// Result of a simulation.
pub struct Simulated {
    /// Heads after the last round.
    pub heads: Heads,
    /// Quality on the test pairs after each round of training.
    pub curve: Vec<Quality>,
    /// Findings of the masked rounds.
    pub masks: MaskCheck,
    /// Mean share of the updates that were clipped.
    pub clipped: f64,
    /// Cost of the noise of all rounds in zCDP, for a shop; 0 without noise, which
    /// protects no one.
    pub rho: f64,
}

impl Simulation<'_> {
    /// Runs all rounds; `progress` is called with each round and its quality.
    ///
    /// # Errors
    /// A setting is out of range, a training failed, or too few shops stayed.
    pub fn run(&self, progress: &mut dyn FnMut(u32, &Quality)) -> Result<Simulated, FederateError> {
        let plan = self.plan;
        plan.check()?;
        let shops: Vec<Shop> = (1..)
            .zip(self.shops)
            .map(|(n, pairs)| Shop::new(plan, pairs, plan.recipe.seed.wrapping_add(n << 40)))
            .collect::<Result<_, _>>()?;
        let mut rng = SmallRng::seed_from_u64(plan.recipe.seed);
        let mut global = Global::new(plan)?;
        let (mut curve, mut masks) = (Vec::new(), MaskCheck::default());
        let (mut clipped, mut rho) = (0.0, 0.0);
        if plan.has_statistics() {
            let vectors: Result<Vec<_>, _> = shops.iter().map(Shop::statistics).collect();
            let (sum, in_sum) = self.sum(0, &vectors?, &mut rng, &mut masks)?;
            global.apply_statistics(plan, &sum, in_sum)?;
        }
        for round in 1..=plan.rounds {
            let train = |shop: &Shop| -> Result<(Vec<u32>, bool), FederateError> {
                let update: Update = shop.train(&global.heads, round)?;
                let vector = shop.quantized(&update, shops.len())?;
                Ok((vector, update.norm > plan.clip))
            };
            let all: Result<Vec<_>, _> = shops.par_iter().map(train).collect();
            let (vectors, is_clipped): (Vec<_>, Vec<_>) = all?.into_iter().unzip();
            clipped += share(&is_clipped) / f64::from(plan.rounds);
            let (sum, in_sum) = self.sum(round, &vectors, &mut rng, &mut masks)?;
            global.apply(plan, &sum, in_sum)?;
            rho += plan.rho(sum.len() - 1, shops.len());
            let quality = evaluate_pairs(&global.heads, self.test)?.quality;
            progress(round, &quality);
            curve.push(quality);
        }
        Ok(Simulated {
            heads: global.heads,
            curve,
            masks,
            clipped,
            rho,
        })
    }

    /// Returns the sum of the vectors of the shops that stay, and their number.
    fn sum(
        &self,
        round: u32,
        vectors: &[Vec<u32>],
        rng: &mut SmallRng,
        masks: &mut MaskCheck,
    ) -> Result<(Vec<u32>, usize), FederateError> {
        let mut order: Vec<usize> = (0..vectors.len()).collect();
        order.shuffle(rng);
        order.truncate((self.leaving * vectors.len() as f64) as usize);
        let (early, late) = order.split_at(order.len() / 2);
        let early: BTreeSet<usize> = early.iter().copied().collect();
        let late: BTreeSet<usize> = late.iter().copied().collect();
        let staying = (0..vectors.len()).filter(|shop| !early.contains(shop));
        let staying: Vec<&Vec<u32>> = staying.map(|shop| &vectors[shop]).collect();
        let mut sum = vec![0_u32; vectors[0].len()];
        for vector in &staying {
            let pairs = sum.iter_mut().zip(*vector);
            pairs.for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
        }
        if round < self.masked_rounds {
            let (masked, correlation) = masked_sum(round, vectors, &early, &late)?;
            masks.sums += 1;
            masks.different += usize::from(masked != sum);
            masks.max_correlation = masks.max_correlation.max(correlation);
        }
        Ok((sum, staying.len()))
    }
}

fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|flag| **flag).count() as f64 / flags.len().max(1) as f64
}
