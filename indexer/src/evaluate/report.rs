//! Report of an evaluation, for people and programs. Its presentation lives in `table` and `html`.

use std::collections::BTreeMap;

use serde::Serialize;
use vitrine::cf::metrics::{Figures, Interval};

use super::protocol::Weights;

/// Results of one evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Data.
    pub data: DataFacts,
    /// Protocol.
    pub protocol: ProtocolFacts,
    /// Models, in the order given.
    pub models: Vec<ModelReport>,
    /// Comparisons of each model with the first.
    pub comparisons: Vec<Comparison>,
}

/// Properties of the data.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct DataFacts {
    pub source: String,
    pub interactions: usize,
    pub rejections: usize,
    /// Records that could not be read.
    pub refused: usize,
    pub users: usize,
    pub items: usize,
    pub items_with_category: usize,
    pub items_with_vector: usize,
    /// RFC 3339.
    pub first_event: Option<String>,
    /// RFC 3339.
    pub last_event: Option<String>,
}

/// Properties of the protocol.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolFacts {
    /// As in `--split`.
    pub split: String,
    /// Time of the first held-out event, RFC 3339, if it is the same for all users.
    pub cut: Option<String>,
    /// Combined weight of several events of a user with one item.
    pub weights: Weights,
    /// True if only items new to their user are relevant.
    pub new_only: bool,
    /// Ranked items.
    pub ranking: Ranking,
    /// Share of the items whose events are hidden and which alone are ranked, if any.
    pub cold_items: Option<f64>,
    /// Maximum number of items of a history, if limited.
    pub max_history: Option<usize>,
    /// Number of training events.
    pub train: usize,
    /// Number of held-out events.
    pub held_out: usize,
    /// Number of tested users.
    pub users_tested: usize,
    /// Number of users with held-out events but too little history.
    pub users_without_history: usize,
    /// Number of users without new held-out items.
    pub users_without_new: usize,
    /// Number of held-out items of the tested users.
    pub relevant: usize,
    /// Number of bootstrap resamples of the intervals.
    pub resamples: usize,
    /// Random seed.
    pub seed: u64,
}

/// Items that held-out ones are ranked among.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// All items that may be recommended.
    Full,
    /// The held-out items and this many random others: metrics are not comparable with those of a
    /// full ranking (Krichene and Rendle 2020).
    SampledNegatives(usize),
}

impl Ranking {
    /// Returns a label.
    pub fn label(self) -> String {
        match self {
            Self::Full => "full ranking".to_owned(),
            Self::SampledNegatives(count) => {
                format!(
                    "SAMPLED: {count} random negatives per user, not comparable with a full ranking"
                )
            }
        }
    }
}

/// Results of one model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Name as requested.
    pub model: String,
    /// All its settings.
    pub settings: String,
    /// Remark on the fit.
    pub note: Option<String>,
    /// Time to fit in seconds.
    pub fit_seconds: f64,
    /// Users answered per second.
    pub users_per_second: f64,
    /// Metrics at each depth.
    pub at: Vec<AtDepth>,
    /// Metrics by number of events of the user, at the first depth.
    pub by_user: Vec<UserBin>,
    /// Metrics by number of events of the held-out item, at the first depth.
    pub by_item: Vec<ItemBin>,
}

/// Metrics of the first `k` of each list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct AtDepth {
    pub k: usize,
    /// Means over the users, by the names of [`METRICS`].
    #[serde(flatten)]
    pub figures: BTreeMap<&'static str, Interval>,
    /// Share of all items that were recommended to at least one user.
    pub coverage: f64,
    /// Mean -log2 of the share of users who had the item.
    pub novelty: f64,
    /// Mean distance (1 - cosine) of two items of a list.
    pub diversity: Option<f64>,
    /// Share of the lists from categories new to the user.
    pub cross_category: Option<f64>,
}

/// Users with a similar number of events.
#[derive(Clone, Debug, Serialize)]
pub struct UserBin {
    /// Number of training events, such as `5-19`.
    pub events: String,
    /// Users tested.
    pub users: usize,
    /// Mean recall over them.
    pub recall: Interval,
    /// Mean nDCG over them.
    pub ndcg: Interval,
}

/// Held-out items with a similar number of events.
#[derive(Clone, Debug, Serialize)]
pub struct ItemBin {
    /// Number of training events; `0` is cold.
    pub events: String,
    /// Number of held-out items, counted once for each user.
    pub held_out: usize,
    /// Share of them that was recommended.
    pub recall: f64,
}

/// Comparison of one model with another, paired by user.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Name of the model.
    pub model: String,
    /// Name of the baseline.
    pub against: String,
    /// Name of the metric.
    pub metric: &'static str,
    /// Depth.
    pub k: usize,
    /// Mean over the users of the difference between model and baseline.
    pub difference: Interval,
    /// Verdict.
    pub verdict: Verdict,
}

/// Interpretation of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies above 0.
    Better,
    /// The interval lies below 0.
    Worse,
    /// The interval contains 0.
    Undecided,
}

impl Verdict {
    /// Returns the verdict for a difference.
    pub fn of(difference: &Interval) -> Self {
        if difference.low > 0.0 {
            Self::Better
        } else if difference.high < 0.0 {
            Self::Worse
        } else {
            Self::Undecided
        }
    }
}

impl Comparison {
    /// Returns the comparison as a sentence.
    pub fn sentence(&self) -> String {
        let (metric, k, against) = (self.metric, self.k, &self.against);
        let Interval { mean, low, high } = self.difference;
        match self.verdict {
            Verdict::Better | Verdict::Worse => {
                let word = if self.verdict == Verdict::Better {
                    "better"
                } else {
                    "worse"
                };
                format!(
                    "{} is {word} than {against} by {:.4} {metric}@{k} ({low:+.4} to {high:+.4})",
                    self.model,
                    mean.abs()
                )
            }
            Verdict::Undecided => format!(
                "{} and {against} do not differ significantly in {metric}@{k}: {mean:+.4} ({low:+.4} to {high:+.4})",
                self.model
            ),
        }
    }
}

/// Metric of one user by name.
pub type Metric = (&'static str, fn(&Figures) -> f64);

/// Metrics that are compared.
pub const METRICS: [Metric; 7] = [
    ("recall", |f| f.recall),
    ("ndcg", |f| f.ndcg),
    ("precision", |f| f.precision),
    ("f1", |f| f.f1),
    ("hit_rate", |f| f.hit_rate),
    ("map", |f| f.average_precision),
    ("mrr", |f| f.reciprocal_rank),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_go_by_the_interval() {
        let verdict = |low, high| {
            Verdict::of(&Interval {
                mean: 0.0,
                low,
                high,
            })
        };
        assert_eq!(verdict(0.1, 0.2), Verdict::Better);
        assert_eq!(verdict(-0.2, -0.1), Verdict::Worse);
        assert_eq!(verdict(-0.1, 0.1), Verdict::Undecided);
        assert_eq!(verdict(0.0, 0.1), Verdict::Undecided);
    }
}
