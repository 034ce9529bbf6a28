//! The guard against negative transfer: heads take the place of others only where they are better on held-out items,
//! beyond what chance would give.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use super::metrics::{Measured, Quality, mean};

/// Fewest held-out items that a decision may rest on.
pub const LEAST: usize = 30;
/// Share of resamples in which the gain must be positive.
const CONFIDENCE: f64 = 0.975;
const RESAMPLES: usize = 2_000;

/// A space on held-out items and people, each scored so that two spaces can be compared one by one.
#[derive(Default)]
pub struct Judged {
    /// Pairs of text and photo.
    pub pairs: Option<Measured>,
    /// NDCG@10 of what each held-out person chose together.
    pub co_purchases: Option<Vec<f64>>,
}

impl From<Measured> for Judged {
    fn from(pairs: Measured) -> Self {
        Self {
            pairs: Some(pairs),
            co_purchases: None,
        }
    }
}

impl Judged {
    fn quality(&self) -> Option<Quality> {
        self.pairs.as_ref().map(|measured| measured.quality)
    }

    fn ndcg(&self) -> Option<f64> {
        let scores = self.co_purchases.as_ref()?;
        Some(mean(scores.iter().copied()))
    }

    /// What this has more than `rival`, item by item and person by person.
    fn gains(&self, rival: &Self) -> Vec<Vec<f64>> {
        let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        let pairs = self.pairs.as_ref().zip(rival.pairs.as_ref());
        let pairs = pairs.map(|(own, other)| less(&own.scores, &other.scores));
        let bought = self.co_purchases.as_ref().zip(rival.co_purchases.as_ref());
        let bought = bought.map(|(own, other)| less(own, other));
        pairs.into_iter().chain(bought).collect()
    }
}

/// A candidate beside one rival, on the same held-out items and people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the rival is: the heads in use, training on the target alone.
    pub rival: String,
    /// The rival on the held-out items; absent where there are no pairs of text and photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// NDCG@10 of the rival on what held-out people chose together; absent without events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
    /// Score of the candidate less that of the rival: the mean of both kinds of score, where there are both.
    pub gain: f64,
    /// What the gain is at least, in 97.5 % of resamples of the held-out items (paired bootstrap, [Efron 1979](https://doi.org/10.1214/aos/1176344552)).
    pub gain_at_least: f64,
    /// Least of the kinds of score, the most that its gain may be: below 0, that one is lost.
    pub least_gain_at_most: f64,
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
    /// Held-out people, or visits of theirs, with items of different categories; at most so many as are asked.
    pub people: usize,
    /// The candidate on the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Quality>,
    /// NDCG@10 of the candidate on what the people chose together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
    /// The candidate beside each rival.
    pub comparisons: Vec<Comparison>,
}

/// Compares `candidate` with each of `rivals`, all measured on the same items and people in the same order.
pub fn decide(candidate: &Judged, rivals: &[(&str, &Judged)]) -> Decision {
    let comparisons: Vec<Comparison> = rivals
        .iter()
        .map(|(rival, judged)| {
            let gains = candidate.gains(judged);
            let tops = gains
                .iter()
                .map(|kind| bounds(std::slice::from_ref(kind)).1);
            Comparison {
                rival: (*rival).to_owned(),
                quality: judged.quality(),
                co_purchases: judged.ndcg(),
                gain: mean(gains.iter().map(|kind| mean(kind.iter().copied()))),
                gain_at_least: bounds(&gains).0,
                least_gain_at_most: tops.fold(f64::INFINITY, f64::min),
            }
        })
        .collect();
    let held_out = candidate.pairs.as_ref().map_or(0, |m| m.scores.len());
    let people = candidate.co_purchases.as_ref().map_or(0, Vec::len);
    let (promoted, reason) = verdict(candidate, &comparisons);
    Decision {
        promoted,
        reason,
        held_out,
        people,
        candidate: candidate.quality(),
        co_purchases: candidate.ndcg(),
        comparisons,
    }
}

fn verdict(candidate: &Judged, comparisons: &[Comparison]) -> (bool, String) {
    let items = candidate.pairs.as_ref().map(|m| ("items", m.scores.len()));
    let people = candidate.co_purchases.as_ref().map(|c| ("people", c.len()));
    let kinds: Vec<_> = items.into_iter().chain(people).collect();
    let few = kinds.iter().find(|(_, n)| *n < LEAST);
    if let Some((what, n)) = few.or(kinds.is_empty().then_some(&("items", 0))) {
        let reason = format!("{n} held-out {what} are too few to tell; {LEAST} are needed");
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
    if let Some(c) = comparisons.iter().find(|c| c.least_gain_at_most < 0.0) {
        let reason = format!(
            "better than {} on the whole, but worse in one of text with photo and chosen together ({:+.3} at most)",
            c.rival, c.least_gain_at_most
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

/// Between which the mean of the means of `kinds` of gains lies, each side with [`CONFIDENCE`]. Always the same for the same gains.
fn bounds(kinds: &[Vec<f64>]) -> (f64, f64) {
    if kinds.is_empty() || kinds.iter().any(Vec::is_empty) {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let mut rng = SmallRng::seed_from_u64(kinds[0].len() as u64);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            mean(kinds.iter().map(|gains| {
                let draw = (0..gains.len()).map(|_| gains[rng.random_range(0..gains.len())]);
                draw.sum::<f64>() / gains.len() as f64
            }))
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let out = ((1.0 - CONFIDENCE) * RESAMPLES as f64) as usize;
    (means[out], means[RESAMPLES - 1 - out])
}
