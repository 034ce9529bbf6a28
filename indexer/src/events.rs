//! From records of events to stored events, a batch at a time: what a batch holds is stored before the next is read, and
//! what is stored already is told by its id. That is all a killed import needs to go on where it was.

use std::time::Instant;

use serde::Serialize;
use vitrine_schemas::{Event, EventStatus, EventSummary};

use crate::{
    pipeline::{IndexError, Progress, Reject, RejectKind, Rejects},
    sink::EventSink,
    source::{
        SourceError,
        events::{EventRecord, Fault},
    },
};

/// Events stored together.
const BATCH: usize = 1000;

/// Account of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportSummary {
    /// Records read.
    pub read: u64,
    /// What became of them.
    #[serde(flatten)]
    pub events: EventSummary,
    /// Time taken.
    pub seconds: f64,
}

/// Whose event it is: a user's, or a visit's without one; `None` where it names neither.
pub(crate) fn person(event: &Event) -> Option<String> {
    match (&event.user, &event.session) {
        (Some(user), _) => Some(format!("user {user}")),
        (None, Some(session)) => Some(format!("session {session}")),
        (None, None) => None,
    }
}

/// When it was, in microseconds since 1970, if it says so.
pub(crate) fn micros(event: &Event) -> Result<Option<i64>, Fault> {
    let time = event.ts.as_ref().map(|ts| {
        chrono::DateTime::parse_from_rfc3339(ts)
            .map(|time| time.timestamp_micros())
            .map_err(|e| Fault {
                field: "ts".to_owned(),
                reason: format!("`{ts}` is no RFC 3339 time: {e}"),
            })
    });
    time.transpose()
}

/// Stores all events.
///
/// # Errors
/// The file breaks off or the sink fails; what was stored until then stays, and a new run goes on from there.
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
            Err(fault) => {
                summary.events.rejected += 1;
                reject(rejects, line, id.as_deref(), RejectKind::Record, &fault)?;
            }
        }
        if batch.len() == BATCH {
            store(&mut batch, sink, rejects, &mut summary)?;
            let EventSummary {
                duplicate,
                rejected,
                ..
            } = summary.events;
            let message = format!("{duplicate} stored before, {rejected} refused");
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
            let reason = result.error.unwrap_or_else(|| "refused".to_owned());
            let (id, fault) = (event.id.as_deref(), by_field(&reason));
            reject(rejects, line, id, RejectKind::Write, &fault)?;
        }
    }
    Ok(())
}

/// The engine writes a fault as `/field: what is wrong`.
fn by_field(reason: &str) -> Fault {
    let pointed = reason.strip_prefix('/').and_then(|r| r.split_once(": "));
    let (field, reason) = pointed.unwrap_or(("", reason));
    Fault {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn reject(
    rejects: &mut Rejects,
    line: u64,
    id: Option<&str>,
    kind: RejectKind,
    fault: &Fault,
) -> Result<(), IndexError> {
    let field = Some(fault.field.as_str()).filter(|field| !field.is_empty());
    rejects.add(&Reject {
        line,
        id,
        kind,
        field,
        reason: &fault.reason,
    })?;
    Ok(())
}
