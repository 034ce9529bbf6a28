//! Rankers of a running server.

use serde_json::json;
use vitrine_schemas::{RankerInfo, RankerUpload, RankersResponse, RankingFeatures};

use super::HttpSink;
use crate::sink::SinkError;

impl HttpSink {
    /// Returns the candidates of a search with their ranking features; `depth` at most.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the request.
    pub fn ranking_features(
        &self,
        query: &str,
        depth: usize,
    ) -> Result<RankingFeatures, SinkError> {
        let body = json!({"query": {"text": query}, "limit": depth});
        self.call("POST", "/rankers/features", Some(&body.to_string()))
    }

    /// Stores a ranker; it is activated if it was promoted.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the ranker.
    pub fn store_ranker(&self, ranker: &RankerUpload) -> Result<RankerInfo, SinkError> {
        self.call("POST", "/rankers", Some(&json!(ranker).to_string()))
    }

    /// Returns the stored rankers.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the request.
    pub fn rankers(&self) -> Result<RankersResponse, SinkError> {
        self.call("GET", "/rankers", None)
    }
}
