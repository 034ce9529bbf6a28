//! What an evaluation found, for people and programs. How it is shown lives in `table` and `html`.

use std::collections::BTreeMap;

use serde::Serialize;
use vitrine::cf::metrics::{Figures, Interval};

use super::protocol::Weights;

/// Everything found in one evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it was done on.
    pub data: DataFacts,
    /// How it was done.
    pub protocol: ProtocolFacts,
    /// Each model, in the order given.
    pub models: Vec<ModelReport>,
    /// Each model but the first against the first.
    pub comparisons: Vec<Comparison>,
}

/// What was evaluated on.
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

/// How it was evaluated.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolFacts {
    /// As in `--split`.
    pub split: String,
    /// First moment held out, RFC 3339, where all users have the same.
    pub cut: Option<String>,
    /// What several events of a user with one item weigh together.
    pub weights: Weights,
    /// Whether only items new to their user count.
    pub new_only: bool,
    /// Among what items are ranked.
    pub ranking: Ranking,
    /// Events learned from.
    pub train: usize,
    /// Events held out.
    pub held_out: usize,
    /// Users tested.
    pub users_tested: usize,
    /// Users with something held out but too little before.
    pub users_without_history: usize,
    /// Users with nothing new held out.
    pub users_without_new: usize,
    /// Held-out items of the users tested.
    pub relevant: usize,
    /// Of the intervals.
    pub resamples: usize,
    /// Of all that is random.
    pub seed: u64,
}

/// Among what items are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// All items that may be recommended.
    Full,
    /// The held-out items and so many random others: figures are not comparable with those of a full ranking
    /// (Krichene and Rendle 2020).
    SampledNegatives(usize),
}

impl Ranking {
    /// In words.
    pub fn label(self) -> String {
        match self {
            Self::Full => "full ranking".to_owned(),
            Self::SampledNegatives(count) => {
                format!(
                    "SAMPLED: {count} random negatives a user, not comparable with a full ranking"
                )
            }
        }
    }
}

/// One model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// As it was asked for.
    pub model: String,
    /// All its settings.
    pub settings: String,
    /// What is to be known of how it came about.
    pub note: Option<String>,
    /// Seconds to learn.
    pub fit_seconds: f64,
    /// Users answered a second.
    pub users_per_second: f64,
    /// Figures at each depth.
    pub at: Vec<AtDepth>,
    /// By number of events of the user, at the first depth.
    pub by_user: Vec<UserBin>,
    /// By number of events of the held-out item, at the first depth.
    pub by_item: Vec<ItemBin>,
}

/// Figures of the first `k` of each list.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct AtDepth {
    pub k: usize,
    /// Means over the users, by the names of [`METRICS`].
    #[serde(flatten)]
    pub figures: BTreeMap<&'static str, Interval>,
    /// Part of the items that anybody was recommended.
    pub coverage: f64,
    /// Mean -log2 of the part of users who had the item.
    pub novelty: f64,
    /// Mean distance (1 - cosine) of two items of a list.
    pub diversity: Option<f64>,
    /// Part of the lists from categories in which the user had nothing.
    pub cross_category: Option<f64>,
}

/// Users of about as many events.
#[derive(Clone, Debug, Serialize)]
pub struct UserBin {
    /// Events to learn from, such as `5-19`.
    pub events: String,
    /// Users tested.
    pub users: usize,
    /// Mean over them.
    pub recall: Interval,
    /// Mean over them.
    pub ndcg: Interval,
}

/// Held-out items of about as many events.
#[derive(Clone, Debug, Serialize)]
pub struct ItemBin {
    /// Events to learn from; `0` are cold.
    pub events: String,
    /// Held-out items, once for each user.
    pub held_out: usize,
    /// Part of them that was recommended.
    pub recall: f64,
}

/// One model against another, user by user.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The one.
    pub model: String,
    /// The other.
    pub against: String,
    /// Name of the metric.
    pub metric: &'static str,
    /// Depth.
    pub k: usize,
    /// Mean of the one less the other over the users.
    pub difference: Interval,
    /// What can be said.
    pub verdict: Verdict,
}

/// What a difference says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies above 0.
    Better,
    /// The interval lies below 0.
    Worse,
    /// The interval holds 0.
    Undecided,
}

impl Verdict {
    /// Of a difference.
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
    /// In words.
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
                "{} and {against} are not told apart by {metric}@{k}: {mean:+.4} ({low:+.4} to {high:+.4})",
                self.model
            ),
        }
    }
}

/// A figure of one user by name.
pub type Metric = (&'static str, fn(&Figures) -> f64);

/// The figures that are compared.
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
