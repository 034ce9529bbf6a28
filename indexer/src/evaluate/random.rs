//! Random recommendations: the lower bound for every model.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use vitrine::cf::Recommender;

/// Options of the random model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomOptions {
    /// Random seed.
    pub seed: u64,
}

/// Scores at random, deterministic by history.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    items: usize,
    seed: u64,
}

impl Random {
    /// Creates a model of `items` items.
    pub fn new(items: usize, options: RandomOptions) -> Self {
        Self {
            items,
            seed: options.seed,
        }
    }
}

impl Recommender for Random {
    fn items(&self) -> usize {
        self.items
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let mix = |seed: u64, item: u32| seed.rotate_left(7) ^ u64::from(item).wrapping_mul(31);
        let seed = history
            .iter()
            .fold(self.seed, |seed, (item, _)| mix(seed, *item));
        let mut rng = SmallRng::seed_from_u64(seed);
        out.clear();
        out.extend((0..self.items).map(|_| rng.random::<f32>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_keeps_to_its_seed_and_differs_by_history() {
        let scores = |seed, history: &[(u32, f32)]| {
            let mut out = Vec::new();
            Random::new(50, RandomOptions { seed }).scores(history, &mut out);
            out
        };
        assert_eq!(scores(1, &[(3, 1.0)]), scores(1, &[(3, 1.0)]));
        assert_ne!(scores(1, &[(3, 1.0)]), scores(1, &[(4, 1.0)]));
        assert_ne!(scores(1, &[(3, 1.0)]), scores(2, &[(3, 1.0)]));
    }
}
