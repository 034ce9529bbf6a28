//! What a query means.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Filter, Range};

/// Body of `POST /v1/collections/{c}/understand`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderstandRequest {
    /// What a shopper typed or said, in English or Chinese.
    pub text: String,
    /// Fields that nothing is taken out for (`color`, `price`): what is said of them stays in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// A query as it was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnderstandResponse {
    /// What is left to search by; may be empty.
    pub text: String,
    /// What was taken out, as a filter.
    pub filter: Filter,
    /// What was taken out, piece by piece, in the order of the query.
    pub parts: Vec<UnderstoodPart>,
}

/// A piece of a query that became a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnderstoodPart {
    /// The words, as written.
    pub words: String,
    /// Where they begin, in characters.
    pub start: u64,
    /// Where they end, in characters.
    pub end: u64,
    /// The field.
    pub field: String,
    /// Values of the field that are meant; empty for a price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Bounds of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Not wanted.
    pub negated: bool,
}
