//! Facets: counts of the matching items by value.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FilterSpec, Scalar};

/// Body of `POST /v1/collections/{c}/facets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetsRequest {
    /// Only count items that match; hidden items are never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// Facets to count, 1 to 50 fields.
    pub facets: Vec<FacetSpec>,
}

/// Facet of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetSpec {
    /// Field: a keyword, boolean, category, number or time.
    pub field: String,
    /// Maximum number of values listed, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Order of the values.
    #[serde(default)]
    pub sort: FacetSort,
    /// Categories: only paths below this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// Categories: number of levels counted, from the top or from `under`.
    #[serde(default = "default_depth")]
    #[schema(minimum = 1, maximum = 16)]
    pub depth: usize,
    /// Numbers and times: ranges to count, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<FacetRange>,
}

fn default_limit() -> usize {
    10
}

fn default_depth() -> usize {
    1
}

/// Order of a facet's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetSort {
    /// Most frequent first, ties by value.
    #[default]
    Count,
    /// By value.
    Value,
}

/// A half-open range of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetRange {
    /// Lower bound, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Scalar>,
    /// Upper bound, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Scalar>,
}

/// Response of `POST /v1/collections/{c}/facets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetsResponse {
    /// Number of items that match.
    pub matching: u64,
    /// One facet per field, in the order of the request.
    pub facets: Vec<Facet>,
}

/// Counts of one field. An item with several values is counted once for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Facet {
    /// The field.
    pub field: String,
    /// Values with counts.
    pub values: Vec<FacetValue>,
    /// Number of values not listed because of the limit.
    pub more_values: u64,
    /// Number of matching items without a value.
    pub missing: u64,
    /// Ranges with counts, in the order of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<FacetRangeCount>,
    /// Numbers and times: minimum value of the matching items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// Numbers and times: maximum value of the matching items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
}

/// Number of items with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// Value; for a category, the full path.
    pub value: String,
    /// Number of matching items.
    pub count: u64,
}

/// Number of items in a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetRangeCount {
    /// The requested range.
    #[serde(flatten)]
    pub range: FacetRange,
    /// Number of matching items.
    pub count: u64,
}
