//! Event readers: a file, or standard input, becomes a stream of behaviour events.
//!
//! JSON Lines hold events as the API takes them, or any objects with a mapping; CSV, TSV and Parquet have columns, which
//! go by their names or by a mapping. A fault within a record rejects that record and the stream goes on; a
//! [`SourceError`] ends it. What is known of an event without its collection is checked here, the rest by the engine.

mod mapping;
mod rules;
#[cfg(test)]
mod tests;
mod time;

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};
use vitrine_schemas::{Event, EventKind};

pub use super::cells::Row;
pub use mapping::EventMapping;
pub use rules::{EventRules, Fault};

use super::{
    SourceError, cells,
    input::{self, Input},
    jsonl,
    parquet::Rows,
    table::Table,
};

/// Layout of an event file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// One JSON object a line: events as the API takes them, or any keys with a mapping.
    Jsonl,
    /// Comma separated with a header line.
    Csv,
    /// Tab separated with a header line.
    Tsv,
    /// Parquet file.
    Parquet,
}

impl EventFormat {
    /// Tells the format from a file's ending.
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

/// One record of an event file.
#[derive(Debug)]
pub struct EventRecord {
    /// Its first line, from 1; for Parquet its row, from 1.
    pub line: u64,
    /// The event's id where it has one that can be read.
    pub id: Option<String>,
    /// The event, or what is wrong with the record and how to mend it.
    pub event: Result<Event, Fault>,
}

/// The records of an event file in their order. An `Err` says that the stream as a whole is broken and is the last one.
pub type EventRecords = Box<dyn Iterator<Item = Result<EventRecord, SourceError>> + Send>;

/// Opens an event file; `-` is standard input. Packed files are unpacked as catalogs are. Events that name no collection
/// belong to `collection`; those that name another are faulty.
///
/// # Errors
/// The format cannot be told, the file cannot be opened, or it has not the columns that are needed.
pub fn open(
    source: &Path,
    format: Option<EventFormat>,
    mapping: &EventMapping,
    collection: &str,
) -> Result<EventRecords, SourceError> {
    let format = format.map_or_else(|| EventFormat::of(source), Ok)?;
    Ok(match format {
        EventFormat::Jsonl => {
            let events = JsonEvents::new(mapping, collection);
            let lines = jsonl::lines(Input::open(source)?);
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
            let table = Table::open(Input::open(source)?, separator)?;
            let rules = mapping.for_columns(table.name(), table.columns())?;
            let events = RowEvents::new(rules, collection);
            Box::new(until_broken(table.map(move |line| {
                let line = line?;
                let mut record = events.record(line.line, &line.row);
                if let Some(reason) = line.fault {
                    record.event = Err(Fault::whole(reason));
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

/// Rows of named columns that hold events of a collection.
pub struct RowEvents {
    rules: EventRules,
    collection: String,
}

impl RowEvents {
    /// By these rules.
    pub fn new(rules: EventRules, collection: &str) -> Self {
        Self {
            rules,
            collection: collection.to_owned(),
        }
    }

    /// The record in a row.
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

/// JSON objects that hold events of a collection.
pub struct JsonEvents {
    /// Where keys are mapped.
    rows: Option<RowEvents>,
    collection: String,
    default_kind: Option<EventKind>,
}

impl JsonEvents {
    /// By a mapping; where it names no column, they are events as the API takes them.
    pub fn new(mapping: &EventMapping, collection: &str) -> Self {
        let rules = mapping.rules();
        Self {
            rows: rules.map(|rules| RowEvents::new(rules, collection)),
            collection: collection.to_owned(),
            default_kind: mapping.default_kind,
        }
    }

    /// The record in a line.
    pub fn record(&self, line: u64, bytes: &[u8]) -> EventRecord {
        let row = jsonl::text(bytes).and_then(|text| {
            serde_json::from_str::<Row>(text)
                .map_err(|e| format!("the line is no JSON object: {e}"))
        });
        match (row, &self.rows) {
            (Err(reason), _) => EventRecord {
                line,
                id: None,
                event: Err(Fault::whole(reason)),
            },
            (Ok(row), Some(rows)) => rows.record(line, &row),
            (Ok(row), None) => EventRecord {
                line,
                id: cells::text(&row, "id").ok().flatten(),
                event: self.as_sent(row).map(|mut event| {
                    name_by_place(&mut event, line);
                    event
                }),
            },
        }
    }

    /// An event in the form of the API; the collection may be left out.
    fn as_sent(&self, mut row: Row) -> Result<Event, Fault> {
        let own = self.collection.as_str();
        let named = row.entry("collection").or_insert_with(|| own.into());
        if named != own {
            let reason = format!("is {named}, these are events of `{own}`; leave it out");
            return Err(Fault::of("collection", reason));
        }
        if let Some(kind) = self.default_kind {
            row.entry("kind").or_insert_with(|| json!(kind));
        }
        serde_path_to_error::deserialize(Value::Object(row)).map_err(|e| {
            let path = e.path().to_string();
            let field = path.split(['[', '.']).next().unwrap_or_default();
            Fault {
                field: field.to_owned(),
                reason: e.inner().to_string(),
            }
        })
    }
}

/// An event without id and time would be another one each time it is read: its place and content tell it.
fn name_by_place(event: &mut Event, line: u64) {
    if event.id.is_none() && event.ts.is_none() {
        let content = serde_json::to_vec(event).unwrap_or_default();
        event.id = Some(format!("{line}:{}", blake3::hash(&content).to_hex()));
    }
}
