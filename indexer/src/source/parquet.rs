//! Parquet files, read row by row. Lists become several values; other nested columns cannot be
//! mapped.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, reader::RowIter},
};
use serde_json::Value;

use super::{SourceError, cells::Row, input};

/// End of the year 9999, the maximum RFC 3339 time, in milliseconds since 1970.
const MAX_MILLIS: i64 = 253_402_300_799_999;

/// Rows of a file, numbered from 1.
pub(super) struct Rows {
    name: String,
    columns: Vec<String>,
    rows: RowIter<'static>,
    at: u64,
}

impl Rows {
    pub fn open(source: &Path) -> Result<Self, SourceError> {
        let name = input::name_of(source);
        let damaged = |reason: String| SourceError::Parquet {
            name: name.clone(),
            row: 0,
            reason,
        };
        let packed = source.extension().is_some_and(|e| e == "gz" || e == "zst");
        if packed || source == Path::new("-") {
            let reason =
                "Parquet can be read from an uncompressed file only, not from standard input";
            return Err(damaged(reason.to_owned()));
        }
        let file = File::open(source).map_err(|e| SourceError::Open {
            path: source.to_owned(),
            source: e,
        })?;
        let (columns, rows) = unless_panic(|| {
            let reader = SerializedFileReader::new(file)?;
            let schema = reader.metadata().file_metadata().schema();
            let names = schema.get_fields().iter().map(|f| f.name().to_owned());
            Ok((names.collect::<Vec<_>>(), reader.into_iter()))
        })
        .map_err(damaged)?;
        Ok(Self {
            name,
            columns,
            rows,
            at: 0,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl Iterator for Rows {
    type Item = Result<(u64, Row), SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at += 1;
        match next_row(&mut self.rows) {
            Ok(row) => Some(Ok((self.at, row?))),
            Err(reason) => Some(Err(SourceError::Parquet {
                name: self.name.clone(),
                row: self.at,
                reason,
            })),
        }
    }
}

fn next_row(rows: &mut RowIter) -> Result<Option<Row>, String> {
    let row = unless_panic(|| rows.next().transpose())?;
    let cells = row.map(|row| row.into_columns().into_iter());
    Ok(cells.map(|cells| cells.map(|(name, field)| (name, value(&field))).collect()))
}

/// Catches panics: the crate panics on some damage and on column types it does not know.
fn unless_panic<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the file is damaged or has a column of an unsupported type".to_owned()),
    }
}

/// Converts a cell to JSON, times to RFC 3339.
fn value(field: &Field) -> Value {
    match field {
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::TimestampMillis(t) if t.abs() > MAX_MILLIS => Value::from(*t),
        Field::TimestampMicros(t) if t.abs() / 1000 > MAX_MILLIS => Value::from(*t),
        Field::TimestampMillis(_) | Field::TimestampMicros(_) => match field.to_json_value() {
            // `2026-01-31 12:00:00.000 +00:00`
            Value::String(time) => time.replacen(' ', "T", 1).replace(' ', "").into(),
            other => other,
        },
        other => other.to_json_value(),
    }
}
