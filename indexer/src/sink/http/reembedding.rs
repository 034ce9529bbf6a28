//! The re-embedding of a running server's collection.

use serde_json::json;
use vitrine_schemas::{
    CollectionInfo, FillRequest, FillResponse, PendingResponse, ReembeddingInfo,
    ReembeddingRequest, ScrollResponse,
};

use super::{HttpSink, percent_encode};
use crate::sink::SinkError;

const PATH: &str = "/reembedding";

/// Result of a request.
type Answer<T> = Result<T, SinkError>;

impl HttpSink {
    /// What the collection is.
    ///
    /// # Errors
    /// It is not there, or the server cannot be reached. So for all that follow.
    pub fn info(&self) -> Answer<CollectionInfo> {
        self.call("GET", "", None)
    }

    /// The re-embedding under way.
    ///
    /// # Errors
    /// None is.
    pub fn reembedding(&self) -> Answer<ReembeddingInfo> {
        self.call("GET", PATH, None)
    }

    /// Begins a re-embedding; the same again is no error.
    ///
    /// # Errors
    /// Another one is under way, or the server does not have the encoders.
    pub fn begin(&self, request: &ReembeddingRequest) -> Answer<ReembeddingInfo> {
        self.call("POST", PATH, Some(&json!(request).to_string()))
    }

    /// Items that lack vectors of the encoders with this fingerprint.
    ///
    /// # Errors
    /// No re-embedding to or from these encoders is under way.
    pub fn pending(
        &self,
        fingerprint: &str,
        after: Option<u32>,
        limit: usize,
    ) -> Answer<PendingResponse> {
        let fingerprint = percent_encode(fingerprint);
        let mut path = format!("{PATH}/pending?fingerprint={fingerprint}&limit={limit}");
        if let Some(after) = after {
            path.push_str(&format!("&after={after}"));
        }
        self.call("GET", &path, None)
    }

    /// Sends vectors of pending items, 1 to 1000.
    ///
    /// # Errors
    /// As [`HttpSink::pending`], or one of them is refused; nothing is stored then.
    pub fn fill(&self, request: &FillRequest) -> Answer<FillResponse> {
        let path = format!("{PATH}/vectors");
        self.call("PUT", &path, Some(&json!(request).to_string()))
    }

    /// Has searches see the new spaces.
    ///
    /// # Errors
    /// Searches would lose items and `force` does not say that they may.
    pub fn switch(&self, force: bool) -> Answer<ReembeddingInfo> {
        self.call("POST", &format!("{PATH}/switch?force={force}"), None)
    }

    /// Has searches see the spaces from before the switch.
    ///
    /// # Errors
    /// As [`HttpSink::switch`].
    pub fn roll_back(&self, force: bool) -> Answer<ReembeddingInfo> {
        self.call("POST", &format!("{PATH}/rollback?force={force}"), None)
    }

    /// Drops the spaces that searches do not see.
    ///
    /// # Errors
    /// No re-embedding is under way.
    pub fn end(&self) -> Answer<()> {
        self.call("DELETE", PATH, None)
    }

    /// A page of 1000 items without vectors, in the order of their ids; `cursor` is `next_cursor` of the page before.
    ///
    /// # Errors
    /// See [`HttpSink::info`].
    pub fn page(&self, cursor: Option<&str>) -> Answer<ScrollResponse> {
        let body = json!({"limit": 1000, "cursor": cursor});
        self.call("POST", "/items/scroll", Some(&body.to_string()))
    }

    /// Those of at most 1000 ids that are there, without vectors.
    ///
    /// # Errors
    /// See [`HttpSink::info`].
    pub fn items(&self, ids: &[String]) -> Answer<ScrollResponse> {
        let body = json!({"limit": 1000, "filter": {"must": [{"has_id": ids}]}});
        self.call("POST", "/items/scroll", Some(&body.to_string()))
    }
}
