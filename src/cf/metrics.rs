//! Quality of recommendations per user against held-out items, with confidence intervals and paired
//! differences.
//!
//! Rankings are over all items. As in LightGCN (He et al. 2020), recall is hits / held-out items of
//! the user, and the ideal of NDCG has `min(k, held-out items)` hits on top. Users without held-out
//! items are not counted.

use std::collections::HashSet;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::Scored;

/// Metrics of one user, or means over users.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Hits / k.
    pub precision: f64,
    /// Hits / held-out items.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// 1 if there was a hit.
    pub hit_rate: f64,
    /// Discounted gain of the hits / discounted gain of the ideal ranking.
    pub ndcg: f64,
    /// Mean over `min(k, held-out items)` of the precision at each hit (MAP).
    pub average_precision: f64,
    /// 1 / rank of the first hit (MRR).
    pub reciprocal_rank: f64,
}

impl Figures {
    /// Computes the metrics of one user at `k`; `relevant` are the held-out items. Recommendations
    /// beyond `k` are ignored.
    pub fn of(recommended: &[Scored], relevant: &[u32], k: usize) -> Self {
        let relevant: HashSet<_> = relevant.iter().copied().collect();
        let ideal = relevant.len().min(k);
        if ideal == 0 {
            return Self::default();
        }
        let (mut hits, mut gain, mut precisions, mut first) = (0.0, 0.0, 0.0, None);
        for (rank, _) in (1..=k)
            .zip(recommended)
            .filter(|(_, s)| relevant.contains(&s.item))
        {
            let rank = rank as f64;
            hits += 1.0;
            gain += 1.0 / (rank + 1.0).log2();
            precisions += hits / rank;
            first = first.or(Some(rank));
        }
        let best: f64 = (1..=ideal)
            .map(|rank| 1.0 / (rank as f64 + 1.0).log2())
            .sum();
        let (precision, recall) = (hits / k as f64, hits / relevant.len() as f64);
        Self {
            precision,
            recall,
            f1: if hits > 0.0 {
                2.0 * precision * recall / (precision + recall)
            } else {
                0.0
            },
            hit_rate: f64::from(u8::from(hits > 0.0)),
            ndcg: gain / best,
            average_precision: precisions / ideal as f64,
            reciprocal_rank: first.map_or(0.0, |rank| 1.0 / rank),
        }
    }

    /// Returns the means over users; zeros without users.
    pub fn mean(users: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| {
            users.iter().map(figure).sum::<f64>() / users.len().max(1) as f64
        };
        Self {
            precision: mean(|f| f.precision),
            recall: mean(|f| f.recall),
            f1: mean(|f| f.f1),
            hit_rate: mean(|f| f.hit_rate),
            ndcg: mean(|f| f.ndcg),
            average_precision: mean(|f| f.average_precision),
            reciprocal_rank: mean(|f| f.reciprocal_rank),
        }
    }
}

/// Returns the share of a catalog of `items` items that was recommended to any user.
pub fn coverage(recommended: &[Vec<Scored>], items: usize) -> f64 {
    let distinct: HashSet<_> = recommended.iter().flatten().map(|s| s.item).collect();
    distinct.len() as f64 / items.max(1) as f64
}

/// Returns the mean surprise of the recommended items, in bits: -log2 of the share of `users` with
/// the item (Zhou et al. 2010). `counts` has the number of users of each item; 0 counts as 1.
pub fn novelty(recommended: &[Vec<Scored>], counts: &[u32], users: usize) -> f64 {
    let surprise = |s: &Scored| {
        let had = counts.get(s.item as usize).copied().unwrap_or(0).max(1);
        (users.max(1) as f64 / f64::from(had)).log2()
    };
    let number = recommended.iter().map(Vec::len).sum::<usize>();
    recommended.iter().flatten().map(surprise).sum::<f64>() / number.max(1) as f64
}

/// A mean with its 95 % bootstrap confidence interval (Efron 1979).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Mean of the values.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile of the resampled means.
    pub high: f64,
}

impl Interval {
    /// Computes the interval of the mean of `values` from `resamples` draws of as many values with
    /// replacement. Zeros without values.
    pub fn bootstrap(values: &[f64], resamples: usize, seed: u64) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        if values.is_empty() || resamples == 0 {
            return Self {
                mean,
                low: mean,
                high: mean,
            };
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draw = |_| {
            let sum: f64 = (0..values.len())
                .map(|_| values[rng.random_range(0..values.len())])
                .sum();
            sum / values.len() as f64
        };
        let mut means: Vec<_> = (0..resamples).map(&mut draw).collect();
        means.sort_by(f64::total_cmp);
        let percentile =
            |quantile: f64| means[((resamples - 1) as f64 * quantile).round() as usize];
        Self {
            mean,
            low: percentile(0.025),
            high: percentile(0.975),
        }
    }

    /// Computes the interval of the mean of the differences `a - b` per user: models differ
    /// significantly if 0 is outside. Users beyond the shorter list are ignored.
    pub fn of_difference(a: &[f64], b: &[f64], resamples: usize, seed: u64) -> Self {
        let differences: Vec<_> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self::bootstrap(&differences, resamples, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(items: &[u32]) -> Vec<Scored> {
        items
            .iter()
            .map(|item| Scored {
                item: *item,
                score: 0.0,
            })
            .collect()
    }

    fn near(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() < 1e-12,
            "{actual} is not {expected}"
        );
    }

    #[test]
    fn metrics_by_hand() {
        // Hits at ranks 2 and 4 of 5, three held out.
        let figures = Figures::of(&ranked(&[9, 1, 8, 2, 7, 3]), &[1, 2, 3], 5);
        near(figures.precision, 2.0 / 5.0);
        near(figures.recall, 2.0 / 3.0);
        near(figures.f1, 0.5);
        near(figures.hit_rate, 1.0);
        let (at2, at4) = (1.0 / 3.0_f64.log2(), 1.0 / 5.0_f64.log2());
        near(figures.ndcg, (at2 + at4) / (1.0 + at2 + 0.5));
        near(figures.average_precision, (0.5 + 0.5) / 3.0);
        near(figures.reciprocal_rank, 0.5);
    }

    #[test]
    fn more_held_out_than_ranks_can_still_be_perfect() {
        let figures = Figures::of(&ranked(&[0, 1]), &[0, 1, 2, 3], 2);
        near(figures.ndcg, 1.0);
        near(figures.average_precision, 1.0);
        near(figures.recall, 0.5);
        assert_eq!(Figures::of(&ranked(&[0]), &[], 2), Figures::default());
        assert_eq!(Figures::of(&[], &[1], 2), Figures::default());
        assert_eq!(Figures::of(&ranked(&[1]), &[1], 0), Figures::default());
        assert_eq!(Figures::mean(&[]), Figures::default());
    }

    #[test]
    fn coverage_and_novelty_by_hand() {
        let lists = [ranked(&[0, 1]), ranked(&[0])];
        near(coverage(&lists, 8), 0.25);
        // All 8 users had item 0, one had item 1.
        near(novelty(&lists, &[8, 1], 8), 1.0);
        near(novelty(&[], &[], 0), 0.0);
        near(coverage(&[], 0), 0.0);
    }

    #[test]
    fn intervals_hold_the_mean_and_distinguish_models() {
        let values: Vec<_> = (0..1000).map(|n| f64::from(n % 10)).collect();
        let interval = Interval::bootstrap(&values, 1000, 1);
        near(interval.mean, 4.5);
        // The standard error is 2.87 / sqrt(1000) = 0.091; the interval is 1.96 of it on either
        // side.
        assert!(
            (interval.low - 4.322).abs() < 0.02 && (interval.high - 4.678).abs() < 0.02,
            "{interval:?}"
        );
        assert_eq!(interval, Interval::bootstrap(&values, 1000, 1));
        let better: Vec<_> = values.iter().map(|v| v + 0.01).collect();
        let apart = Interval::of_difference(&better, &values, 200, 1);
        assert!(
            apart.low > 0.0,
            "pairs remove the variance between users: {apart:?}"
        );
        assert_eq!(
            Interval::bootstrap(&[], 10, 0),
            Interval {
                mean: 0.0,
                low: 0.0,
                high: 0.0
            }
        );
    }
}
