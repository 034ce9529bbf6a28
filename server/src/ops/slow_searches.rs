//! Log of slow searches.

use std::time::{Duration, Instant};

use prometheus::IntCounter;
use vitrine_schemas::{Query, SearchRequest, SearchResponse};

use crate::error::current_request_id;

/// Maximum number of characters of a query that are logged.
const MAX_TEXT_CHARS: usize = 200;

/// Logs searches that take long, with what they asked for and how they were answered.
pub struct SlowSearches {
    /// Time from which on a search is slow; None if none are logged.
    limit: Option<Duration>,
    counter: IntCounter,
}

/// A search that runs.
pub struct RunningSearch {
    started: Instant,
    kind: &'static str,
    text: String,
    filter: bool,
    facets: usize,
    limit: usize,
    offset: usize,
}

impl SlowSearches {
    /// Logs searches that take at least `limit`, and counts them.
    pub fn new(limit: Option<Duration>, counter: IntCounter) -> Self {
        Self { limit, counter }
    }

    /// Begins to measure a search; None if none are logged.
    pub fn begin(&self, request: &SearchRequest) -> Option<RunningSearch> {
        self.limit?;
        let text = request.text().unwrap_or_default();
        let (kind, text) = match &request.query {
            Some(Query::Text(_)) => ("text", text),
            Some(Query::Vector(_)) => ("vector", text),
            Some(Query::Item(id)) => ("item", id.as_str()),
            Some(Query::Image(_)) => ("image", text),
            Some(Query::Audio(_)) => ("audio", text),
            None => ("none", text),
        };
        Some(RunningSearch {
            started: Instant::now(),
            kind,
            text: text.chars().take(MAX_TEXT_CHARS).collect(),
            filter: request.filter.is_some(),
            facets: request.facets.len(),
            limit: request.limit,
            offset: request.offset,
        })
    }

    /// Logs a search that ends now, if it was slow; `answer` is None if it failed.
    pub fn end(
        &self,
        search: Option<RunningSearch>,
        collection: &str,
        answer: Option<&SearchResponse>,
    ) {
        let (Some(search), Some(limit)) = (search, self.limit) else {
            return;
        };
        let took = search.started.elapsed();
        if took < limit {
            return;
        }
        self.counter.inc();
        let total = answer.and_then(|answer| answer.total.as_ref());
        tracing::warn!(
            target: "vitrine_server::slow_search",
            collection,
            ms = took.as_millis() as u64,
            plan = answer.map_or("failed", |answer| answer.plan.as_str()),
            total = total.map(|total| total.value),
            query = search.kind,
            text = search.text,
            filter = search.filter,
            facets = search.facets,
            limit = search.limit,
            offset = search.offset,
            request_id = current_request_id(),
            "slow search"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SearchRequest {
        serde_json::from_str(r#"{"query": {"text": "red shoes"}}"#).expect("a request")
    }

    #[test]
    fn only_searches_over_the_limit_are_counted() {
        for (limit, expected) in [
            (None, 0),
            (Some(Duration::from_secs(3_600)), 0),
            (Some(Duration::ZERO), 1),
        ] {
            let counter = IntCounter::new("slow", "-").expect("a counter");
            let log = SlowSearches::new(limit, counter.clone());
            let running = log.begin(&request());
            assert_eq!(running.is_some(), limit.is_some());
            log.end(running, "shop", None);
            assert_eq!(counter.get(), expected, "{limit:?}");
        }
    }
}
