//! Parquet files, read row by row. Lists become several values; other nested columns cannot be mapped.

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

use super::{
    Mapping, Record, SourceError,
    cells::{self, Row},
    input,
};

/// The last moment of the year 9999, beyond which no RFC 3339 time lies, in milliseconds since 1970.
const MAX_MILLIS: i64 = 253_402_300_799_999;

/// The records of a Parquet file.
pub(super) fn records(
    source: &Path,
    mapping: &Mapping,
) -> Result<impl Iterator<Item = Result<Record, SourceError>> + Send + use<>, SourceError> {
    let name = input::name_of(source);
    let damaged = move |row: u64, reason: String| SourceError::Parquet {
        name: name.clone(),
        row,
        reason,
    };
    let packed = source.extension().is_some_and(|e| e == "gz" || e == "zst");
    if packed || source == Path::new("-") {
        let reason =
            "Parquet is read from a plain file only, neither packed nor from standard input";
        return Err(damaged(0, reason.to_owned()));
    }
    let file = File::open(source).map_err(|e| SourceError::Open {
        path: source.to_owned(),
        source: e,
    })?;
    let (columns, mut rows) = unless_panic(|| {
        let reader = SerializedFileReader::new(file)?;
        let schema = reader.metadata().file_metadata().schema();
        let names = schema.get_fields().iter().map(|f| f.name().to_owned());
        Ok((names.collect::<Vec<_>>(), reader.into_iter()))
    })
    .map_err(|reason| damaged(0, reason))?;
    let rules = mapping.for_columns(&input::name_of(source), &columns)?;
    let mut at = 0;
    Ok(std::iter::from_fn(move || {
        at += 1;
        let row = match next_row(&mut rows) {
            Ok(row) => row?,
            Err(reason) => return Some(Err(damaged(at, reason))),
        };
        Some(Ok(Record {
            line: at,
            id: cells::text(&row, &rules.id).ok().flatten(),
            item: rules.item(&row),
        }))
    }))
}

fn next_row(rows: &mut RowIter) -> Result<Option<Row>, String> {
    let row = unless_panic(|| rows.next().transpose())?;
    let cells = row.map(|row| row.into_columns().into_iter());
    Ok(cells.map(|cells| cells.map(|(name, field)| (name, value(&field))).collect()))
}

/// The crate panics on some damage and on column types it does not know.
fn unless_panic<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("is damaged or has a column of a type that is not supported".to_owned()),
    }
}

/// A cell as JSON, times as RFC 3339.
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
