//! Pages that are not ten times the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How unlike each other the hits of a page shall be. Hits then come in the order they were chosen, not of their scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiversifySpec {
    /// Maximal marginal relevance: weight of the score, 0 to 1, against likeness to what was chosen before. 0.7 is a good
    /// start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub mmr: Option<f32>,
    /// Vector space that likeness is measured in; the one searched, or the only one, or `shared` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// At most so many hits that share a value, by field: `category`, `brand` or an attribute of keywords.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_per: BTreeMap<String, usize>,
    /// Only the best hit of each value of this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
}

/// What diversity did to a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiversityUse {
    /// Candidates it was chosen from.
    pub candidates: u64,
    /// Hits over a quota: there were too few others.
    pub relaxed: u64,
}

/// The group a hit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Value of the field.
    pub value: String,
    /// Items that may be shown with this value.
    pub size: u64,
}
