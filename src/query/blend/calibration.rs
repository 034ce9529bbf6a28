//! Calibration: maps a source's raw scores to values that can be added to those of other sources.

use serde::{Deserialize, Serialize};
use vitrine_schemas::Source;

use super::candidate_set::{CandidateSet, Signal};

/// The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).
const RRF_CONSTANT: f32 = 60.0;

/// Minimum input of the logarithm of [`Link::LogLogistic`].
const MIN_LOG_INPUT: f32 = 1e-4;

/// Maximum number of steps of Newton's method; it converges after fewer.
const MAX_NEWTON_STEPS: usize = 50;

/// Property of a signal that is calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// 1 / (60 + rank); no value for candidates that are not in the source's list.
    Rank,
    /// The score scaled from the minimum and maximum of the candidate set to 0 to 1.
    Relative,
    /// The raw score.
    Raw,
    /// Number of standard deviations above the mean vector score of all items.
    Standard,
}

/// Function from the scaled signal to the value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The scaled signal itself.
    Identity,
    /// The probability `1 / (1 + exp(-(intercept + slope x)))` that the candidate is chosen (Platt
    /// 1999).
    Logistic {
        /// Log odds at 0.
        intercept: f32,
        /// Above 0, so that the value rises with the score.
        slope: f32,
    },
    /// The logistic function of the logarithm of `x`: a power law where choices are rare.
    LogLogistic {
        /// Log odds at 1.
        intercept: f32,
        /// Above 0.
        slope: f32,
    },
    /// `ln(1 + exp(x))`: nearly `x` above 2, and above 0 for all others, so that they keep their
    /// order.
    Softplus,
}

/// A strictly increasing map from a source's signal to a value of 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Property of a signal that is calibrated.
    pub scale: Scale,
    /// Function from the scaled signal to the value.
    pub link: Link,
}

impl Calibration {
    /// The reciprocal rank.
    pub const RANK: Self = Self {
        scale: Scale::Rank,
        link: Link::Identity,
    };

    /// The score scaled to 0 to 1 (Bruch, Gai and Ingber 2023).
    pub const RELATIVE: Self = Self {
        scale: Scale::Relative,
        link: Link::Identity,
    };

    /// The share of a query that an item covers, as full-text search scores it.
    pub const COVERED: Self = Self {
        scale: Scale::Raw,
        link: Link::Identity,
    };

    /// The vector score compared with those of all items.
    pub const STANDARD: Self = Self {
        scale: Scale::Standard,
        link: Link::Softplus,
    };

    /// Returns the value of a signal; `range` is the minimum and maximum score of the source in the
    /// candidate set, or the mean and standard deviation of all items for [`Scale::Standard`].
    pub(super) fn value(&self, signal: Option<Signal>, range: (f32, f32)) -> f32 {
        let Some(x) = signal.and_then(|s| self.scale.of(s, range)) else {
            return 0.0;
        };
        match self.link {
            Link::Identity => x.max(0.0),
            Link::Logistic { intercept, slope } => sigmoid(intercept + slope * x),
            Link::LogLogistic { intercept, slope } => {
                sigmoid(intercept + slope * x.max(MIN_LOG_INPUT).ln())
            }
            // exp(x) would overflow from 88 on.
            Link::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// Returns the calibrations to choose from for a source: fixed ones, and ones fitted to the
    /// chosen candidates. `candidate_sets` come with one flag per candidate, true if it was chosen.
    pub(super) fn options(
        source: Source,
        candidate_sets: &[(&CandidateSet, &[bool])],
    ) -> Vec<Self> {
        let mut options = vec![Self::RANK, Self::RELATIVE];
        for scale in [Scale::Rank, Scale::Relative, Scale::Raw] {
            let samples = samples(scale, source, candidate_sets);
            // Scores of 0 and below have no logarithm.
            let positive = samples.iter().all(|(x, _, _)| *x > 0.0);
            let logistic = |(intercept, slope)| Link::Logistic { intercept, slope };
            let links = [
                (scale != Scale::Rank).then(|| fit(&samples, |x| x).map(logistic)),
                (scale != Scale::Raw || positive).then(|| {
                    fit(&samples, |x| x.max(MIN_LOG_INPUT).ln())
                        .map(|(intercept, slope)| Link::LogLogistic { intercept, slope })
                }),
            ];
            let fitted = links.into_iter().flatten().flatten();
            options.extend(fitted.map(|link| Self { scale, link }));
        }
        options
    }
}

impl Scale {
    fn of(self, signal: Signal, (low, high): (f32, f32)) -> Option<f32> {
        match self {
            Self::Rank => (signal.rank > 0).then(|| 1.0 / (RRF_CONSTANT + signal.rank as f32)),
            Self::Relative if high > low => Some((signal.score - low) / (high - low)),
            Self::Relative => Some(1.0),
            Self::Raw => Some(signal.score),
            Self::Standard if high > 0.0 => Some((signal.score - low) / high),
            Self::Standard => Some(0.0),
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Approximate maximum number of unchosen candidates in a fit; all chosen ones are used.
const MAX_NEGATIVES: usize = 40_000;

/// Returns (x, chosen, weight) of the candidates that the source scores; the weight is the number
/// of candidates that a sample stands for.
fn samples(
    scale: Scale,
    source: Source,
    candidate_sets: &[(&CandidateSet, &[bool])],
) -> Vec<(f32, bool, f64)> {
    let mut all = Vec::new();
    for (candidate_set, chosen) in candidate_sets {
        let range = candidate_set.score_range(source);
        for (candidate, chosen) in candidate_set.candidates.iter().zip(*chosen) {
            let signal = candidate.signals.get(source);
            if let Some(x) = signal.and_then(|s| scale.of(s, range)) {
                all.push((x, *chosen, 1.0));
            }
        }
    }
    let step = all.len().div_ceil(MAX_NEGATIVES).max(1);
    let mut nth = 0;
    all.retain_mut(|(_, chosen, weight)| {
        if *chosen {
            return true;
        }
        *weight = step as f64;
        nth += 1;
        nth % step == 0
    });
    all
}

/// Logistic regression of one variable by Newton's method. Returns (intercept, slope), or None if
/// the variable does not separate the chosen candidates or if the slope is negative.
fn fit(samples: &[(f32, bool, f64)], of: impl Fn(f32) -> f32) -> Option<(f32, f32)> {
    let points: Vec<(f64, f64, f64)> = samples
        .iter()
        .map(|(x, chosen, weight)| (f64::from(of(*x)), f64::from(u8::from(*chosen)), *weight))
        .collect();
    let total: f64 = points.iter().map(|p| p.2).sum();
    let chosen: f64 = points.iter().map(|p| p.1 * p.2).sum();
    let mean = points.iter().map(|p| p.0 * p.2).sum::<f64>() / total;
    let variance = points
        .iter()
        .map(|p| (p.0 - mean).powi(2) * p.2)
        .sum::<f64>()
        / total;
    if !(chosen >= 1.0 && chosen < total && variance > 1e-12 && variance.is_finite()) {
        return None;
    }
    let deviation = variance.sqrt();
    let (mut a, mut b) = ((chosen / (total - chosen)).ln(), 0.0);
    for _ in 0..MAX_NEWTON_STEPS {
        // A prior on the slope keeps it finite where the classes are perfectly separable.
        let (mut ga, mut gb) = (0.0, -b);
        let (mut haa, mut hab, mut hbb) = (1e-9, 0.0, 1.0);
        for (x, y, weight) in &points {
            let x = (x - mean) / deviation;
            let p = 1.0 / (1.0 + (-(a + b * x)).exp());
            let (slack, curve) = (weight * (y - p), weight * p * (1.0 - p));
            ga += slack;
            gb += slack * x;
            haa += curve;
            hab += curve * x;
            hbb += curve * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = (
            (hbb * ga - hab * gb) / determinant,
            (haa * gb - hab * ga) / determinant,
        );
        let step = (2.0 / da.abs().max(db.abs())).min(1.0);
        (a, b) = (a + step * da, b + step * db);
        if da.abs().max(db.abs()) < 1e-8 {
            break;
        }
    }
    let (slope, intercept) = (b / deviation, a - b * mean / deviation);
    (slope > 0.0 && slope.is_finite() && intercept.is_finite())
        .then_some((intercept as f32, slope as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_finds_the_odds_it_was_drawn_from() {
        // 1,000 candidates per x, chosen with the frequency that the formula gives.
        let mut samples = Vec::new();
        for step in 0..=20_u8 {
            let x = f32::from(step) / 10.0;
            let chosen = (1000.0 * sigmoid(-3.0 + 2.0 * x)).round() as usize;
            samples.extend((0..1000).map(|n| (x, n < chosen, 1.0)));
        }
        let (intercept, slope) = fit(&samples, |x| x).expect("a fit");
        assert!(
            (intercept + 3.0).abs() < 0.02 && (slope - 2.0).abs() < 0.02,
            "{intercept} {slope}"
        );
    }

    #[test]
    fn what_says_nothing_or_the_wrong_way_round_is_not_fitted() {
        assert_eq!(fit(&[], |x| x), None);
        assert_eq!(fit(&[(1.0, true, 1.0), (1.0, false, 1.0)], |x| x), None);
        assert_eq!(fit(&[(1.0, false, 1.0), (2.0, false, 1.0)], |x| x), None);
        let wrong: Vec<_> = (0..100_u8).map(|n| (f32::from(n), n < 50, 1.0)).collect();
        assert_eq!(fit(&wrong, |x| x), None);
    }

    #[test]
    fn values_rise_with_the_score_and_are_finite() {
        let links = [
            Link::Identity,
            Link::Logistic {
                intercept: -3.0,
                slope: 2.0,
            },
            Link::LogLogistic {
                intercept: -1.0,
                slope: 0.7,
            },
        ];
        for scale in [Scale::Rank, Scale::Relative, Scale::Raw] {
            for link in links {
                let calibration = Calibration { scale, link };
                let value =
                    |score: f32, rank| calibration.value(Some(Signal { score, rank }), (0.0, 3.0));
                let values = [value(3.0, 1), value(2.0, 2), value(0.5, 3)];
                assert!(
                    values.is_sorted_by(|a, b| a > b),
                    "{calibration:?} {values:?}"
                );
                assert!(values.iter().all(|v| v.is_finite() && *v >= 0.0));
                assert_eq!(calibration.value(None, (0.0, 3.0)), 0.0);
            }
        }
        let one = Calibration::RELATIVE.value(
            Some(Signal {
                score: 2.0,
                rank: 1,
            }),
            (2.0, 2.0),
        );
        assert_eq!(one, 1.0, "the only candidate is the best");
    }
}
