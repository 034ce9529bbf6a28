//! CSV header, and parsing of the item rows below it.
//!
//! A column is named after a field of `Item` or an attribute of the collection, whose type
//! determines how its cells are parsed. An empty cell has no value; a JSON array has several
//! values. Prices, times, availability and flags have the forms of catalogs, see
//! `vitrine_indexer::source::values`; `images` holds URIs, `vectors.SPACE` a JSON array of numbers.

use serde_json::{Map, Value, json};
use vitrine_indexer::source::{
    cells::coerce,
    values::{self, list},
};
use vitrine_schemas::{AttributeType, CollectionConfig, FieldError, Item};

use super::{Content, Record};
use crate::{
    error::{ApiError, ApiResult},
    http::body::read_value,
};

/// Columns of a CSV file.
pub struct Header {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    kind: ColumnKind,
}

enum ColumnKind {
    Text,
    Flag,
    Price,
    Availability,
    Time,
    Images,
    /// Vector of a space.
    Vector(String),
    Attribute(String, AttributeType),
}

impl Header {
    /// Parses the first row; reports all unknown and duplicate columns at once.
    pub fn read(row: &csv::StringRecord, config: &CollectionConfig) -> ApiResult<Self> {
        let (mut columns, mut errors) = (Vec::<Column>::new(), Vec::new());
        for name in row.iter().map(str::trim) {
            let problem = if columns.iter().any(|column| column.name == name) {
                "is duplicated"
            } else if let Some(kind) = ColumnKind::of(name, config) {
                let name = name.to_owned();
                columns.push(Column { name, kind });
                continue;
            } else {
                "is neither an item field nor an attribute of the collection; declare it or remove the column"
            };
            errors.push(FieldError {
                pointer: format!("/{name}"),
                detail: format!("column `{name}` {problem}"),
            });
        }
        if !columns.iter().any(|column| column.name == "id") {
            errors.push(FieldError {
                pointer: "/id".into(),
                detail: "the first row must name the columns, one of them `id`".into(),
            });
        }
        if errors.is_empty() {
            Ok(Self { columns })
        } else {
            Err(vitrine::Error::Invalid(errors).into())
        }
    }

    /// Parses the item of a row.
    pub fn item(&self, cells: &csv::StringRecord) -> ApiResult<Item> {
        if cells.len() != self.columns.len() {
            let (found, expected) = (cells.len(), self.columns.len());
            let detail = format!("expected {expected} cells as in the header, got {found}");
            return Err(ApiError::invalid("", detail));
        }
        let mut fields = Map::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let cell = cell.trim();
            if !cell.is_empty() {
                let value = column.kind.value(cell);
                let value = value
                    .map_err(|detail| ApiError::invalid(format!("/{}", column.name), detail))?;
                column.put(value, &mut fields);
            }
        }
        read_value(Value::Object(fields))
    }

    /// Returns the id of a row, which may be invalid otherwise.
    pub fn id(&self, cells: &csv::StringRecord) -> Option<String> {
        let at = self.columns.iter().position(|column| column.name == "id")?;
        cells.get(at).map(str::to_owned)
    }
}

impl Column {
    fn put(&self, value: Value, fields: &mut Map<String, Value>) {
        let (field, key) = match &self.kind {
            ColumnKind::Vector(space) => ("vectors", space),
            ColumnKind::Attribute(name, _) => ("attributes", name),
            ColumnKind::Text
            | ColumnKind::Flag
            | ColumnKind::Price
            | ColumnKind::Availability
            | ColumnKind::Time
            | ColumnKind::Images => {
                fields.insert(self.name.clone(), value);
                return;
            }
        };
        let inner = fields.entry(field).or_insert_with(|| json!({}));
        inner[key.as_str()] = value;
    }
}

impl ColumnKind {
    fn of(column: &str, config: &CollectionConfig) -> Option<Self> {
        Some(match column {
            "id" | "title" | "description" | "category" | "brand" | "fingerprint"
            | "content_hash" => Self::Text,
            "hidden" => Self::Flag,
            "price" | "original_price" | "sale_price" => Self::Price,
            "availability" => Self::Availability,
            "created_at" | "expires_at" => Self::Time,
            "images" => Self::Images,
            _ => match column.strip_prefix("vectors.") {
                Some(space) => Self::Vector(space.into()),
                None => {
                    let name = column.strip_prefix("attributes.").unwrap_or(column);
                    Self::Attribute(name.into(), *config.attributes.get(name)?)
                }
            },
        })
    }

    fn value(&self, cell: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(cell.into()),
            Self::Flag => values::flag(&cell.into()).map(|flag| json!(flag)),
            Self::Price => values::price(&cell.into(), None).map(|price| json!(price)),
            Self::Availability => values::availability(&cell.into()).map(|state| json!(state)),
            Self::Time => values::rfc3339(&cell.into()).map(|time| json!(time)),
            Self::Images => {
                let uris = list::json_array(cell).unwrap_or_else(|| {
                    let uris = list::split_images(cell).into_iter();
                    uris.map(Value::from).collect()
                });
                Ok(uris.into_iter().map(|uri| json!({"uri": uri})).collect())
            }
            Self::Vector(_) => match list::json_array(cell) {
                Some(numbers) => Ok(numbers.into()),
                None => Err("expected a JSON array of numbers".into()),
            },
            Self::Attribute(_, AttributeType::Text) => coerce(&cell.into(), AttributeType::Text),
            Self::Attribute(name, kind) => {
                let values = list::json_array(cell).unwrap_or_else(|| {
                    let values = list::split(cell, list::is_list(name)).into_iter();
                    values.map(Value::from).collect()
                });
                match values.as_slice() {
                    [value] => coerce(value, *kind),
                    values => values.iter().map(|value| coerce(value, *kind)).collect(),
                }
            }
        }
    }
}

/// Returns the cells of the header of a body; none if it is empty.
pub(crate) fn header_cells(record: Option<Record>) -> ApiResult<csv::StringRecord> {
    match record.map(|record| record.content) {
        None | Some(Content::Line(_)) => Ok(csv::StringRecord::new()),
        Some(Content::Cells(cells)) => Ok(cells),
        Some(Content::Undecodable(reason)) => {
            Err(ApiError::invalid("", format!("the header: {reason}")))
        }
        Some(Content::TooLong) => Err(ApiError::invalid(
            "",
            "the header is longer than limits.import_line_bytes; check the line ends",
        )),
    }
}
