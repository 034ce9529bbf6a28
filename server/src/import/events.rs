//! Event records: parsed, stored in batches, with one result line each.

use std::io::Write;

use tempfile::NamedTempFile;
use vitrine::{
    Database,
    schemas::{
        Event, EventImportParams, EventLine, EventResult, EventStatus, EventSummary,
        limits::{MAX_EVENT_BYTES, MAX_PARQUET_PAGES_BYTES},
    },
};
use vitrine_indexer::source::{
    check_pages,
    events::{
        EventFormat, EventMapping, EventRecord, EventRecords, FieldError, JsonEvents, Row,
        RowEvents, open,
    },
    text::TextOptions,
};

use super::{Batch, Content};
use crate::error::{ApiError, ApiResult};

/// Rows of a Parquet file in one batch.
const BATCH_ROWS: usize = 1000;

/// Bytes of events of a Parquet file in one batch.
const BATCH_BYTES: usize = 8 << 20;

/// Parser of event records.
pub enum EventParser {
    /// Records are JSON objects.
    Json(JsonEvents),
    /// Records are CSV rows below a header.
    Csv(Vec<String>, RowEvents),
}

/// Outcome of a batch: lines of the response, and totals.
pub struct StoredBatch {
    /// One line per record.
    pub lines: Vec<u8>,
    /// Totals.
    pub summary: EventSummary,
}

/// Builds the mapping given by the query string.
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
        quantity: params.quantity.clone(),
        id: params.id.clone(),
        ..EventMapping::default()
    };
    match mapping.check() {
        Ok(()) => Ok(mapping),
        Err(error) => Err(ApiError::invalid("", format!("query string: {error}"))),
    }
}

/// Returns the form of a text as given by the query string.
pub fn text_options(params: &EventImportParams) -> ApiResult<TextOptions> {
    let (encoding, delimiter) = (params.encoding.as_deref(), params.delimiter.as_deref());
    TextOptions::parse(encoding, delimiter, params.quote.as_deref())
        .map_err(|reason| ApiError::invalid("", format!("query string: {reason}")))
}

impl EventParser {
    /// Creates a parser of JSON lines.
    pub fn json(mapping: &EventMapping, collection: &str) -> Self {
        Self::Json(JsonEvents::new(mapping, collection))
    }

    /// Creates a parser of CSV rows below a header.
    pub fn csv(
        header: &csv::StringRecord,
        mapping: &EventMapping,
        collection: &str,
    ) -> ApiResult<Self> {
        let columns: Vec<String> = header.iter().map(|c| c.trim().to_owned()).collect();
        let rules = mapping
            .for_columns("the header", &columns)
            .map_err(|e| ApiError::invalid("", e.to_string()))?;
        Ok(Self::Csv(columns, RowEvents::new(rules, collection)))
    }

    fn record(&self, line: u64, content: &Content) -> EventRecord {
        let rejected = |reason: String| EventRecord {
            line,
            id: None,
            event: Err(FieldError::whole(reason)),
        };
        match (self, content) {
            (Self::Json(json), Content::Line(bytes)) => json.record(line, bytes),
            (Self::Csv(columns, rows), Content::Cells(cells)) if cells.len() == columns.len() => {
                let cells = columns.iter().cloned().zip(cells.iter().map(Into::into));
                rows.record(line, &cells.collect::<Row>())
            }
            (Self::Csv(columns, _), Content::Cells(cells)) => rejected(format!(
                "expected {} cells as in the header, got {}",
                columns.len(),
                cells.len()
            )),
            (_, Content::Undecodable(reason)) => rejected(reason.clone()),
            (_, Content::TooLong) => rejected(
                "the line is longer than limits.import_line_bytes; shorten it or raise the limit"
                    .to_owned(),
            ),
            (Self::Json(_), Content::Cells(_)) | (Self::Csv(..), Content::Line(_)) => {
                rejected("a record of another format".to_owned())
            }
        }
    }

    /// Parses and stores a batch; an invalid record does not affect the others.
    pub fn store(&self, batch: Batch, database: &Database) -> ApiResult<StoredBatch> {
        let records = batch.into_records().into_iter();
        let records = records.map(|record| self.record(record.line, &record.content));
        store(records, database)
    }
}

/// A received Parquet file: its metadata is at the end, so it is read once it is complete.
pub struct ParquetEvents {
    records: EventRecords,
    // Deleted when dropped.
    _file: NamedTempFile,
}

impl ParquetEvents {
    /// Opens the file.
    pub fn open(file: NamedTempFile, mapping: &EventMapping, collection: &str) -> ApiResult<Self> {
        file.as_file().flush().map_err(ApiError::internal)?;
        check_pages(file.as_file(), MAX_PARQUET_PAGES_BYTES)
            .map_err(|e| ApiError::invalid("", e))?;
        let records = open(file.path(), Some(EventFormat::Parquet), mapping, collection)
            .map_err(|e| ApiError::invalid("", without_path(&file, &e.to_string())))?;
        Ok(Self {
            records,
            _file: file,
        })
    }

    /// Stores the next rows; returns None at the end.
    pub fn store(&mut self, database: &Database) -> ApiResult<Option<StoredBatch>> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(record) = self.records.next() else {
                break;
            };
            let mut record = record
                .map_err(|e| ApiError::invalid("", without_path(&self._file, &e.to_string())))?;
            let size = record.event.as_ref().map_or(0, size_of_event);
            if size > MAX_EVENT_BYTES {
                let detail = format!("expected at most {MAX_EVENT_BYTES} bytes, got {size}");
                record.event = Err(FieldError::whole(detail));
            }
            bytes += size.min(MAX_EVENT_BYTES);
            rows.push(record);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        store(rows.into_iter(), database).map(Some)
    }
}

/// Returns the bytes of the texts of an event.
fn size_of_event(event: &Event) -> usize {
    let texts = [&event.id, &event.user, &event.session, &event.ts];
    let texts = texts.into_iter().flatten().chain(&event.items);
    event.collection.len() + texts.map(String::len).sum::<usize>()
}

/// Hides the path of the temporary file from the message.
fn without_path(file: &NamedTempFile, text: &str) -> String {
    text.replace(&file.path().display().to_string(), "the file")
}

fn store(
    records: impl Iterator<Item = EventRecord>,
    database: &Database,
) -> ApiResult<StoredBatch> {
    let (mut events, mut read): (Vec<Event>, Vec<(u64, Option<FieldError>)>) = Default::default();
    for record in records {
        let error = record.event.map(|event| events.push(event)).err();
        read.push((record.line, error));
    }
    let mut stored = database.append_events(&events)?.into_iter();
    let mut outcome = StoredBatch {
        lines: Vec::new(),
        summary: EventSummary::default(),
    };
    for (line, error) in read {
        let result = match error {
            Some(error) => rejected(error),
            None => stored
                .next()
                .ok_or_else(|| ApiError::internal("an event has no result"))?,
        };
        let result = EventResult {
            index: line,
            ..result
        };
        outcome.summary.count(&result);
        outcome.lines.extend(event_line(&EventLine::Result(result)));
    }
    Ok(outcome)
}

fn rejected(error: FieldError) -> EventResult {
    let error = match error.field.as_str() {
        "" => error.reason,
        field => format!("/{field}: {}", error.reason),
    };
    EventResult {
        index: 0,
        status: EventStatus::Rejected,
        skewed: false,
        late: false,
        error: Some(error),
    }
}

/// Serializes a line of the response.
pub fn event_line(line: &EventLine) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
