//! Requests by filter without a ranking: scroll, count and delete.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FilterSpec, Item, SortSpec};

/// Body of `POST /v1/collections/{c}/items/scroll`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrollRequest {
    /// Filter: only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
    /// Keys that the items are sorted by, at most 8, as in a search; default: by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub sort: Vec<SortSpec>,
    /// Page size, 1 to 1000; defaults to 100.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Return the vectors of the items.
    #[serde(default)]
    pub with_vectors: bool,
}

/// A page of items, sorted by id unless the request sorts them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScrollResponse {
    /// The items.
    pub items: Vec<Item>,
    /// Cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Body of `POST /v1/collections/{c}/items/count`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// Filter: only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
}

/// Response of a count.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountResponse {
    /// Exact number of matching items.
    pub count: u64,
}

/// Body of `POST /v1/collections/{c}/items/delete`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// Filter of the items to delete; an empty filter is rejected.
    pub filter: FilterSpec,
}

/// Response of a deletion by filter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeleteResponse {
    /// Number of deleted items.
    pub deleted: u64,
}
