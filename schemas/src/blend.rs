//! Blend: combination of the scores of several candidate sources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Candidate source.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Vector search: items near to the query.
    Query,
    /// Full-text search: items with the terms of the query.
    Lexical,
    /// Item neighbors: items that the same users chose.
    Behavior,
    /// Similar sessions (session-kNN): items of users with similar recent choices; anonymous
    /// sessions count on their own.
    Session,
    /// Items with vectors near to those of the history.
    Content,
    /// Popular items.
    Popularity,
    /// Category-to-category transition probability.
    Transition,
    /// Newest items, if the other sources have too few.
    Newest,
    /// Score changes by merchandising rules; has no weight.
    Rules,
    /// Score changes by the ranker; has no weight.
    Ranker,
    /// Sequential rules: items chosen soon after those of the history.
    Sequence,
    /// Network trained on sequences of choices (GRU); only where it was promoted.
    Network,
    /// Newest items of the authors that the user follows.
    Following,
    /// Decay of scores with the age of an item; has no weight.
    Freshness,
}

impl Source {
    /// All sources, in order.
    pub const VARIANTS: [Self; 14] = [
        Self::Query,
        Self::Lexical,
        Self::Behavior,
        Self::Session,
        Self::Content,
        Self::Popularity,
        Self::Transition,
        Self::Newest,
        Self::Rules,
        Self::Ranker,
        Self::Sequence,
        Self::Network,
        Self::Following,
        Self::Freshness,
    ];

    /// Returns true if the source changes scores but finds no items; it has no weight.
    pub fn is_adjustment(self) -> bool {
        matches!(self, Self::Rules | Self::Ranker | Self::Freshness)
    }

    /// Returns true if the source is based on behavior, so that its weight depends on evidence.
    pub fn is_behavior(self) -> bool {
        matches!(
            self,
            Self::Behavior | Self::Session | Self::Sequence | Self::Network
        )
    }
}

/// Method for combining the scores of several sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlendMethod {
    /// Weighted reciprocal rank fusion, k = 60.
    Rrf,
    /// Learned from held-out events.
    Learned,
    /// Calibrated scores times the weights of the request.
    Weighted,
}

/// Blend requested. Default: the learned blend if there is one, else reciprocal rank fusion; in a
/// hybrid search without a shopper's history, a weighted sum of full-text and vector scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlendSpec {
    /// Method. Default: `weighted` if weights are given, else `learned` if there is a learned
    /// blend, else `rrf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<BlendMethod>,
    /// Weight of each source, 0 to 1000; other sources are not used. Only with `rrf` or `weighted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<Source, f32>>,
}

/// Blend used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendUse {
    /// Method.
    pub method: BlendMethod,
    /// Version of the learned blend, if it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Contribution of a source to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// The source.
    pub source: Source,
    /// Rank of the item in the list of the source, from 1; absent if only other sources found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u64>,
    /// Score of the item by the source.
    pub raw: f32,
    /// Summand of the total score.
    pub score: f32,
}

/// Use of a source in a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceUse {
    /// The source.
    pub source: Source,
    /// Weight in this response.
    pub weight: f32,
    /// Number of candidates.
    pub candidates: u64,
}

/// Fallback used in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// There is no text encoder, or none for the space; only full-text search was used.
    NoEncoder,
    /// The user or session has no events.
    NoHistory,
    /// No model has been trained.
    NoModel,
    /// No blend has been learned; reciprocal rank fusion with default weights was used.
    NoLearnedBlend,
    /// No item of the history has a vector.
    NoVectors,
    /// There are no category transitions; all categories have the same weight.
    NoTransitions,
    /// The items of the history have no category; `scope` had no effect.
    NoCategory,
    /// The sources had too few candidates; the newest items were added.
    Newest,
    /// No item met the conditions of the text: it was searched as it stands, without filter and
    /// order.
    UnderstoodFilter,
}

/// A mean difference with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// Mean.
    pub mean: f64,
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// Quality of a blend on held-out choices that it was not learned from: mean NDCG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendFigures {
    /// Number of held-out choices.
    pub questions: u64,
    /// Depth of NDCG: number of ranks that count.
    pub depth: u64,
    /// NDCG of each source alone.
    pub alone: BTreeMap<Source, f64>,
    /// NDCG of reciprocal rank fusion with default weights.
    pub rrf: f64,
    /// NDCG of the learned blend.
    pub learned: f64,
    /// Paired difference of the learned blend and `rrf`.
    pub over_rrf: Difference,
    /// Paired difference of the learned blend and the best single source.
    pub over_best_source: Difference,
}

impl BlendFigures {
    /// Returns true if the learned blend is significantly better than rank fusion and than every
    /// single source: the intervals of both differences are above 0.
    pub fn beats_others(&self) -> bool {
        self.over_rrf.low > 0.0 && self.over_best_source.low > 0.0
    }
}

/// A learned blend: training data, weights and quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlendInfo {
    /// Version: hash of the parameters.
    pub version: String,
    /// Time of the training, RFC 3339.
    pub trained_at: String,
    /// Time of the first training event.
    pub first_event: String,
    /// Start of the held-out events, whose choices the blend was trained to predict.
    pub held_out_from: String,
    /// Time of the last event.
    pub last_event: String,
    /// Weight of each source; weights multiply calibrated scores, so they are only roughly
    /// comparable.
    pub weights: BTreeMap<Source, f32>,
    /// History length at which behavior has half of its weight.
    pub user_evidence: f32,
    /// Number of events of an item at which behavior has half of its weight.
    pub item_evidence: f32,
    /// Quality on the half of the held-out choices that it was not learned from.
    pub figures: BlendFigures,
    /// True if it is used: it beats rank fusion and every single source, and the 95 % intervals of
    /// both differences are above 0.
    pub promoted: bool,
}
