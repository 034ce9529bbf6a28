//! Diversification: limits on similarity among the hits of a page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Result diversification. Hits are then returned in the order of selection, not by score.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiversifySpec {
    /// Maximal marginal relevance: weight of the score, 0 to 1, against similarity to hits selected
    /// before. 0.7 is a good start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub mmr: Option<f32>,
    /// Vector space in which similarity is measured. Default: the space searched, or the only one,
    /// or `shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Maximum number of hits with the same value, by field: `category`, `brand` or a keyword
    /// attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_per: BTreeMap<String, usize>,
    /// Greatest similarity of a hit to another one, -1 to 1: hits that are more similar to a better
    /// one, such as copies of a story, are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -1, maximum = 1)]
    pub max_similarity: Option<f32>,
    /// Field to group by: only the best hit of each value is returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
}

/// Effect of diversification on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiversityUse {
    /// Number of candidates that the page was selected from.
    pub candidates: u64,
    /// Number of hits above a quota, because there were too few others.
    pub relaxed: u64,
    /// Number of candidates left out because they are too similar to a better hit.
    #[serde(default)]
    pub near_duplicates: u64,
}

/// The group that a hit represents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Value of the field.
    pub value: String,
    /// Number of eligible items with this value.
    pub size: u64,
}
