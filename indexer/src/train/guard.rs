//! The guard against negative transfer: heads replace others only if they are significantly better
//! on held-out items.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::metrics::{Measured, Quality, mean};

/// Minimum number of held-out items, or users, for a decision.
pub const MIN_SAMPLES: usize = 30;
/// Share of resamples in which the gain must be positive.
const CONFIDENCE: f64 = 0.975;
const RESAMPLES: usize = 2_000;

/// Scores of a space on held-out items and users, one each, so that two spaces can be compared
/// pairwise.
#[derive(Default)]
pub struct HeldOutScores {
    /// Scores of pairs of text and image.
    pub pairs: Option<Measured>,
    /// NDCG@10 of the co-purchases of each held-out user.
    pub co_purchases: Option<Vec<f64>>,
}

impl From<Measured> for HeldOutScores {
    fn from(pairs: Measured) -> Self {
        Self {
            pairs: Some(pairs),
            co_purchases: None,
        }
    }
}

impl HeldOutScores {
    fn quality(&self) -> Option<Quality> {
        self.pairs.as_ref().map(|measured| measured.quality)
    }

    fn ndcg(&self) -> Option<f64> {
        let scores = self.co_purchases.as_ref()?;
        Some(mean(scores.iter().copied()))
    }

    /// Returns the gains over `rival` by metric, item by item and user by user.
    fn gains(&self, rival: &Self) -> Vec<Vec<f64>> {
        let differences = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        let pairs = self.pairs.as_ref().zip(rival.pairs.as_ref());
        let pairs = pairs.map(|(a, b)| differences(&a.scores, &b.scores));
        let co_purchases = self.co_purchases.as_ref().zip(rival.co_purchases.as_ref());
        let co_purchases = co_purchases.map(|(a, b)| differences(a, b));
        pairs.into_iter().chain(co_purchases).collect()
    }
}

/// Comparison of a candidate with one rival, on the same held-out items and users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Description of the rival: the heads in use, training on the target alone.
    pub rival: String,
    /// Quality of the rival on the held-out items; absent without pairs of text and image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// NDCG@10 of the rival on the co-purchases of held-out users; absent without events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
    /// Score of the candidate minus that of the rival; the mean over both metrics if there are
    /// both.
    pub gain: f64,
    /// Lower confidence bound of the gain: 97.5 % of resamples of the held-out items exceed it
    /// (paired bootstrap, [Efron 1979](https://doi.org/10.1214/aos/1176344552)).
    pub gain_at_least: f64,
    /// Upper confidence bound of the worst metric's gain; below 0 means a regression.
    pub least_gain_at_most: f64,
}

/// Decision on the promotion of a candidate, with its metrics. Stored with the heads as
/// `decision.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// True if it may replace the heads in use.
    pub promoted: bool,
    /// Reason in one sentence.
    pub reason: String,
    /// Number of held-out items, used neither for training nor for early stopping.
    pub held_out: usize,
    /// Number of held-out users or sessions with items of different categories that were measured.
    #[serde(rename = "people")]
    pub users: usize,
    /// Quality of the candidate on the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Quality>,
    /// NDCG@10 of the candidate on the co-purchases of the users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
    /// Comparison with each rival.
    pub comparisons: Vec<Comparison>,
}

/// Compares `candidate` with each of `rivals`, all measured on the same items and users in the same
/// order.
pub fn decide(candidate: &HeldOutScores, rivals: &[(&str, &HeldOutScores)]) -> Decision {
    let comparisons: Vec<Comparison> = rivals
        .iter()
        .map(|(name, rival)| {
            let gains = candidate.gains(rival);
            let upper_bounds = gains
                .iter()
                .map(|metric| bounds(std::slice::from_ref(metric)).1);
            Comparison {
                rival: (*name).to_owned(),
                quality: rival.quality(),
                co_purchases: rival.ndcg(),
                gain: mean(gains.iter().map(|metric| mean(metric.iter().copied()))),
                gain_at_least: bounds(&gains).0,
                least_gain_at_most: upper_bounds.fold(f64::INFINITY, f64::min),
            }
        })
        .collect();
    let held_out = candidate.pairs.as_ref().map_or(0, |m| m.scores.len());
    let users = candidate.co_purchases.as_ref().map_or(0, Vec::len);
    let (promoted, reason) = verdict(candidate, &comparisons);
    Decision {
        promoted,
        reason,
        held_out,
        users,
        candidate: candidate.quality(),
        co_purchases: candidate.ndcg(),
        comparisons,
    }
}

/// Returns the decision and its reason.
fn verdict(candidate: &HeldOutScores, comparisons: &[Comparison]) -> (bool, String) {
    let items = candidate.pairs.as_ref().map(|m| ("items", m.scores.len()));
    let users = candidate.co_purchases.as_ref().map(|c| ("users", c.len()));
    let samples: Vec<_> = items.into_iter().chain(users).collect();
    let few = samples.iter().find(|(_, n)| *n < MIN_SAMPLES);
    if let Some((name, n)) = few.or(samples.is_empty().then_some(&("items", 0))) {
        let reason = format!("too few held-out {name}: expected at least {MIN_SAMPLES}, got {n}");
        return (false, reason);
    }
    let worse = comparisons.iter().find(|c| c.gain <= 0.0);
    if let Some(c) = worse {
        let reason = format!("no better than {} ({:+.3})", c.rival, c.gain);
        return (false, reason);
    }
    if let Some(c) = comparisons.iter().find(|c| c.gain_at_least <= 0.0) {
        let reason = format!(
            "better than {} by {:+.3}, which may be chance (lower bound {:+.3})",
            c.rival, c.gain, c.gain_at_least
        );
        return (false, reason);
    }
    if let Some(c) = comparisons.iter().find(|c| c.least_gain_at_most < 0.0) {
        let reason = format!(
            "better than {} overall, but worse in one metric of pairs and co-purchases (upper bound \
             {:+.3})",
            c.rival, c.least_gain_at_most
        );
        return (false, reason);
    }
    let gains: Vec<String> = comparisons
        .iter()
        .map(|c| {
            format!(
                "{} by {:+.3} (lower bound {:+.3})",
                c.rival, c.gain, c.gain_at_least
            )
        })
        .collect();
    (true, format!("better than {}", gains.join(" and than ")))
}

/// Returns the lower and upper confidence bounds of the mean over metrics of their mean gain, each
/// with [`CONFIDENCE`]. Deterministic.
fn bounds(metrics: &[Vec<f64>]) -> (f64, f64) {
    if metrics.is_empty() || metrics.iter().any(Vec::is_empty) {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let mut rng = SmallRng::seed_from_u64(metrics[0].len() as u64);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            mean(metrics.iter().map(|gains| {
                let draw = (0..gains.len()).map(|_| gains[rng.random_range(0..gains.len())]);
                draw.sum::<f64>() / gains.len() as f64
            }))
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let out = ((1.0 - CONFIDENCE) * RESAMPLES as f64) as usize;
    (means[out], means[RESAMPLES - 1 - out])
}
