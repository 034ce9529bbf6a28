//! Online sink: a running server, through its public API. Transient errors (the server restarts or
//! is busy) are retried.

mod rankers;
mod reembedding;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vitrine_schemas::{
    CollectionConfig, CollectionInfo, DeleteResponse, Event, EventResult, EventsResponse, Item,
    ScrollResponse, SearchResponse, WriteResponse, WriteResult, WriteStatus,
};

use super::{EventSink, Outcomes, Sink, SinkError, Written, missing};

/// Time for which transient errors are retried.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// Minimum and maximum pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Size of items sent at once in bytes, a quarter of the server's default limit.
const MAX_BODY: usize = 8 << 20;

/// Maximum size of a response in bytes, below that of a page of 1000 items of 2 MiB each, which
/// indexing never requests.
const MAX_RESPONSE: u64 = 1 << 30;

/// Collection of a running server.
#[derive(Clone)]
pub struct HttpSink {
    agent: ureq::Agent,
    collection: String,
    /// URL of the server.
    base: String,
    /// URL of the collection.
    url: String,
    key: Option<String>,
    retry_for: Duration,
}

/// Error of one attempt.
enum Failure {
    /// Transient: retried, not before the time that the server asked for.
    Transient {
        detail: String,
        wait: Option<Duration>,
    },
    Final(SinkError),
}

impl HttpSink {
    /// Creates a sink for `collection` of the server at `url`, such as `http://localhost:7280`.
    pub fn new(url: &str, collection: &str, key: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        let (base, name) = (url.trim_end_matches('/'), percent_encode(collection));
        Self {
            agent: config.into(),
            collection: collection.to_owned(),
            base: base.to_owned(),
            url: format!("{base}/v1/collections/{name}"),
            key,
            retry_for: RETRY_FOR,
        }
    }

    /// Searches the collection; `body` is that of `POST .../search`.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the request.
    pub fn search(&self, body: &Value) -> Result<SearchResponse, SinkError> {
        self.call("POST", "/search", Some(&body.to_string()))
    }

    /// Returns a setting of the collection; `kind` is the last segment of its URL, such as `rules`.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the request.
    pub fn setting<T: DeserializeOwned>(&self, kind: &str) -> Result<T, SinkError> {
        self.call("GET", &format!("/{kind}"), None)
    }

    /// Replaces all settings of a kind.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects the request.
    pub fn put_setting(&self, kind: &str, body: &Value) -> Result<(), SinkError> {
        let path = format!("/{kind}");
        self.call::<Value>("PUT", &path, Some(&body.to_string()))?;
        Ok(())
    }

    /// Sends a request to a path below the collection's URL.
    fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&str>,
    ) -> Result<T, SinkError> {
        self.send(method, format!("{}{path}", self.url), body)
    }

    /// Sends a request until it succeeds, fails permanently, or the time for retries is over.
    fn send<T: DeserializeOwned>(
        &self,
        method: &'static str,
        url: String,
        body: Option<&str>,
    ) -> Result<T, SinkError> {
        let started = Instant::now();
        let [mut pause, longest] = PAUSES;
        loop {
            let (detail, wait) = match self.attempt(method, &url, body) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient { detail, wait }) => (detail, wait.unwrap_or(pause)),
            };
            if started.elapsed() + wait > self.retry_for {
                return Err(SinkError::Unreachable { url, detail });
            }
            tracing::warn!(%url, %detail, "retrying");
            thread::sleep(wait);
            pause = (pause * 2).min(longest);
        }
    }

    fn attempt<T: DeserializeOwned>(
        &self,
        method: &'static str,
        url: &str,
        body: Option<&str>,
    ) -> Result<T, Failure> {
        let protocol = |detail: String| {
            let url = url.to_owned();
            Failure::Final(SinkError::Protocol {
                method,
                url,
                detail,
            })
        };
        let failed = |error: ureq::Error| match error {
            ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_) => Failure::Transient {
                detail: error.to_string(),
                wait: None,
            },
            other => protocol(other.to_string()),
        };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(body.unwrap_or_default())
            .map_err(|e| protocol(e.to_string()))?;
        let mut answer = self.agent.run(request).map_err(failed)?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after");
        let wait = wait.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let content = answer.body_mut().with_config().limit(MAX_RESPONSE);
        let text = content.read_to_string().map_err(failed)?;
        match status {
            // A response without a body is that of a request without a result.
            200..300 => {
                serde_json::from_str(if text.is_empty() { "null" } else { &text }).map_err(|e| {
                    protocol(format!(
                        "unexpected response, is this a Vitrine server? {e}"
                    ))
                })
            }
            429 | 502..=504 => Err(Failure::Transient {
                detail: format!("{status}: {}", detail(status, &text)),
                wait: wait.map(Duration::from_secs),
            }),
            _ => Err(Failure::Final(SinkError::Rejected {
                method,
                url: url.to_owned(),
                status,
                pointer: pointer(&text),
                detail: detail(status, &text),
            })),
        }
    }

    fn put(&self, items: &[String]) -> Result<Vec<WriteResult>, SinkError> {
        let body = format!("[{}]", items.join(","));
        let answer: WriteResponse = self.call("PUT", "/items", Some(&body))?;
        let url = format!("{}/items", self.url);
        check_count("PUT", url, items.len(), answer.results)
    }

    fn post(&self, events: &[String]) -> Result<Vec<EventResult>, SinkError> {
        let body = format!("[{}]", events.join(","));
        let url = format!("{}/v1/events", self.base);
        let answer: EventsResponse = self.send("POST", url.clone(), Some(&body))?;
        check_count("POST", url, events.len(), answer.results)
    }
}

/// Returns the results, if there is one for each record sent.
fn check_count<T>(
    method: &'static str,
    url: String,
    sent: usize,
    results: Vec<T>,
) -> Result<Vec<T>, SinkError> {
    if results.len() == sent {
        return Ok(results);
    }
    let detail = format!("expected {sent} results, got {}", results.len());
    Err(SinkError::Protocol {
        method,
        url,
        detail,
    })
}

/// Returns each record as JSON.
fn as_json<T: serde::Serialize>(url: &str, records: &[T]) -> Result<Vec<String>, SinkError> {
    let json = records.iter().map(serde_json::to_string);
    json.collect::<Result<_, _>>()
        .map_err(|e| SinkError::Protocol {
            method: "PUT",
            url: url.to_owned(),
            detail: e.to_string(),
        })
}

/// Returns the `detail` of a problem, or the text itself, with a hint for errors of authorization.
fn detail(status: u16, text: &str) -> String {
    let problem: Option<Value> = serde_json::from_str(text).ok();
    let detail = problem.as_ref().and_then(|p| p["detail"].as_str());
    let detail: String = detail.unwrap_or(text).chars().take(500).collect();
    match status {
        401 | 403 => format!("{detail} (set the key with --api-key or VITRINE_API_KEY)"),
        _ => detail,
    }
}

/// Returns the first field that a problem names.
fn pointer(text: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(text).ok()?;
    Some(problem["errors"][0]["pointer"].as_str()?.to_owned())
}

/// Encodes a path segment (RFC 3986).
fn percent_encode(name: &str) -> String {
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a string cannot fail. Dots are encoded too: `..` would be another path.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Splits into batches of at most `max_bytes` bytes, or of one item.
fn batches(items: &[String], max_bytes: usize) -> impl Iterator<Item = &[String]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fits = |item: &&String| {
            size += item.len() + 1;
            size <= max_bytes
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (batch, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(batch)
    })
}

impl Sink for HttpSink {
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError> {
        let info: CollectionInfo = match self.call("GET", "", None) {
            Err(SinkError::Rejected { status: 404, .. }) => {
                self.call("PUT", "", Some(&json!(wanted).to_string()))
            }
            other => other,
        }?;
        let Some(patch) = missing(&self.collection, &info.config, wanted)? else {
            return Ok(info.config);
        };
        let patched: CollectionInfo = self.call("PATCH", "", Some(&json!(patch).to_string()))?;
        Ok(patched.config)
    }

    fn hashes(&self, ids: &[String]) -> Result<HashMap<String, String>, SinkError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let body = json!({"filter": {"must": [{"has_id": ids}]}, "limit": ids.len()});
        let page: ScrollResponse = self.call("POST", "/items/scroll", Some(&body.to_string()))?;
        let hash = |item: Item| Some((item.id, item.content_hash?));
        Ok(page.items.into_iter().filter_map(hash).collect())
    }

    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError> {
        let items = as_json(&self.url, &items)?;
        let mut outcomes = Outcomes::with_capacity(items.len());
        for part in batches(&items, MAX_BODY) {
            outcomes.extend(
                self.put(part)?
                    .into_iter()
                    .map(|result| match result.status {
                        WriteStatus::Created => Ok(Written::Created),
                        WriteStatus::Updated => Ok(Written::Updated),
                        WriteStatus::Rejected => {
                            Err(result.error.unwrap_or_else(|| "rejected".to_owned()))
                        }
                    }),
            );
        }
        Ok(outcomes)
    }

    fn ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SinkError> {
        let body = json!({"limit": limit, "cursor": after});
        let page: ScrollResponse = self.call("POST", "/items/scroll", Some(&body.to_string()))?;
        Ok(page.items.into_iter().map(|item| item.id).collect())
    }

    fn delete(&mut self, ids: &[String]) -> Result<u64, SinkError> {
        let body = json!({"filter": {"must": [{"has_id": ids}]}});
        let answer: DeleteResponse = self.call("POST", "/items/delete", Some(&body.to_string()))?;
        Ok(answer.deleted)
    }
}

impl EventSink for HttpSink {
    fn check(&self) -> Result<(), SinkError> {
        self.call::<CollectionInfo>("GET", "", None)?;
        Ok(())
    }

    fn append(&mut self, events: &[Event]) -> Result<Vec<EventResult>, SinkError> {
        let events = as_json(&self.base, events)?;
        let mut results = Vec::with_capacity(events.len());
        for part in batches(&events, MAX_BODY) {
            results.extend(self.post(part)?);
        }
        Ok(results)
    }
}
