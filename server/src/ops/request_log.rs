//! Access log and audit log: one JSON object per request, in files of their own.
//!
//! The audit log has every change and every request that was refused for its key. The access log
//! has all requests. Lines are written by a thread; a request does not wait for the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use actix_web::http::StatusCode;
use prometheus::IntCounter;
use serde::Serialize;

use crate::auth::Action;

/// Lines that wait for the disk; more are dropped and counted.
const MAX_WAITING_LINES: usize = 10_000;

/// Time after which lines are in the file.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// Route of high volume that the audit log leaves out.
const EVENTS: &str = "/v1/events";

/// A request and its answer.
#[derive(Serialize)]
pub struct RequestLine<'a> {
    /// Time, RFC 3339.
    pub time: &'a str,
    /// Id of the request, also in the server log.
    pub request_id: &'a str,
    /// Name of the key; None without one.
    pub key: Option<&'a str>,
    /// Address of the client, or of the proxy.
    pub client: Option<&'a str>,
    /// Method.
    pub method: &'a str,
    /// Path without the query string.
    pub path: &'a str,
    /// Pattern of the route.
    pub route: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Milliseconds until the head of the answer.
    pub ms: f64,
}

/// Files that get a line per request.
#[derive(Default)]
pub struct RequestLog {
    access: Option<JsonLines>,
    audit: Option<JsonLines>,
}

impl RequestLog {
    /// Opens the files that are configured; `dropped` counts lines that are not written.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn open(
        access: Option<&Path>,
        audit: Option<&Path>,
        dropped: &IntCounter,
    ) -> Result<Self, String> {
        let open = |setting: &str, path: Option<&Path>| {
            let opened = path.map(|path| JsonLines::open(path, dropped.clone()));
            let opened = opened.transpose();
            opened.map_err(|e| {
                format!(
                    "log.{setting}: {}: {e}",
                    path.unwrap_or(Path::new("")).display()
                )
            })
        };
        Ok(Self {
            access: open("access_file", access)?,
            audit: open("audit_file", audit)?,
        })
    }

    /// Returns true if requests are logged.
    pub fn is_on(&self) -> bool {
        self.access.is_some() || self.audit.is_some()
    }

    /// Writes a request to the logs that it belongs to.
    /// `action` is the one that a key needed for it; None if it needed none.
    pub fn write(&self, action: Option<Action>, line: &RequestLine<'_>) {
        if let Some(log) = &self.access {
            log.write(line);
        }
        if let Some(log) = self.audit.as_ref().filter(|_| is_audited(action, line)) {
            log.write(line);
        }
    }
}

/// Returns true for changes and for requests that were refused for their key or origin.
fn is_audited(action: Option<Action>, line: &RequestLine<'_>) -> bool {
    let is_refused = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::MISDIRECTED_REQUEST,
    ]
    .iter()
    .any(|status| status.as_u16() == line.status);
    let is_change = action.is_some_and(|action| action != Action::Read);
    is_refused || is_change && line.route != EVENTS
}

/// A file of JSON objects, one per line, written by a thread.
struct JsonLines {
    lines: SyncSender<Vec<u8>>,
    dropped: IntCounter,
}

impl JsonLines {
    fn open(path: &Path, dropped: IntCounter) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let (lines, waiting) = sync_channel(MAX_WAITING_LINES);
        let lost = dropped.clone();
        let path = path.to_owned();
        thread::Builder::new()
            .name("request-log".into())
            .spawn(move || {
                if let Err(e) = write_lines(file, &waiting) {
                    tracing::error!(file = %path.display(), "requests are no longer logged: {e}");
                    waiting.iter().for_each(|_| lost.inc());
                }
            })?;
        Ok(Self { lines, dropped })
    }

    fn write(&self, line: &RequestLine<'_>) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        if self.lines.try_send(text).is_err() {
            self.dropped.inc();
        }
    }
}

fn write_lines(file: File, lines: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    loop {
        match lines.recv_timeout(FLUSH_INTERVAL) {
            Ok(line) => file.write_all(&line)?,
            Err(RecvTimeoutError::Timeout) => file.flush()?,
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(route: &'static str, status: u16) -> RequestLine<'static> {
        RequestLine {
            time: "2026-01-31T12:00:00Z",
            request_id: "r",
            key: Some("backend"),
            client: None,
            method: "POST",
            path: "/v1/collections/shop/items/delete",
            route,
            status,
            ms: 1.5,
        }
    }

    #[test]
    fn the_audit_log_has_changes_and_refusals() {
        let (read, write) = (Some(Action::Read), Some(Action::Write));
        for (action, route, status, expected) in [
            (write, "/v1/collections/{c}/rules", 200, true),
            (Some(Action::Admin), "/v1/collections/{c}", 204, true),
            (read, "/v1/collections/{c}/search", 200, false),
            (read, "/v1/collections/{c}/search", 403, true),
            (write, EVENTS, 200, false),
            (write, EVENTS, 401, true),
            (None, "/healthz", 200, false),
            (None, "unmatched", 404, false),
        ] {
            assert_eq!(
                is_audited(action, &line(route, status)),
                expected,
                "{route} {status}"
            );
        }
    }

    #[test]
    fn lines_are_json_and_are_written_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let dropped = IntCounter::new("dropped", "-").expect("a counter");
        let log = RequestLog::open(None, Some(&path), &dropped).expect("opened");
        log.write(Some(Action::Admin), &line("/v1/users/{u}", 200));
        drop(log);
        let text = loop {
            let text = std::fs::read_to_string(&path).expect("a file");
            if !text.is_empty() {
                break text;
            }
            thread::sleep(FLUSH_INTERVAL);
        };
        let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&written["key"], &written["status"]),
            (&"backend".into(), &200.into())
        );
        assert_eq!(dropped.get(), 0);
    }
}
