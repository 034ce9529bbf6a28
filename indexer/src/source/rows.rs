//! Rows of a catalog of any format, before they have a meaning.

use std::{collections::HashSet, path::Path};

use serde_json::Value;
use vitrine_schemas::Item;

use super::{
    Format, SourceError,
    cells::Row,
    google, google_xml,
    input::{Input, Reading},
    jsonl,
    line::{Line, Lines},
    parquet,
    table::Table,
    text::encoding::Content,
};

/// Rows of an opened file.
pub(super) struct Opened {
    pub name: String,
    /// Columns of the header; `None` if each row has its own.
    pub columns: Option<Vec<String>>,
    pub lines: Lines,
}

/// Opens the rows of a file. Without a mapping (`is_by_name`), items of the API are recognized and
/// the fields of Google feeds have one spelling.
pub(super) fn open(
    source: &Path,
    format: Format,
    is_by_name: bool,
    reading: &Reading,
) -> Result<Opened, SourceError> {
    let table = |delimiter| Table::open(Input::open(source, reading, Content::Table)?, delimiter);
    match format {
        Format::Parquet => {
            let rows = parquet::Rows::open(source)?;
            Ok(Opened {
                name: rows.name().to_owned(),
                columns: Some(rows.columns().to_vec()),
                lines: Box::new(rows.map(|row| {
                    let (line, row) = row?;
                    Ok(Line::new(line, row))
                })),
            })
        }
        Format::Jsonl => {
            let input = Input::open(source, reading, Content::Json)?;
            Ok(Opened {
                name: input.name.clone(),
                columns: None,
                lines: Box::new(jsonl::lines(input).map(move |line| {
                    let (line, bytes) = line?;
                    Ok(object(line, &bytes, is_by_name))
                })),
            })
        }
        Format::GoogleXml => {
            let input = Input::open(source, reading, Content::Xml)?;
            Ok(Opened {
                name: input.name.clone(),
                columns: None,
                lines: Box::new(google_xml::rows(input)?),
            })
        }
        Format::GoogleTsv => {
            let table = table(b'\t')?;
            Ok(separated(if is_by_name {
                table.rename(google::field_name)
            } else {
                table
            }))
        }
        Format::Csv | Format::Shopify | Format::Vendure => Ok(separated(table(b',')?)),
    }
}

fn separated(table: Table) -> Opened {
    Opened {
        name: table.name().to_owned(),
        columns: Some(each_once(table.columns())),
        lines: Box::new(table.map(|line| {
            let line = line?;
            let repeated = || is_header(&line.row).then(|| REPEATED_HEADER.to_owned());
            Ok(Line {
                line: line.line,
                error: line.error.or_else(repeated),
                row: line.row,
                item: None,
            })
        })),
    }
}

/// Reason why a line is refused whose cells are the names of their columns.
const REPEATED_HEADER: &str = "repeats the names of the columns; remove the line";

/// Returns true if a row repeats the header, as where files were joined.
fn is_header(row: &Row) -> bool {
    row.len() > 1 && row.iter().all(|(column, cell)| cell == column.as_str())
}

/// Returns each name once: columns of one name are a list in the rows.
fn each_once(columns: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let first = columns.iter().filter(|column| seen.insert(*column));
    first.cloned().collect()
}

/// Parses a line of JSON.
fn object(line: u64, bytes: &[u8], has_items: bool) -> Line {
    let broken = |error: String| Line {
        error: Some(error),
        ..Line::new(line, Row::new())
    };
    let text = match jsonl::text(bytes) {
        Ok(text) => text,
        Err(error) => return broken(error),
    };
    if has_items && let Ok(item) = serde_json::from_str::<Item>(text) {
        return Line {
            item: Some(Box::new(item)),
            ..Line::new(line, Row::new())
        };
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(row)) => Line::new(line, row),
        Ok(other) => broken(format!("expected a JSON object, got `{other}`")),
        Err(error) => broken(format!("expected a JSON object: {error}")),
    }
}
