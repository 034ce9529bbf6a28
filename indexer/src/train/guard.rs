//! The guard against negative transfer: heads take the place of others only where they are better on held-out items,
//! beyond what chance would give.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::metrics::{Measured, Quality};

/// Fewest held-out items that a decision may rest on.
pub const LEAST: usize = 30;
/// Share of resamples in which the gain must be positive.
const CONFIDENCE: f64 = 0.975;
const RESAMPLES: usize = 2_000;

/// A candidate beside one rival, on the same held-out items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the rival is: the heads in use, training on the target alone.
    pub rival: String,
    /// The rival on the held-out items.
    pub quality: Quality,
    /// Score of the candidate less that of the rival.
    pub gain: f64,
    /// What the gain is at least, in 97.5 % of resamples of the held-out items (paired bootstrap, [Efron 1979](https://doi.org/10.1214/aos/1176344552)).
    pub gain_at_least: f64,
}

/// Whether a candidate is promoted, and on what figures. Stored beside the heads as `decision.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it may take the place of the heads in use.
    pub promoted: bool,
    /// In one sentence.
    pub reason: String,
    /// Held-out items, seen neither in training nor in choosing the epoch.
    pub held_out: usize,
    /// The candidate on them.
    pub candidate: Quality,
    /// The candidate beside each rival.
    pub comparisons: Vec<Comparison>,
}

/// Compares `candidate` with each of `rivals`, all measured on the same items in the same order.
pub fn decide(candidate: &Measured, rivals: &[(&str, &Measured)]) -> Decision {
    let comparisons: Vec<Comparison> = rivals
        .iter()
        .map(|(rival, measured)| {
            let gains = candidate.scores.iter().zip(&measured.scores);
            let gains: Vec<f64> = gains.map(|(a, b)| a - b).collect();
            Comparison {
                rival: (*rival).to_owned(),
                quality: measured.quality,
                gain: gains.iter().sum::<f64>() / gains.len().max(1) as f64,
                gain_at_least: lower_bound(&gains),
            }
        })
        .collect();
    let held_out = candidate.scores.len();
    let (promoted, reason) = verdict(held_out, &comparisons);
    Decision {
        promoted,
        reason,
        held_out,
        candidate: candidate.quality,
        comparisons,
    }
}

fn verdict(held_out: usize, comparisons: &[Comparison]) -> (bool, String) {
    if held_out < LEAST {
        let reason = format!("{held_out} held-out items are too few to tell; {LEAST} are needed");
        return (false, reason);
    }
    let worse = comparisons.iter().find(|c| c.gain <= 0.0);
    if let Some(c) = worse {
        let reason = format!("no better than {} ({:+.3})", c.rival, c.gain);
        return (false, reason);
    }
    if let Some(c) = comparisons.iter().find(|c| c.gain_at_least <= 0.0) {
        let reason = format!(
            "better than {} by {:+.3}, which may be chance (at least {:+.3})",
            c.rival, c.gain, c.gain_at_least
        );
        return (false, reason);
    }
    let gains: Vec<String> = comparisons
        .iter()
        .map(|c| {
            format!(
                "{} by {:+.3} (at least {:+.3})",
                c.rival, c.gain, c.gain_at_least
            )
        })
        .collect();
    (true, format!("better than {}", gains.join(" and than ")))
}

/// The mean of `gains` that resamples stay above, with [`CONFIDENCE`]. Always the same for the same gains.
fn lower_bound(gains: &[f64]) -> f64 {
    if gains.is_empty() {
        return f64::NEG_INFINITY;
    }
    let mut rng = SmallRng::seed_from_u64(gains.len() as u64);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = (0..gains.len()).map(|_| gains[rng.random_range(0..gains.len())]);
            draw.sum::<f64>() / gains.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    means[((1.0 - CONFIDENCE) * RESAMPLES as f64) as usize]
}
