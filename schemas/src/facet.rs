//! Facets: how many of the matching items have which value.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FilterSpec, Scalar};

/// Body of `POST /v1/collections/{c}/facets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetsRequest {
    /// Only items that match; hidden ones never count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// What to count, 1 to 50 fields.
    pub facets: Vec<FacetSpec>,
}

/// What to count of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetSpec {
    /// Field: keyword, bool, category, or a number or time.
    pub field: String,
    /// Most values listed, 1 to 1000.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Order of the values.
    #[serde(default)]
    pub sort: FacetSort,
    /// Categories: only what lies below this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// Categories: how many levels are counted, from the top or from `under`.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 16)]
    pub depth: usize,
    /// Numbers and times: ranges to count, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<FacetRange>,
}

fn ten() -> usize {
    10
}

fn one() -> usize {
    1
}

/// Order of a facet's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetSort {
    /// The most frequent first, equals in the order of values.
    #[default]
    Count,
    /// In the order of values.
    Value,
}

/// From a bound, included, to another, not included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetRange {
    /// The least value that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Scalar>,
    /// The least value that no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Scalar>,
}

/// Answer of `POST /v1/collections/{c}/facets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetsResponse {
    /// Items that match.
    pub matching: u64,
    /// One a field, in the order asked.
    pub facets: Vec<Facet>,
}

/// Counts of one field. An item with several values counts once for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Facet {
    /// The field.
    pub field: String,
    /// Values and their items.
    pub values: Vec<FacetValue>,
    /// Values that were not listed for the limit.
    pub more_values: u64,
    /// Matching items without any value.
    pub missing: u64,
    /// Ranges and their items, in the order asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<FacetRangeCount>,
    /// Numbers and times: the least value of the matching items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// Numbers and times: the greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
}

/// A value and how many items have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// Value; of a category the whole path.
    pub value: String,
    /// Matching items.
    pub count: u64,
}

/// A range and how many items lie in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetRangeCount {
    /// As asked.
    #[serde(flatten)]
    pub range: FacetRange,
    /// Matching items.
    pub count: u64,
}
