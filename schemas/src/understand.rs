//! Query understanding.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Filter, Range, SortKey};

/// Body of `POST /v1/collections/{c}/understand`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderstandRequest {
    /// Query text in English, Chinese or German.
    pub text: String,
    /// Fields that are not extracted, such as `color` or `price`: their words stay in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// Interpretation of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnderstandResponse {
    /// Remaining search text; may be empty.
    pub text: String,
    /// Extracted conditions as a filter.
    pub filter: Filter,
    /// Order of the hits that the text asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortKey>,
    /// Extracted conditions, in the order of the query.
    pub parts: Vec<UnderstoodPart>,
    /// Uncertain conditions, which are not in the filter: their words stay in the text, and a
    /// search ranks items that meet them higher.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred: Vec<UnderstoodPart>,
}

/// Part of a query that became a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnderstoodPart {
    /// Words of the query.
    pub words: String,
    /// Start of the words, in characters.
    pub start: u64,
    /// End of the words, in characters.
    pub end: u64,
    /// Field of the condition, or `sort`.
    pub field: String,
    /// Values of the condition; empty for a range and an order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Range of the price or of another number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Order of the hits; its `field` is `sort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortKey>,
    /// True if the condition excludes items.
    pub negated: bool,
}
