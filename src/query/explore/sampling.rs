//! Random samples with given inclusion probabilities.

use rand::{Rng, seq::SliceRandom};

/// A chosen candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chosen {
    /// Index among the candidates.
    pub index: usize,
    /// Probability that it is chosen.
    pub propensity: f64,
}

/// Draws a sample that includes each index with its probability (systematic sampling; Madow 1949).
/// The probabilities, each at most 1, are laid out side by side in random order; the items below
/// points at distance 1 are drawn, the first point being random. Returns as many as the sum of the
/// probabilities, in random order.
pub(super) fn systematic(propensities: &[f64], random: &mut impl Rng) -> Vec<Chosen> {
    let mut order: Vec<usize> = (0..propensities.len()).collect();
    order.shuffle(random);
    let (mut point, mut sum) = (random.random::<f64>(), 0.0);
    let mut sample = Vec::new();
    for index in order {
        let propensity = propensities[index];
        sum += propensity;
        if point < sum {
            point += 1.0;
            sample.push(Chosen { index, propensity });
        }
    }
    sample.shuffle(random);
    sample
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn each_index_is_drawn_with_its_probability() {
        let propensities = [1.0, 0.05, 0.5, 0.25, 0.2];
        let (mut random, draws) = (StdRng::seed_from_u64(1), 50_000);
        let mut counts = [0; 5];
        for _ in 0..draws {
            let sample = systematic(&propensities, &mut random);
            assert_eq!(sample.len(), 2);
            sample.iter().for_each(|chosen| counts[chosen.index] += 1);
        }
        for (count, propensity) in counts.iter().zip(propensities) {
            let share = f64::from(*count) / f64::from(draws);
            assert!((share - propensity).abs() < 0.01, "{counts:?}");
        }
    }
}
