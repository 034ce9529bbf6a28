//! The header of a CSV file, and the items in the rows below it.
//!
//! A column is named after a field of `Item` or an attribute of the collection, whose type its cells are read by. An
//! empty cell is no value; a cell that is a JSON array has several. `price` may carry its currency (`12.50 EUR`),
//! `images` holds web addresses, `vectors.SPACE` a JSON array of numbers.

use serde_json::{Map, Value, json};
use vitrine_schemas::{AttributeType, CollectionConfig, FieldError, Item};

use crate::{
    body::pointer,
    error::{ApiError, ApiResult},
};

/// The columns of a file.
pub struct Header {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    kind: Kind,
}

enum Kind {
    Text,
    Flag,
    Price,
    Images,
    /// Of a space.
    Vector(String),
    Attribute(String, AttributeType),
}

impl Header {
    /// Reads the first row; columns that the collection has no place for are refused, all at once.
    pub fn read(row: &[u8], config: &CollectionConfig) -> ApiResult<Self> {
        let (mut columns, mut faults) = (Vec::<Column>::new(), Vec::new());
        for name in cells(row)?.iter().map(str::trim) {
            let fault = if columns.iter().any(|column| column.name == name) {
                "is there twice"
            } else if let Some(kind) = Kind::of(name, config) {
                let name = name.to_owned();
                columns.push(Column { name, kind });
                continue;
            } else {
                "is neither a field of an item nor an attribute of the collection; declare it, or leave it out"
            };
            faults.push(FieldError {
                pointer: format!("/{name}"),
                detail: format!("column `{name}` {fault}"),
            });
        }
        if !columns.iter().any(|column| column.name == "id") {
            faults.push(FieldError {
                pointer: "/id".into(),
                detail: "the first row must name the columns, one of them `id`".into(),
            });
        }
        if faults.is_empty() {
            Ok(Self { columns })
        } else {
            Err(vitrine::Error::Invalid(faults).into())
        }
    }

    /// The item in a row.
    pub fn item(&self, row: &[u8]) -> ApiResult<Item> {
        let cells = cells(row)?;
        if cells.len() != self.columns.len() {
            let (found, wanted) = (cells.len(), self.columns.len());
            let detail = format!("the row has {found} cells, the header {wanted}");
            return Err(ApiError::invalid("", detail));
        }
        let mut fields = Map::new();
        for (column, cell) in self.columns.iter().zip(&cells) {
            let cell = cell.trim();
            if !cell.is_empty() {
                let value = column.kind.value(cell);
                let value = value
                    .map_err(|detail| ApiError::invalid(format!("/{}", column.name), detail))?;
                column.put(value, &mut fields);
            }
        }
        serde_path_to_error::deserialize(Value::Object(fields))
            .map_err(|e| ApiError::invalid(pointer(e.path()), e.inner().to_string()))
    }

    /// The id in a row that may be no item.
    pub fn id(&self, row: &[u8]) -> Option<String> {
        let at = self.columns.iter().position(|column| column.name == "id")?;
        cells(row).ok()?.get(at).map(str::to_owned)
    }
}

impl Column {
    fn put(&self, value: Value, fields: &mut Map<String, Value>) {
        let (field, key) = match &self.kind {
            Kind::Vector(space) => ("vectors", space),
            Kind::Attribute(name, _) => ("attributes", name),
            Kind::Text | Kind::Flag | Kind::Price | Kind::Images => {
                fields.insert(self.name.clone(), value);
                return;
            }
        };
        let inner = fields.entry(field).or_insert_with(|| json!({}));
        inner[key.as_str()] = value;
    }
}

impl Kind {
    fn of(column: &str, config: &CollectionConfig) -> Option<Self> {
        Some(match column {
            "id" | "title" | "description" | "category" | "brand" | "availability"
            | "created_at" | "expires_at" | "fingerprint" | "content_hash" => Self::Text,
            "hidden" => Self::Flag,
            "price" => Self::Price,
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
            Self::Flag => flag(cell),
            Self::Price => match cell.split_once(' ') {
                None => Ok(json!({"amount": number(cell)?})),
                Some((amount, currency)) => {
                    Ok(json!({"amount": number(amount)?, "currency": currency.trim()}))
                }
            },
            Self::Images => {
                let uris = array(cell).unwrap_or_else(|| vec![cell.into()]);
                Ok(uris.into_iter().map(|uri| json!({"uri": uri})).collect())
            }
            Self::Vector(_) => match array(cell) {
                Some(numbers) => Ok(numbers.into()),
                None => Err("must be a JSON array of numbers".into()),
            },
            Self::Attribute(_, kind) => match (kind, array(cell)) {
                (AttributeType::Text, _) | (_, None) => scalar(*kind, cell),
                (_, Some(values)) => Ok(values.into()),
            },
        }
    }
}

fn scalar(kind: AttributeType, cell: &str) -> Result<Value, String> {
    match kind {
        AttributeType::Keyword
        | AttributeType::Category
        | AttributeType::Datetime
        | AttributeType::Text => Ok(cell.into()),
        AttributeType::Integer => match cell.parse::<i64>() {
            Ok(whole) => Ok(whole.into()),
            Err(_) => Err(format!("`{cell}` is no whole number")),
        },
        AttributeType::Float => number(cell),
        AttributeType::Bool => flag(cell),
    }
}

fn number(cell: &str) -> Result<Value, String> {
    let number = cell.parse::<f64>().ok().filter(|x| x.is_finite());
    number
        .map(Value::from)
        .ok_or_else(|| format!("`{cell}` is no number; write it like 12.50"))
}

fn flag(cell: &str) -> Result<Value, String> {
    match cell.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true.into()),
        "false" | "0" => Ok(false.into()),
        _ => Err(format!("`{cell}` is neither true nor false")),
    }
}

fn array(cell: &str) -> Option<Vec<Value>> {
    cell.starts_with('[')
        .then(|| serde_json::from_str(cell).ok())?
}

/// The cells of a row.
pub(super) fn cells(row: &[u8]) -> ApiResult<csv::StringRecord> {
    let mut record = csv::StringRecord::new();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(row)
        .read_record(&mut record)
        .map_err(|e| ApiError::invalid("", format!("not a CSV row in UTF-8: {e}")))?;
    Ok(record)
}
