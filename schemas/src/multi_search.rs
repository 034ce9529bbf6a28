//! Several searches in one request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Problem, SearchRequest, SearchResponse};

/// Body of `POST /v1/multi_search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiSearchRequest {
    /// Searches, 1 to 50.
    #[schema(min_items = 1, max_items = 50)]
    pub searches: Vec<MultiSearch>,
}

/// A search in a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiSearch {
    /// Collection or alias.
    pub collection: String,
    /// The search, as in `POST /v1/collections/{c}/search`.
    pub search: SearchRequest,
}

/// Response of `POST /v1/multi_search`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MultiSearchResponse {
    /// One result per search, in the order of the request.
    pub results: Vec<MultiSearchResult>,
}

/// Result of one search: a response or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MultiSearchResult {
    /// HTTP status that the search alone would have had.
    #[schema(minimum = 200, maximum = 599)]
    pub status: u16,
    /// The response, if the status is 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<SearchResponse>,
    /// The problem, if the status is not 200; pointers refer to the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
