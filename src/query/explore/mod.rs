//! Exploration: which items with little evidence are shown, and with which probability.
//!
//! Each candidate has a Beta distribution over its click rate: a prior by its rank
//! ([`ClickRates`]), updated with its own impressions and clicks ([`Posterior`]). Thompson sampling
//! (Thompson 1933; Chapelle and Li 2011) would show the items that win a draw from these
//! distributions; its probabilities have no closed form. So the draws are repeated, and the shares
//! of wins, mixed with equal chances for all, become the inclusion probabilities of a systematic
//! sample (Madow 1949). That sample includes each item with exactly its probability, however coarse
//! the shares are, so that estimates weighted by the inverse of it (Horvitz and Thompson 1952) are
//! unbiased.

mod click_rates;
mod sampling;
mod thompson;

use rand::{SeedableRng, rngs::StdRng};

pub(crate) use self::{click_rates::ClickRates, sampling::Chosen, thompson::Posterior};

/// Probability mass that all candidates share equally. It bounds the weights of estimates, and the
/// harm of a prior that is wrong.
const UNIFORM_SHARE: f64 = 0.2;

/// Draws `count` of the candidates, in random order, each with the probability that it is drawn.
pub(crate) fn draw(candidates: &[Posterior], count: usize, seed: u64) -> Vec<Chosen> {
    let mut random = StdRng::seed_from_u64(seed);
    let count = count.min(candidates.len());
    let equal = count as f64 / candidates.len().max(1) as f64;
    let wins = thompson::win_shares(candidates, count, &mut random);
    let propensities = wins
        .into_iter()
        .map(|share| (1.0 - UNIFORM_SHARE) * share + UNIFORM_SHARE * equal)
        // Above 1 only by rounding.
        .map(|propensity| propensity.min(1.0));
    sampling::systematic(&propensities.collect::<Vec<_>>(), &mut random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behavior::Exposure;

    /// Candidates of which the later ones have more clicks.
    fn candidates(count: u32) -> Vec<Posterior> {
        let exposure = |n| Exposure {
            impressions: 40,
            clicks: n,
        };
        (0..count)
            .map(|n| Posterior::new(0.1, exposure(n)))
            .collect()
    }

    #[test]
    fn items_are_drawn_with_the_probability_that_is_reported() {
        let (candidates, draws) = (candidates(12), 6_000);
        // Mean over the draws of 1 / propensity where drawn: 1 for each item (Horvitz-Thompson).
        let mut weights = vec![0.0; candidates.len()];
        for seed in 0..draws {
            let drawn = draw(&candidates, 3, seed);
            assert_eq!(drawn.len(), 3);
            for chosen in drawn {
                weights[chosen.index] += 1.0 / chosen.propensity / draws as f64;
            }
        }
        for (index, weight) in weights.iter().enumerate() {
            assert!((weight - 1.0).abs() < 0.2, "{index}: {weights:?}");
        }
    }

    #[test]
    fn better_items_are_drawn_more_often_and_all_have_a_chance() {
        let candidates = candidates(12);
        let mut drawn = vec![0; candidates.len()];
        let least = UNIFORM_SHARE * 3.0 / 12.0 - 1e-9;
        for chosen in (0..2000).flat_map(|seed| draw(&candidates, 3, seed)) {
            assert!((least..=1.0).contains(&chosen.propensity), "{chosen:?}");
            drawn[chosen.index] += 1;
        }
        assert!(drawn[11] > 4 * drawn[0] && drawn[0] > 30, "{drawn:?}");
    }

    #[test]
    fn a_seed_repeats_its_draw() {
        let candidates = candidates(12);
        let indices = |seed| {
            let drawn = draw(&candidates, 3, seed).into_iter();
            drawn.map(|chosen| chosen.index).collect::<Vec<_>>()
        };
        assert_eq!(indices(1), indices(1));
        assert!((2..20).any(|seed| indices(seed) != indices(1)));
    }

    #[test]
    fn all_of_few_candidates_are_drawn_for_certain() {
        let drawn = draw(&candidates(2), 3, 1);
        assert_eq!(drawn.len(), 2);
        assert!(
            drawn
                .iter()
                .all(|chosen| (chosen.propensity - 1.0).abs() < 1e-9)
        );
        assert!(draw(&[], 3, 1).is_empty());
    }
}
