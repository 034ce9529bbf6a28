//! Event readers: a file, or standard input, becomes a stream of behavior events.
//!
//! JSON Lines hold events in the format of the API, or any objects with a mapping or with names
//! that are recognized; CSV, TSV and Parquet have columns, which are recognized by their names or
//! by a mapping. An error within a record rejects that record and the stream continues; a
//! [`SourceError`] ends it. Checks that need no collection are made here, the rest by the engine.

mod mapping;
mod rules;
#[cfg(test)]
mod tests;

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};
use vitrine_schemas::{Event, EventKind};

pub use super::cells::Row;
pub use mapping::EventMapping;
pub use rules::{EventRules, FieldError};

use super::{
    SourceError, cells,
    input::{self, Input, Reading},
    jsonl,
    parquet::Rows,
    table::Table,
    text::{ReadAs, TextOptions, encoding::Content},
    time,
};

/// Layout of an event file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// One JSON object per line: events in the format of the API, or any keys with a mapping.
    Jsonl,
    /// Comma separated with a header line.
    Csv,
    /// Tab separated with a header line.
    Tsv,
    /// Parquet file.
    Parquet,
}

impl EventFormat {
    /// Derives the format from the extension of a file.
    fn of(source: &Path) -> Result<Self, SourceError> {
        match input::ending(source).as_deref() {
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(SourceError::UnknownFormat {
                name: input::name_of(source),
                known: "jsonl, csv, tsv, parquet".to_owned(),
            }),
        }
    }
}

/// Record of an event file.
#[derive(Debug)]
pub struct EventRecord {
    /// Its first line, from 1; for Parquet its row, from 1.
    pub line: u64,
    /// Id of the event, if it can be read.
    pub id: Option<String>,
    /// Event, or the problem of the record and how to fix it.
    pub event: Result<Event, FieldError>,
}

/// Records of an event file in their order. An `Err` is the last item: the stream as a whole is
/// broken.
pub type EventRecords = Box<dyn Iterator<Item = Result<EventRecord, SourceError>> + Send>;

/// Opened event file.
pub struct OpenedEvents {
    /// Records in their order.
    pub records: EventRecords,
    /// Form of the text; `None` for Parquet.
    pub read_as: Option<ReadAs>,
}

/// Opens an event file whose encoding and separator are detected, see [`open_as`].
///
/// # Errors
/// The format is unknown, the file cannot be opened, or it lacks required columns.
///
/// # Examples
///
/// ```
/// use vitrine_indexer::source::events::{self, EventMapping};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("events.csv");
/// std::fs::write(&file, "user,item,kind,ts\nu1,SKU1,view,2025-06-01T12:00:00Z\n")?;
///
/// let mut records = events::open(&file, None, &EventMapping::default(), "shop")?;
/// let event = records.next().expect("a record")?.event.expect("an event");
/// assert_eq!((event.collection.as_str(), event.items[0].as_str()), ("shop", "SKU1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(
    source: &Path,
    format: Option<EventFormat>,
    mapping: &EventMapping,
    collection: &str,
) -> Result<EventRecords, SourceError> {
    Ok(open_as(source, format, mapping, collection, &TextOptions::default())?.records)
}

/// Opens an event file; `-` is standard input. Compressed files are decompressed as for catalogs.
/// Events that name no collection belong to `collection`; those of another collection are errors.
///
/// # Errors
/// The format is unknown, the file cannot be opened, or it lacks required columns.
pub fn open_as(
    source: &Path,
    format: Option<EventFormat>,
    mapping: &EventMapping,
    collection: &str,
    text: &TextOptions,
) -> Result<OpenedEvents, SourceError> {
    let format = format.map_or_else(|| EventFormat::of(source), Ok)?;
    let reading = Reading {
        text: text.clone(),
        ..Reading::default()
    };
    let records = records(source, format, mapping, collection, &reading);
    match (records, reading.read_as.get().cloned()) {
        (Ok(records), read_as) => Ok(OpenedEvents { records, read_as }),
        (Err(error), Some(read_as)) => Err(error.with_form(read_as)),
        (Err(error), None) => Err(error),
    }
}

fn records(
    source: &Path,
    format: EventFormat,
    mapping: &EventMapping,
    collection: &str,
    reading: &Reading,
) -> Result<EventRecords, SourceError> {
    Ok(match format {
        EventFormat::Jsonl => {
            let events = JsonEvents::new(mapping, collection);
            let lines = jsonl::lines(Input::open(source, reading, Content::Json)?);
            Box::new(until_broken(lines.map(move |line| {
                let (line, bytes) = line?;
                Ok(events.record(line, &bytes))
            })))
        }
        EventFormat::Csv | EventFormat::Tsv => {
            let separator = if format == EventFormat::Csv {
                b','
            } else {
                b'\t'
            };
            let table = Table::open(Input::open(source, reading, Content::Table)?, separator)?;
            let rules = mapping.for_columns(table.name(), table.columns())?;
            let events = RowEvents::new(rules, collection);
            Box::new(until_broken(table.map(move |line| {
                let line = line?;
                let mut record = events.record(line.line, &line.row);
                if let Some(reason) = line.error {
                    record.event = Err(FieldError::whole(reason));
                }
                Ok(record)
            })))
        }
        EventFormat::Parquet => {
            let rows = Rows::open(source)?;
            let rules = mapping.for_columns(rows.name(), rows.columns())?;
            let events = RowEvents::new(rules, collection);
            Box::new(until_broken(rows.map(move |row| {
                let (line, row) = row?;
                Ok(events.record(line, &row))
            })))
        }
    })
}

/// Ends the stream after its first error.
fn until_broken<T>(
    mut records: impl Iterator<Item = Result<T, SourceError>>,
) -> impl Iterator<Item = Result<T, SourceError>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        let next = if broken { None } else { records.next() };
        broken = !matches!(next, Some(Ok(_)));
        next
    })
}

/// Reader of rows of named columns that hold events of a collection.
pub struct RowEvents {
    rules: EventRules,
    collection: String,
}

impl RowEvents {
    /// Creates a reader with these rules.
    pub fn new(rules: EventRules, collection: &str) -> Self {
        Self {
            rules,
            collection: collection.to_owned(),
        }
    }

    /// Returns the record of a row.
    pub fn record(&self, line: u64, row: &Row) -> EventRecord {
        let mut event = self.rules.event(row, &self.collection);
        if let Ok(event) = &mut event {
            name_by_place(event, line);
        }
        EventRecord {
            line,
            id: self.rules.id(row),
            event,
        }
    }
}

/// Reader of JSON objects that hold events of a collection.
pub struct JsonEvents {
    /// Present if keys are mapped.
    rows: Option<RowEvents>,
    collection: String,
    default_kind: Option<EventKind>,
    ts_format: Option<String>,
}

impl JsonEvents {
    /// Creates a reader with a mapping; one that names no column reads events in the format of the
    /// API.
    pub fn new(mapping: &EventMapping, collection: &str) -> Self {
        let rules = mapping.rules();
        Self {
            rows: rules.map(|rules| RowEvents::new(rules, collection)),
            collection: collection.to_owned(),
            default_kind: mapping.default_kind,
            ts_format: mapping.ts_format.clone(),
        }
    }

    /// Returns the record of a line.
    pub fn record(&self, line: u64, bytes: &[u8]) -> EventRecord {
        let row = jsonl::text(bytes).and_then(|text| {
            serde_json::from_str::<Row>(text).map_err(|e| format!("expected a JSON object: {e}"))
        });
        match (row, &self.rows) {
            (Err(reason), _) => EventRecord {
                line,
                id: None,
                event: Err(FieldError::whole(reason)),
            },
            (Ok(row), Some(rows)) => rows.record(line, &row),
            (Ok(row), None) => match self.by_names(&row) {
                Some(rows) => rows.record(line, &row),
                None => EventRecord {
                    line,
                    id: cells::text(&row, "id").ok().flatten(),
                    event: self.as_sent(row).map(|mut event| {
                        name_by_place(&mut event, line);
                        event
                    }),
                },
            },
        }
    }

    /// Returns the reader of an object whose keys are other names of the required fields, such as
    /// `product_id`; `None` for one in the format of the API.
    fn by_names(&self, row: &Row) -> Option<RowEvents> {
        let has = |key: &str| row.get(key).is_some_and(|value| !value.is_null());
        let has_kind = has("kind") || self.default_kind.is_some();
        if has("items") && has_kind && (has("user") || has("session")) {
            return None;
        }
        let mapping = EventMapping {
            default_kind: self.default_kind,
            ts_format: self.ts_format.clone(),
            ..EventMapping::default()
        };
        let columns: Vec<String> = row.keys().cloned().collect();
        let rules = mapping.for_columns("", &columns).ok()?;
        Some(RowEvents::new(rules, &self.collection))
    }

    /// Parses an event in the format of the API; the collection is optional.
    fn as_sent(&self, mut row: Row) -> Result<Event, FieldError> {
        let own = self.collection.as_str();
        let named = row.entry("collection").or_insert_with(|| own.into());
        if named != own {
            let reason = format!("is {named}, these are events of `{own}`; leave it out");
            return Err(FieldError::of("collection", reason));
        }
        if let Some(kind) = self.default_kind {
            row.entry("kind").or_insert_with(|| json!(kind));
        }
        let mut event: Event =
            serde_path_to_error::deserialize(Value::Object(row)).map_err(|e| {
                let path = e.path().to_string();
                let field = path.split(['[', '.']).next().unwrap_or_default();
                FieldError {
                    field: field.to_owned(),
                    reason: e.inner().to_string(),
                }
            })?;
        if let Some(ts) = &event.ts {
            let ts = rules::time_of(ts, self.ts_format.as_deref());
            event.ts = Some(ts.map_err(|reason| FieldError::of("ts", reason))?);
        }
        Ok(event)
    }
}

/// Gives an event without id and time an id made of its line and content, so that reading it again
/// does not make another event.
fn name_by_place(event: &mut Event, line: u64) {
    if event.id.is_none() && event.ts.is_none() {
        let content = serde_json::to_vec(event).unwrap_or_default();
        event.id = Some(format!("{line}:{}", blake3::hash(&content).to_hex()));
    }
}
