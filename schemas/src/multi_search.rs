//! Several searches in one request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Problem, SearchRequest, SearchResponse};

/// Body of `POST /v1/multi_search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiSearchRequest {
    /// The searches, 1 to 50.
    #[schema(min_items = 1, max_items = 50)]
    pub searches: Vec<MultiSearch>,
}

/// A search and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiSearch {
    /// Collection or alias.
    pub collection: String,
    /// As the body of `POST /v1/collections/{c}/search`.
    pub search: SearchRequest,
}

/// Answer of `POST /v1/multi_search`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MultiSearchResponse {
    /// One a search, in the order asked.
    pub results: Vec<MultiSearchResult>,
}

/// What one of several searches came to: an answer or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MultiSearchResult {
    /// HTTP status that it would have had alone.
    #[schema(minimum = 200, maximum = 599)]
    pub status: u16,
    /// Its answer, where the status is 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<SearchResponse>,
    /// What went wrong, where it is not; pointers are into the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
