//! Events out of records: parsed, stored in batches, answered a line each.

use std::io::Write;

use tempfile::NamedTempFile;
use vitrine::{
    Database,
    schemas::{Event, EventImportParams, EventLine, EventResult, EventStatus, EventSummary},
};
use vitrine_indexer::source::events::{
    EventFormat, EventMapping, EventRecord, EventRecords, Fault, JsonEvents, Row, RowEvents, open,
};

use super::{Batch, header::cells};
use crate::error::{ApiError, ApiResult};

/// Rows of a Parquet file stored together.
const ROWS: usize = 1000;

/// How a record becomes an event.
pub enum EventParser {
    /// It is a JSON object.
    Json(JsonEvents),
    /// It is a row below a header.
    Csv(Vec<String>, RowEvents),
}

/// What became of a batch: lines of the answer, and totals.
pub struct StoredEvents {
    /// One line a record.
    pub lines: Vec<u8>,
    /// Totals.
    pub summary: EventSummary,
}

/// The mapping that the query string gives.
pub fn mapping(params: &EventImportParams) -> ApiResult<EventMapping> {
    let mapping = EventMapping {
        user: params.user.clone(),
        session: params.session.clone(),
        items: params.items.clone(),
        items_separator: params.items_separator.clone(),
        kind: params.kind.clone(),
        default_kind: params.default_kind,
        ts: params.ts.clone(),
        ts_format: params.ts_format.clone(),
        value: params.value.clone(),
        id: params.id.clone(),
        ..EventMapping::default()
    };
    match mapping.check() {
        Ok(()) => Ok(mapping),
        Err(fault) => Err(ApiError::invalid("", format!("query string: {fault}"))),
    }
}

impl EventParser {
    /// Of JSON lines.
    pub fn json(mapping: &EventMapping, collection: &str) -> Self {
        Self::Json(JsonEvents::new(mapping, collection))
    }

    /// Of rows below this header.
    pub fn csv(header: &[u8], mapping: &EventMapping, collection: &str) -> ApiResult<Self> {
        let columns: Vec<String> = cells(header)?.iter().map(|c| c.trim().to_owned()).collect();
        let rules = mapping
            .for_columns("the header", &columns)
            .map_err(|e| ApiError::invalid("", e.to_string()))?;
        Ok(Self::Csv(columns, RowEvents::new(rules, collection)))
    }

    fn record(&self, line: u64, bytes: &[u8]) -> EventRecord {
        let (columns, rows) = match self {
            Self::Json(json) => return json.record(line, bytes),
            Self::Csv(columns, rows) => (columns, rows),
        };
        let faulty = |reason: String| EventRecord {
            line,
            id: None,
            event: Err(Fault::whole(reason)),
        };
        let cells = match cells(bytes) {
            Ok(cells) if cells.len() == columns.len() => cells,
            Ok(cells) => {
                let (found, wanted) = (cells.len(), columns.len());
                return faulty(format!("the row has {found} cells, the header {wanted}"));
            }
            Err(fault) => return faulty(fault.detail),
        };
        let cells = columns.iter().cloned().zip(cells.iter().map(Into::into));
        rows.record(line, &cells.collect::<Row>())
    }

    /// Parses and stores a batch; a bad record costs itself only.
    pub fn store(&self, batch: Batch, database: &Database) -> ApiResult<StoredEvents> {
        let records = batch.into_records().into_iter();
        let records = records.map(|record| match &record.bytes {
            Some(bytes) => self.record(record.line, bytes),
            None => EventRecord {
                line: record.line,
                id: None,
                event: Err(Fault::whole(
                    "the line is longer than limits.import_line_bytes; shorten it or raise the limit",
                )),
            },
        });
        store(records, database)
    }
}

/// A Parquet file as sent: its end says what is in it, so it is read once it is all there.
pub struct ParquetEvents {
    records: EventRecords,
    // Removed with it.
    _file: NamedTempFile,
}

impl ParquetEvents {
    /// Opens the file.
    pub fn open(file: NamedTempFile, mapping: &EventMapping, collection: &str) -> ApiResult<Self> {
        file.as_file().flush().map_err(ApiError::internal)?;
        let records = open(file.path(), Some(EventFormat::Parquet), mapping, collection)
            .map_err(|e| ApiError::invalid("", without_path(&file, &e.to_string())))?;
        Ok(Self {
            records,
            _file: file,
        })
    }

    /// Stores the next rows; none at the end.
    pub fn store(&mut self, database: &Database) -> ApiResult<Option<StoredEvents>> {
        let mut rows = Vec::with_capacity(ROWS);
        for record in self.records.by_ref().take(ROWS) {
            let record = record
                .map_err(|e| ApiError::invalid("", without_path(&self._file, &e.to_string())))?;
            rows.push(record);
        }
        match rows.is_empty() {
            true => Ok(None),
            false => store(rows.into_iter(), database).map(Some),
        }
    }
}

/// Where the server keeps the body is nobody's business.
fn without_path(file: &NamedTempFile, text: &str) -> String {
    text.replace(&file.path().display().to_string(), "the file")
}

fn store(
    records: impl Iterator<Item = EventRecord>,
    database: &Database,
) -> ApiResult<StoredEvents> {
    let (mut events, mut read): (Vec<Event>, Vec<(u64, Option<Fault>)>) = Default::default();
    for record in records {
        let fault = record.event.map(|event| events.push(event)).err();
        read.push((record.line, fault));
    }
    let mut stored = database.append_events(&events)?.into_iter();
    let mut answer = StoredEvents {
        lines: Vec::new(),
        summary: EventSummary::default(),
    };
    for (line, fault) in read {
        let result = match fault {
            Some(fault) => rejected(fault),
            None => stored
                .next()
                .ok_or_else(|| ApiError::internal("an event has no result"))?,
        };
        let result = EventResult {
            index: line,
            ..result
        };
        answer.summary.count(&result);
        answer.lines.extend(event_line(&EventLine::Result(result)));
    }
    Ok(answer)
}

fn rejected(fault: Fault) -> EventResult {
    let error = match fault.field.as_str() {
        "" => fault.reason,
        field => format!("/{field}: {}", fault.reason),
    };
    EventResult {
        index: 0,
        status: EventStatus::Rejected,
        skewed: false,
        late: false,
        error: Some(error),
    }
}

/// One line of the answer.
pub fn event_line(line: &EventLine) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
