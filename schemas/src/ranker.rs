//! Rankers: models trained on judgments or clicks that rank the first hits of a search again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Difference, SearchMode};

/// A regression tree: the nodes as columns, the root first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankerTree {
    /// Index of the feature that a node tests; 0 in a leaf.
    pub feature: Vec<u16>,
    /// Values up to the threshold go left.
    pub threshold: Vec<f32>,
    /// Index of the left child; 0 in a leaf.
    pub left: Vec<u32>,
    /// Index of the right child; 0 in a leaf.
    pub right: Vec<u32>,
    /// Output of a leaf; in an inner node, the mean output of the training candidates below it.
    pub value: Vec<f32>,
}

/// A ranking function: the sum of the outputs of regression trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankerModel {
    /// Version of the definition of the features.
    pub feature_version: u32,
    /// Names of the features that the trees refer to by index.
    pub features: Vec<String>,
    /// Retrieval mode of the searches that it was trained on; it ranks searches of this mode.
    pub mode: SearchMode,
    /// Number of candidates that are ranked.
    pub depth: usize,
    /// The trees.
    pub trees: Vec<RankerTree>,
}

/// Source of the relevance that a ranker is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankerSource {
    /// Relevance judgments.
    Judgments,
    /// Clicks and purchases of searches, corrected for position bias.
    SearchEvents,
}

/// Training data and settings of a ranker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankerTraining {
    /// Source of the relevance.
    pub source: RankerSource,
    /// Number of queries.
    pub queries: u64,
    /// Number of candidates.
    pub candidates: u64,
    /// Number of candidates with a relevance above 0.
    pub relevant: u64,
    /// Settings of the training.
    pub parameters: BTreeMap<String, f64>,
    /// Share of the gain of all splits, by feature.
    pub importance: BTreeMap<String, f64>,
    /// Duration in seconds.
    pub seconds: f64,
}

/// Quality of a ranker on queries that it was not trained on: mean nDCG@10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankerFigures {
    /// Number of queries.
    pub queries: u64,
    /// Number of folds: each was ranked by a model trained on the others.
    pub folds: u64,
    /// nDCG@10 without the ranker.
    pub before: f64,
    /// nDCG@10 with the ranker.
    pub after: f64,
    /// Paired difference.
    pub gain: Difference,
}

impl RankerFigures {
    /// Returns true if the ranker is significantly better: the interval of the gain is above 0.
    pub fn is_better(&self) -> bool {
        self.gain.low > 0.0
    }
}

/// Body of `POST /v1/collections/{c}/rankers`: a trained ranker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankerUpload {
    /// The ranking function.
    pub model: RankerModel,
    /// Training data and settings.
    pub training: RankerTraining,
    /// Quality on held-out queries.
    pub figures: RankerFigures,
}

/// A stored ranker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankerInfo {
    /// Version, counted from 1.
    pub version: u64,
    /// True if searches are ranked by it.
    pub active: bool,
    /// True if it was better on held-out queries: the interval of its gain is above 0. Only then is
    /// it activated when it is stored.
    pub promoted: bool,
    /// Time when it was stored, RFC 3339.
    pub stored_at: String,
    /// Retrieval mode of the searches that it ranks.
    pub mode: SearchMode,
    /// Number of candidates that it ranks.
    pub depth: usize,
    /// Version of the definition of the features. A ranker of another version than the server's
    /// ranks nothing: train it again.
    pub feature_version: u32,
    /// Number of trees.
    pub trees: u64,
    /// Training data and settings.
    pub training: RankerTraining,
    /// Quality on held-out queries.
    pub figures: RankerFigures,
}

/// Response of `GET /v1/collections/{c}/rankers`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankersResponse {
    /// Version of the active ranker; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<u64>,
    /// Rankers, newest first.
    pub rankers: Vec<RankerInfo>,
}

/// Response of `GET /v1/collections/{c}/rankers/{version}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankerResponse {
    /// Training data and quality.
    pub info: RankerInfo,
    /// The ranking function.
    pub model: RankerModel,
}

/// Candidates of a search before reranking, with their features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankingFeatures {
    /// Version of the definition of the features.
    pub feature_version: u32,
    /// Names of the features.
    pub features: Vec<String>,
    /// Retrieval mode of the search.
    pub mode: SearchMode,
    /// Candidates, best first.
    pub candidates: Vec<FeatureRow>,
}

/// Features of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeatureRow {
    /// Item id.
    pub id: String,
    /// Value of each feature.
    pub values: Vec<f32>,
}
