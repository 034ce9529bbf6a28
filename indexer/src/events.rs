//! Import of event records, a batch at a time: a batch is stored before the next is read, and
//! events that are stored already are recognized by their id. That is enough for an interrupted
//! import to resume.

use std::time::Instant;

use serde::Serialize;
use vitrine_schemas::{Event, EventStatus, EventSummary};

use crate::{
    pipeline::{IndexError, Progress, Reject, RejectKind, Rejects},
    sink::EventSink,
    source::{
        SourceError,
        events::{EventRecord, FieldError},
    },
};

/// Number of events stored together.
const BATCH: usize = 1000;

/// Summary of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportSummary {
    /// Records read.
    pub read: u64,
    /// Counts of stored, duplicate and rejected events.
    #[serde(flatten)]
    pub events: EventSummary,
    /// Time taken in seconds.
    pub seconds: f64,
}

/// Returns the user of the event or, without one, its session; `None` if it names neither.
pub(crate) fn user_of(event: &Event) -> Option<String> {
    match (&event.user, &event.session) {
        (Some(user), _) => Some(format!("user {user}")),
        (None, Some(session)) => Some(format!("session {session}")),
        (None, None) => None,
    }
}

/// Returns the time of the event in microseconds since 1970, if it has one.
pub(crate) fn micros(event: &Event) -> Result<Option<i64>, FieldError> {
    let time = event.ts.as_ref().map(|ts| {
        chrono::DateTime::parse_from_rfc3339(ts)
            .map(|time| time.timestamp_micros())
            .map_err(|e| FieldError {
                field: "ts".to_owned(),
                reason: format!("expected an RFC 3339 time, got `{ts}`: {e}"),
            })
    });
    time.transpose()
}

/// Stores all events.
///
/// # Errors
/// The file is truncated or the sink fails; events stored before stay, and a new run resumes there.
pub fn import(
    records: impl Iterator<Item = Result<EventRecord, SourceError>>,
    sink: &mut dyn EventSink,
    rejects: &mut Rejects,
    progress: &mut Progress,
) -> Result<ImportSummary, IndexError> {
    let started = Instant::now();
    let (mut summary, mut batch) = (ImportSummary::default(), Vec::with_capacity(BATCH));
    let mut broken = None;
    for record in records {
        let EventRecord { line, id, event } = match record {
            Ok(record) => record,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        summary.read += 1;
        match event {
            Ok(event) => batch.push((line, event)),
            Err(error) => {
                summary.events.rejected += 1;
                reject(rejects, line, id.as_deref(), RejectKind::Record, &error)?;
            }
        }
        if batch.len() == BATCH {
            store(&mut batch, sink, rejects, &mut summary)?;
            let EventSummary {
                duplicate,
                rejected,
                ..
            } = summary.events;
            let message = format!("{duplicate} duplicates, {rejected} rejected");
            progress.at(summary.read, &message);
        }
    }
    store(&mut batch, sink, rejects, &mut summary)?;
    summary.seconds = (started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(summary),
    }
}

fn store(
    batch: &mut Vec<(u64, Event)>,
    sink: &mut dyn EventSink,
    rejects: &mut Rejects,
    summary: &mut ImportSummary,
) -> Result<(), IndexError> {
    if batch.is_empty() {
        return Ok(());
    }
    let (lines, events): (Vec<u64>, Vec<Event>) = batch.drain(..).unzip();
    let results = sink.append(&events)?;
    for ((line, event), result) in lines.into_iter().zip(events).zip(results) {
        summary.events.count(&result);
        if result.status == EventStatus::Rejected {
            let reason = result.error.unwrap_or_else(|| "rejected".to_owned());
            let (id, error) = (event.id.as_deref(), by_field(&reason));
            reject(rejects, line, id, RejectKind::Write, &error)?;
        }
    }
    Ok(())
}

/// Splits an error of the engine, `/field: problem`, into its field and its text.
fn by_field(reason: &str) -> FieldError {
    let pointed = reason.strip_prefix('/').and_then(|r| r.split_once(": "));
    let (field, reason) = pointed.unwrap_or(("", reason));
    FieldError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn reject(
    rejects: &mut Rejects,
    line: u64,
    id: Option<&str>,
    kind: RejectKind,
    error: &FieldError,
) -> Result<(), IndexError> {
    let field = Some(error.field.as_str()).filter(|field| !field.is_empty());
    rejects.add(&Reject {
        line,
        id,
        kind,
        field,
        reason: &error.reason,
    })?;
    Ok(())
}
