//! Rank of a hit by a ranker, and its causes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Group of ranking features.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeatureGroup {
    /// Score and rank by full-text search.
    Lexical,
    /// Score and rank by vector search.
    Dense,
    /// Score and rank of the blend before reranking.
    Blend,
    /// Words of the query in the title.
    Title,
    /// Words of the query in the other texts.
    Texts,
    /// Agreement with the first candidates: their words, category, brand and vectors.
    Agreement,
    /// Price, availability, age and rating of the item.
    Item,
    /// Popularity and number of events.
    Behavior,
    /// Properties of the query, the same for all candidates.
    Query,
}

/// The ranker of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RankerUse {
    /// Version of the ranker.
    pub version: u64,
    /// Number of candidates that it ranked.
    pub candidates: u64,
}

/// Rank of a hit by the ranker, with the causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HitRanking {
    /// Rank before reranking, from 1.
    pub rank_before: u64,
    /// Score by the ranker: the sum of `base` and the contributions. It orders candidates of one
    /// search only.
    pub score: f32,
    /// Mean score of the training candidates.
    pub base: f32,
    /// Contribution of each group of features to the score, along the paths through the trees
    /// (Saabas 2014).
    pub contributions: BTreeMap<FeatureGroup, f32>,
}
