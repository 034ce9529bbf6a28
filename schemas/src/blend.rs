//! How what several sources say becomes one score.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an answer comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Items whose vectors are near to the query's.
    Query,
    /// Items with the words of the query.
    Lexical,
    /// Items that the same people touched.
    Behavior,
    /// Items of people whose latest choices are like these: users by all they did, visits without a user by themselves.
    Session,
    /// Items whose vectors are near to those of the history.
    Content,
    /// What is popular now.
    Popularity,
    /// Categories that people choose of who choose of the one asked from.
    Transition,
    /// The newest items: where the others give too few.
    Newest,
    /// What rules of the shop add to a score or take from it; it has no weight.
    Rules,
}

impl Source {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Query,
        Self::Lexical,
        Self::Behavior,
        Self::Session,
        Self::Content,
        Self::Popularity,
        Self::Transition,
        Self::Newest,
        Self::Rules,
    ];

    /// Whether it rests on what the shopper and others did, so that evidence decides how much it counts.
    pub fn is_behavior(self) -> bool {
        matches!(self, Self::Behavior | Self::Session)
    }
}

/// How scores of several sources are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlendMethod {
    /// Weighted reciprocal rank fusion, k = 60.
    Rrf,
    /// As learned from held-out events.
    Learned,
    /// Calibrated scores times the weights of the request.
    Weighted,
}

/// How a request wants its sources joined. Without it: as learned, else by reciprocal rank fusion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlendSpec {
    /// `weighted` where weights are given, else `learned` where something was, else `rrf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<BlendMethod>,
    /// What each source counts, 0 to 1000; sources that are not named take no part. With `rrf` or `weighted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<Source, f32>>,
}

/// How an answer joined its sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendUse {
    /// The method.
    pub method: BlendMethod,
    /// Version of the learned blend, where it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a source adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// The source.
    pub source: Source,
    /// Rank of the item in the source's list, from 1; absent where another source found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// The source's own score of the item.
    pub raw: f32,
    /// Its part of the score.
    pub score: f32,
}

/// A source as an answer used it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceUse {
    /// The source.
    pub source: Source,
    /// Its weight in this answer.
    pub weight: f32,
    /// Items it gave.
    pub candidates: u64,
}

/// What an answer had to do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// There is no text encoder; the words alone were looked for.
    NoEncoder,
    /// Nothing is known of the shopper.
    NoHistory,
    /// Nothing was learned from behaviour yet.
    NoModel,
    /// No weights were learned; ranks were fused with default weights.
    NoLearnedBlend,
    /// No item of the history has a vector to compare.
    NoVectors,
    /// Nobody is known to have chosen of two categories; all categories count alike.
    NoTransitions,
    /// The items of the history have no category; `scope` had no effect.
    NoCategory,
    /// The sources gave fewer than were asked for; the newest items fill up.
    Newest,
}

/// A mean difference with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// How good a blend is on held-out questions it was not learned from: means of NDCG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendFigures {
    /// Held-out questions.
    pub questions: u64,
    /// Places that count.
    pub depth: u64,
    /// Each source alone.
    pub alone: BTreeMap<Source, f64>,
    /// Reciprocal rank fusion with default weights.
    pub rrf: f64,
    /// The learned blend.
    pub learned: f64,
    /// Learned less `rrf`, question by question.
    pub over_rrf: Difference,
    /// Learned less the best source alone, question by question.
    pub over_best_source: Difference,
}

impl BlendFigures {
    /// Whether the learned blend is better than rank fusion and than every source alone by more than chance would make
    /// it: the whole interval of either difference is above 0.
    pub fn beats_others(&self) -> bool {
        self.over_rrf.low > 0.0 && self.over_best_source.low > 0.0
    }
}

/// A learned blend: what it was learned from, what came out, and how good it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendInfo {
    /// Hash of its parameters.
    pub version: String,
    /// When, RFC 3339.
    pub trained_at: String,
    /// Time of the first event it was learned from.
    pub first_event: String,
    /// Events from then on were held out from the models: their choices are what was to be foretold.
    pub held_out_from: String,
    /// Time of the last event.
    pub last_event: String,
    /// Weight of each source; they multiply calibrated scores, so they compare only roughly.
    pub weights: BTreeMap<Source, f32>,
    /// Items of a history at which behaviour counts half of its weight.
    pub user_evidence: f32,
    /// Events with an item at which behaviour counts half of its weight.
    pub item_evidence: f32,
    /// On the half of the questions that it was not learned from.
    pub figures: BlendFigures,
    /// Whether it is used: only where it beats rank fusion and every source alone, and the 95 % intervals of both differences
    /// are above 0.
    pub promoted: bool,
}
