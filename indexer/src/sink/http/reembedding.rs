//! Re-embedding of a running server's collection.

use serde_json::json;
use vitrine_schemas::{
    CollectionInfo, FillRequest, FillResponse, PendingResponse, ReembeddingInfo,
    ReembeddingRequest, ScrollResponse,
};

use super::{HttpSink, percent_encode};
use crate::sink::SinkError;

const ROUTE: &str = "/reembedding";

/// Result of a request.
type Response<T> = Result<T, SinkError>;

impl HttpSink {
    /// Returns the description of the collection.
    ///
    /// # Errors
    /// The collection does not exist, or the server cannot be reached; the same holds for all
    /// methods that follow.
    pub fn info(&self) -> Response<CollectionInfo> {
        self.call("GET", "", None)
    }

    /// Returns the re-embedding in progress.
    ///
    /// # Errors
    /// No re-embedding is in progress.
    pub fn reembedding(&self) -> Response<ReembeddingInfo> {
        self.call("GET", ROUTE, None)
    }

    /// Starts a re-embedding; repeating the same request is not an error.
    ///
    /// # Errors
    /// Another one is in progress, or the server does not have the encoders.
    pub fn begin(&self, request: &ReembeddingRequest) -> Response<ReembeddingInfo> {
        self.call("POST", ROUTE, Some(&json!(request).to_string()))
    }

    /// Returns items that lack vectors of the encoders with this fingerprint.
    ///
    /// # Errors
    /// No re-embedding to or from these encoders is in progress.
    pub fn pending(
        &self,
        fingerprint: &str,
        after: Option<u32>,
        limit: usize,
    ) -> Response<PendingResponse> {
        let fingerprint = percent_encode(fingerprint);
        let mut path = format!("{ROUTE}/pending?fingerprint={fingerprint}&limit={limit}");
        if let Some(after) = after {
            path.push_str(&format!("&after={after}"));
        }
        self.call("GET", &path, None)
    }

    /// Sends vectors of pending items, 1 to 1000.
    ///
    /// # Errors
    /// As [`HttpSink::pending`], or one of the vectors is rejected; then nothing is stored.
    pub fn fill(&self, request: &FillRequest) -> Response<FillResponse> {
        let path = format!("{ROUTE}/vectors");
        self.call("PUT", &path, Some(&json!(request).to_string()))
    }

    /// Switches searches to the new spaces.
    ///
    /// # Errors
    /// Searches would lose items and `force` is false.
    pub fn switch(&self, force: bool) -> Response<ReembeddingInfo> {
        self.call("POST", &format!("{ROUTE}/switch?force={force}"), None)
    }

    /// Switches searches back to the old spaces.
    ///
    /// # Errors
    /// As [`HttpSink::switch`].
    pub fn roll_back(&self, force: bool) -> Response<ReembeddingInfo> {
        self.call("POST", &format!("{ROUTE}/rollback?force={force}"), None)
    }

    /// Drops the inactive spaces.
    ///
    /// # Errors
    /// No re-embedding is in progress.
    pub fn end(&self) -> Response<()> {
        self.call("DELETE", ROUTE, None)
    }

    /// Returns a page of 1000 items without vectors, in the order of their ids; `cursor` is
    /// `next_cursor` of the previous page.
    ///
    /// # Errors
    /// See [`HttpSink::info`].
    pub fn page(&self, cursor: Option<&str>) -> Response<ScrollResponse> {
        let body = json!({"limit": 1000, "cursor": cursor});
        self.call("POST", "/items/scroll", Some(&body.to_string()))
    }

    /// Returns those of at most 1000 ids that exist, without vectors.
    ///
    /// # Errors
    /// See [`HttpSink::info`].
    pub fn items(&self, ids: &[String]) -> Response<ScrollResponse> {
        let body = json!({"limit": 1000, "filter": {"must": [{"has_id": ids}]}});
        self.call("POST", "/items/scroll", Some(&body.to_string()))
    }
}
