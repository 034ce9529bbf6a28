//! Thompson sampling: distributions of click rates, and how often each item wins a draw from them.

use rand::Rng;
use rand_distr::{Beta, Distribution};

use crate::behavior::Exposure;

/// Weight of the prior, in impressions: few, so that an item's own clicks soon outweigh it.
const PRIOR_IMPRESSIONS: f64 = 10.0;

/// Number of draws from all distributions.
const DRAWS: usize = 128;

/// Beta distribution of an item's click rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Posterior {
    alpha: f64,
    beta: f64,
}

impl Posterior {
    /// Updates a prior, with a mean between 0 and 1, by an item's impressions and clicks.
    pub fn new(prior_rate: f64, exposure: Exposure) -> Self {
        let clicks = f64::from(exposure.clicks);
        let misses = f64::from(exposure.impressions.saturating_sub(exposure.clicks));
        Self {
            alpha: PRIOR_IMPRESSIONS * prior_rate + clicks,
            beta: PRIOR_IMPRESSIONS * (1.0 - prior_rate) + misses,
        }
    }

    /// Returns a click rate that the item hardly exceeds: two standard deviations above the mean
    /// (upper confidence bound; Auer, Cesa-Bianchi and Fischer 2002).
    pub fn upper_bound(self) -> f64 {
        let (mean, weight) = (self.mean(), self.alpha + self.beta);
        mean + 2.0 * (mean * (1.0 - mean) / (weight + 1.0)).sqrt()
    }

    fn mean(self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }
}

/// Returns for each item the share of draws in which its click rate is among the `count` greatest.
/// The shares add up to `count`, which is at most the number of items.
pub(super) fn win_shares(items: &[Posterior], count: usize, random: &mut impl Rng) -> Vec<f64> {
    let mut wins = vec![0.0; items.len()];
    let mut rates = Vec::with_capacity(items.len());
    for _ in 0..DRAWS {
        rates.clear();
        rates.extend((0..).zip(items).map(|(index, item)| {
            let beta = Beta::new(item.alpha, item.beta);
            let rate = beta.map_or(item.mean(), |beta| beta.sample(random));
            (rate, index)
        }));
        if count < rates.len() {
            rates.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0));
        }
        for (_, index) in &rates[..count] {
            wins[*index] += 1.0 / DRAWS as f64;
        }
    }
    wins
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn exposure(impressions: u32, clicks: u32) -> Exposure {
        Exposure {
            impressions,
            clicks,
        }
    }

    #[test]
    fn evidence_moves_the_rate_from_the_prior_to_the_clicks() {
        let mean = |impressions, clicks| Posterior::new(0.1, exposure(impressions, clicks)).mean();
        assert!((mean(0, 0) - 0.1).abs() < 1e-9);
        assert!((mean(10, 5) - 0.3).abs() < 1e-9);
        assert!((mean(10_000, 5_000) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn the_upper_bound_is_high_for_little_evidence() {
        let upper =
            |impressions, clicks| Posterior::new(0.1, exposure(impressions, clicks)).upper_bound();
        assert!(upper(0, 0) > upper(100, 10) && upper(100, 10) > upper(1000, 100));
        assert!(upper(10, 3) > upper(10, 0));
        assert!(upper(1000, 100) > 0.1);
    }

    #[test]
    fn shares_of_wins_favor_high_and_uncertain_rates() {
        let items = [
            Posterior::new(0.1, exposure(0, 0)),
            Posterior::new(0.1, exposure(500, 50)),
            Posterior::new(0.1, exposure(500, 60)),
            Posterior::new(0.1, exposure(500, 5)),
        ];
        let shares = win_shares(&items, 1, &mut StdRng::seed_from_u64(1));
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(shares[2] > shares[1] && shares[1] > shares[3], "{shares:?}");
        // Its mean is that of the second, but it may be much better.
        assert!(shares[0] > shares[1], "{shares:?}");
    }
}
