//! Conversion of cells to fields of an item: texts, prices, images, attribute values. Shared by all
//! formats; the mapping of columns to fields is not decided here.

use serde_json::{Map, Number, Value};
use vitrine_schemas::{AttributeType, Availability, ImageRef, Price, RESERVED_NAMES};

/// Row of named columns. Cells hold scalars or lists of scalars.
pub type Row = Map<String, Value>;

/// Returns the scalars of a cell, without nulls and blanks.
fn scalars<'a>(row: &'a Row, column: &str) -> Result<Vec<&'a Value>, String> {
    let cell = match row.get(column) {
        None => &[],
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    if cell.iter().any(|v| v.is_object() || v.is_array()) {
        return Err(format!(
            "column `{column}`: expected a scalar or a list of scalars, got nested values"
        ));
    }
    let blank = |v: &Value| v.is_null() || v.as_str().is_some_and(|s| s.trim().is_empty());
    Ok(cell.iter().filter(|v| !blank(v)).collect())
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Returns all values of a cell as texts.
pub(super) fn texts(row: &Row, column: &str) -> Result<Vec<String>, String> {
    Ok(scalars(row, column)?.into_iter().map(as_text).collect())
}

/// Returns the value of a cell as text; `None` if it is blank or the column is absent.
pub(super) fn text(row: &Row, column: &str) -> Result<Option<String>, String> {
    match *scalars(row, column)? {
        [] => Ok(None),
        [value] => Ok(Some(as_text(value))),
        _ => Err(format!("column `{column}`: expected one value, got a list")),
    }
}

/// Returns the id of an item.
pub(super) fn id(row: &Row, column: &str) -> Result<String, String> {
    text(row, column)?.ok_or_else(|| format!("column `{column}`: is empty; every item needs an id"))
}

/// Joins category levels to a path.
pub(super) fn category_path<'a>(levels: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let levels: Vec<_> = levels
        .into_iter()
        .flat_map(|l| l.split('>'))
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    (!levels.is_empty()).then(|| levels.join(" > "))
}

/// Parses a price in the forms of feeds: `15`, `15.00`, `15.00 USD`, `USD 15.00`.
pub(super) fn price(column: &str, text: &str) -> Result<Price, String> {
    let wrong =
        || format!("column `{column}`: expected a price like `15.00` or `15.00 USD`, got `{text}`");
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    let start = text.find(numeric).ok_or_else(wrong)?;
    let end = text.rfind(numeric).map_or(start, |last| last + 1);
    let number = &text[start..end];
    if !number.chars().all(numeric) {
        return Err(wrong());
    }
    let amount = number.parse().map_err(|_| wrong())?;
    let currency = match (text[..start].trim(), text[end..].trim()) {
        ("", "") => None,
        (code, "") | ("", code) => Some(currency(column, code)?),
        _ => return Err(wrong()),
    };
    Ok(Price { amount, currency })
}

/// Parses an ISO 4217 code.
pub(super) fn currency(column: &str, code: &str) -> Result<String, String> {
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Ok(code.to_ascii_uppercase());
    }
    Err(format!(
        "column `{column}`: expected an ISO 4217 currency code like `EUR`, got `{code}`"
    ))
}

/// Parses an image reference: a web address or a path relative to the catalog.
pub(super) fn image(text: &str) -> ImageRef {
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
    });
    if is_url {
        ImageRef::Uri(text.to_owned())
    } else {
        ImageRef::Path(text.to_owned())
    }
}

/// Parses a stock state: `in stock`, `in_stock`, `In-Stock`, ...
pub(super) fn availability(column: &str, text: &str) -> Result<Availability, String> {
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match plain.as_str() {
        "instock" => Ok(Availability::InStock),
        "outofstock" => Ok(Availability::OutOfStock),
        "preorder" => Ok(Availability::Preorder),
        "backorder" => Ok(Availability::Backorder),
        _ => Err(format!(
            "column `{column}`: expected in_stock, out_of_stock, preorder or backorder, got `{text}`"
        )),
    }
}

/// Parses a boolean.
pub(super) fn flag(column: &str, text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!(
            "column `{column}`: expected true or false, got `{text}`"
        )),
    }
}

/// Returns the value of an attribute: a scalar, or an array of several values. Without a `kind`,
/// values are unchanged. Times are not parsed here; the engine checks them.
pub(super) fn attribute(
    row: &Row,
    column: &str,
    kind: Option<AttributeType>,
    separator: Option<&str>,
) -> Result<Option<Value>, String> {
    let mut values = Vec::new();
    for value in scalars(row, column)? {
        match (value, separator) {
            (Value::String(list), Some(separator)) => {
                let parts = list.split(separator).map(str::trim);
                for part in parts.filter(|part| !part.is_empty()) {
                    values.push(typed(&Value::from(part), column, kind)?);
                }
            }
            _ => values.push(typed(value, column, kind)?),
        }
    }
    Ok(one_or_many(values))
}

/// Returns a single value unchanged, and several as an array.
pub(super) fn one_or_many(mut values: Vec<Value>) -> Option<Value> {
    match values.len() {
        0 | 1 => values.pop(),
        _ => Some(Value::Array(values)),
    }
}

fn typed(value: &Value, column: &str, kind: Option<AttributeType>) -> Result<Value, String> {
    let Some(kind) = kind else {
        return Ok(match value {
            Value::String(_) => as_text(value).into(),
            other => other.clone(),
        });
    };
    let text = as_text(value);
    let wrong = |what| format!("column `{column}`: expected {what}, got `{text}`");
    match kind {
        AttributeType::Keyword | AttributeType::Text | AttributeType::Datetime => {
            Ok(text.clone().into())
        }
        AttributeType::Category => category_path([text.as_str()])
            .map(Value::from)
            .ok_or_else(|| wrong("a category path like `Clothing > Shoes`")),
        AttributeType::Integer => integer(&text)
            .map(Value::from)
            .ok_or_else(|| wrong("a 64-bit integer")),
        AttributeType::Float => text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::from)
            .ok_or_else(|| wrong("a number")),
        AttributeType::Bool => flag(column, &text).map(Value::from),
    }
}

/// Parses an integer, also in the form `2011.0` that some tools write.
fn integer(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    whole.parse().ok()
}

/// Converts a name to an attribute name, `[A-Za-z][A-Za-z0-9_]{0,63}`: other characters become `_`.
/// `None` for an empty name.
pub(super) fn attribute_name(name: &str) -> Option<String> {
    let mut plain: String = name
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if plain.is_empty() {
        return None;
    }
    if !plain.starts_with(|c: char| c.is_ascii_alphabetic())
        || RESERVED_NAMES.contains(&plain.as_str())
    {
        plain.insert_str(0, "x_");
    }
    plain.truncate(64);
    Some(plain)
}

/// Returns true if the name is a valid attribute name.
pub(super) fn is_attribute_name(name: &str) -> bool {
    attribute_name(name).as_deref() == Some(name)
}
