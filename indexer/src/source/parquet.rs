//! Parquet files, read row by row. Lists become several values; the fields of a nested column are
//! columns with dotted names, such as `size.width`. Maps are ignored with a warning.

mod cell;
mod footer;
mod pages;

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use parquet::{
    basic::ConvertedType,
    file::reader::{FileReader, SerializedFileReader},
    record::reader::RowIter,
    schema::types::Type,
};

pub use self::pages::check_pages;
use super::{SourceError, cells::Row, input};

/// Rows of a file, numbered from 1.
pub(super) struct Rows {
    name: String,
    columns: Vec<String>,
    schema: Arc<Type>,
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
        footer::check_footer(&file).map_err(|e| damaged(format!("the file is damaged: {e}")))?;
        let (schema, rows) = unless_panic(|| {
            let reader = SerializedFileReader::new(file)?;
            let whole = reader.metadata().file_metadata().schema();
            let schema = readable(&name, whole)?;
            let rows = RowIter::from_file_into(Box::new(reader));
            Ok((schema.clone(), rows.project(Some((*schema).clone()))?))
        })
        .map_err(damaged)?;
        let mut columns = Vec::new();
        for field in schema.get_fields() {
            if !cell::columns(field.name(), field, &mut columns) {
                tracing::warn!("{name}: column `{}` is a map and is ignored", field.name());
            }
        }
        Ok(Self {
            name,
            columns,
            schema,
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
        match next_row(&mut self.rows, &self.schema) {
            Ok(row) => Some(Ok((self.at, row?))),
            Err(reason) => Some(Err(SourceError::Parquet {
                name: self.name.clone(),
                row: self.at,
                reason,
            })),
        }
    }
}

/// Returns the schema without the columns whose type cannot be read.
fn readable(name: &str, schema: &Type) -> parquet::errors::Result<Arc<Type>> {
    let (kept, ignored): (Vec<_>, Vec<_>) = schema
        .get_fields()
        .iter()
        .cloned()
        .partition(|field| !has_interval(field));
    for field in ignored {
        let field = field.name();
        tracing::warn!("{name}: column `{field}` holds intervals and is ignored");
    }
    let schema = Type::group_type_builder(schema.name()).with_fields(kept);
    Ok(Arc::new(schema.build()?))
}

fn has_interval(field: &Type) -> bool {
    match field {
        Type::GroupType { fields, .. } => fields.iter().any(|field| has_interval(field)),
        Type::PrimitiveType { basic_info, .. } => {
            basic_info.converted_type() == ConvertedType::INTERVAL
        }
    }
}

fn next_row(rows: &mut RowIter, schema: &Type) -> Result<Option<Row>, String> {
    let Some(record) = unless_panic(|| rows.next().transpose())? else {
        return Ok(None);
    };
    let mut row = Row::new();
    for ((name, value), field) in record.into_columns().iter().zip(schema.get_fields()) {
        cell::add(&mut row, name, value, field);
    }
    Ok(Some(row))
}

/// Catches panics: the crate panics on some damage and on column types it does not know.
fn unless_panic<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the file is damaged or has a column of an unsupported type".to_owned()),
    }
}
