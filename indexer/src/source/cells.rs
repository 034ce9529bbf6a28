//! Conversion of cells to fields of an item: texts, prices, images, attribute values. Shared by all
//! formats; the mapping of columns to fields is not decided here.

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Map, Number, Value};
use vitrine_schemas::{AttributeType, Availability, CategoryPath, ImageRef, Price, RESERVED_NAMES};

use super::{
    html,
    values::{self, DecimalMark, list},
};

/// Row of named columns. Cells hold scalars or lists of scalars, prices and images also objects.
pub type Row = Map<String, Value>;

/// Decimal marks by column.
pub(super) type Marks = HashMap<String, DecimalMark>;

/// Maximum length of a value in a message, in characters.
const MAX_SHOWN: usize = 80;

/// A value that costs its field and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Line of the value, from 1.
    pub line: u64,
    /// Column of the value.
    pub column: String,
    /// The value as written, shortened.
    pub value: String,
    /// Reason, and how to fix it.
    pub reason: String,
}

impl Note {
    /// Creates a note on the value of a column.
    pub(crate) fn new(line: u64, column: &str, value: &Value, reason: &str) -> Self {
        let value: String = as_text(value).chars().take(MAX_SHOWN).collect();
        Self {
            line,
            column: column.to_owned(),
            value,
            reason: format!("column `{column}`: {reason}"),
        }
    }
}

/// Reader of the cells of one row. What cannot be read becomes a note, and its field is left out.
pub(super) struct Cells<'r> {
    pub row: &'r Row,
    pub line: u64,
    marks: &'r Marks,
    pub notes: Vec<Note>,
}

impl<'r> Cells<'r> {
    pub fn new(line: u64, row: &'r Row, marks: &'r Marks) -> Self {
        Self {
            row,
            line,
            marks,
            notes: Vec::new(),
        }
    }

    /// Adds a note on a column.
    pub fn note(&mut self, column: &str, reason: &str) {
        let value = self.row.get(column).unwrap_or(&Value::Null);
        self.notes.push(Note::new(self.line, column, value, reason));
    }

    fn keep<T>(&mut self, column: &str, read: Result<Option<T>, String>) -> Option<T> {
        read.unwrap_or_else(|reason| {
            self.note(column, &reason);
            None
        })
    }

    /// Returns a value as text; of a list, the first.
    pub fn text(&mut self, column: &str) -> Option<String> {
        let mut all = self.texts(column);
        if all.len() > 1 {
            all.dedup();
        }
        if all.len() > 1 {
            self.note(column, "expected one value, got a list; the first is used");
        }
        (!all.is_empty()).then(|| all.swap_remove(0))
    }

    /// Returns all values as texts.
    pub fn texts(&mut self, column: &str) -> Vec<String> {
        let read = texts(self.row, column).map(Some);
        let reason = |e: String| e.split_once(": ").map_or(e.clone(), |(_, r)| r.to_owned());
        self.keep(column, read.map_err(reason)).unwrap_or_default()
    }

    fn value(&self, column: &str) -> &'r Value {
        cell(self.row, column).unwrap_or(&Value::Null)
    }

    /// Returns the value of a field that has one; of a list, the first.
    fn single(&mut self, column: &str) -> &'r Value {
        let Value::Array(values) = self.value(column) else {
            return self.value(column);
        };
        let mut filled = values.iter().filter(|value| !is_blank(value));
        let first = filled.next().unwrap_or(&Value::Null);
        if filled.any(|other| other != first) {
            self.note(column, "expected one value, got a list; the first is used");
        }
        first
    }

    pub fn price(&mut self, column: &str) -> Option<Price> {
        let mark = self.marks.get(column).and_then(|mark| mark.mark());
        let read = match self.single(column) {
            Value::String(text) if text.contains('&') => {
                values::price(&html::text(text).into(), mark)
            }
            other => values::price(other, mark),
        };
        self.keep(column, read)
    }

    /// Returns true if a price names its currency by a code, or a sign of that currency alone.
    pub fn names(&self, column: &str, code: &str) -> bool {
        let sign = match code {
            "EUR" => "€",
            "GBP" => "£",
            _ => code,
        };
        let text = as_text(self.value(column)).to_uppercase();
        text.contains(code) || text.contains(sign)
    }

    pub fn currency(&mut self, column: &str) -> Option<String> {
        let code = self.text(column)?;
        let read = values::currency(&code);
        self.keep(column, read)
    }

    pub fn time(&mut self, column: &str) -> Option<String> {
        let read = values::rfc3339(self.single(column));
        self.keep(column, read)
    }

    pub fn availability(&mut self, column: &str) -> Option<Availability> {
        let read = values::availability(self.single(column));
        self.keep(column, read)
    }

    pub fn flag(&mut self, column: &str) -> Option<bool> {
        let read = values::flag(self.single(column));
        self.keep(column, read)
    }

    pub fn images(&mut self, column: &str) -> Vec<ImageRef> {
        let mut found = Vec::new();
        if let Err(reason) = images(self.value(column), &mut found) {
            self.note(column, &reason);
        }
        found
    }

    /// Returns the value of an attribute with a declared type; values of other types are left out.
    /// Without a separator, texts of other types than `text` are lists as in [`list::split`].
    pub fn typed(
        &mut self,
        name: &str,
        column: &str,
        kind: AttributeType,
        separator: Option<&str>,
    ) -> Option<Value> {
        let mut found = Vec::new();
        for value in self.scalars(column) {
            let parts: Vec<Value> = match (&value, separator) {
                (Value::String(text), Some(separator)) => {
                    let text = html::decode(text);
                    let parts = text.split(separator).map(str::trim);
                    parts.filter(|p| !p.is_empty()).map(Value::from).collect()
                }
                (Value::String(text), None) if kind != AttributeType::Text => {
                    let text = decoded(text);
                    let is_list = kind == AttributeType::Keyword
                        && (list::is_list(name) || list::is_list(column));
                    let parts = list::split(&text, is_list);
                    parts.into_iter().map(Value::from).collect()
                }
                _ => vec![value],
            };
            for part in parts {
                match coerce(&part, kind) {
                    Ok(value) => found.push(value),
                    Err(reason) => self.note(column, &reason),
                }
            }
        }
        one_or_many(found)
    }

    /// Returns the value of an attribute without a declared type: as it is, lists split.
    pub fn untyped(&mut self, column: &str) -> Option<Value> {
        let mut found = Vec::new();
        for value in self.scalars(column) {
            match value {
                Value::String(text) => {
                    let text = decoded(&text);
                    let parts = list::split(&text, list::is_list(column));
                    found.extend(parts.into_iter().map(Value::from));
                }
                other => found.push(other),
            }
        }
        one_or_many(found)
    }

    /// Returns the value of an attribute as given: texts are not split.
    pub fn untyped_whole(&mut self, column: &str) -> Option<Value> {
        let value = self.value(column);
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        if values.iter().any(|v| v.is_object() || v.is_array()) {
            self.note(
                column,
                "expected a scalar or a list of scalars, got nested values",
            );
            return None;
        }
        (!is_blank(value)).then(|| value.clone())
    }

    /// Returns the scalars of a cell, those of a JSON array in a text too.
    fn scalars(&mut self, column: &str) -> Vec<Value> {
        let value = self.value(column);
        let cell = match value {
            Value::String(text) => list::json_array(text),
            _ => None,
        };
        let cell = match (cell, value) {
            (Some(values), _) => values,
            (None, Value::Array(values)) => values.clone(),
            (None, value) => vec![value.clone()],
        };
        if cell.iter().any(|v| v.is_object() || v.is_array()) {
            self.note(
                column,
                "expected a scalar or a list of scalars, got nested values",
            );
            return Vec::new();
        }
        cell.into_iter()
            .filter(|value| !is_blank(value))
            .map(|value| match value {
                Value::String(text) => Value::from(text.trim()),
                other => other,
            })
            .collect()
    }
}

/// Returns a text without entities, whose semicolons separate nothing; a web address as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    match text.contains("://") {
        true => text.into(),
        false => html::decode(text),
    }
}

pub(super) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_blank),
        _ => false,
    }
}

/// Returns a cell. A name with dots also names a field of nested objects: `offers.price`; of a list
/// of objects, the first counts.
pub(super) fn cell<'a>(row: &'a Row, column: &str) -> Option<&'a Value> {
    row.get(column).or_else(|| {
        let mut names = column.split('.');
        let mut value = row.get(names.next()?)?;
        for name in names {
            if let Value::Array(values) = value {
                value = values.first()?;
            }
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    })
}

/// Returns the scalars of a cell, without nulls and blanks.
fn scalars<'a>(row: &'a Row, column: &str) -> Result<Vec<&'a Value>, String> {
    let cell = match cell(row, column) {
        None => &[],
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    if cell.iter().any(|v| v.is_object() || v.is_array()) {
        return Err(format!(
            "column `{column}`: expected a scalar or a list of scalars, got nested values"
        ));
    }
    Ok(cell.iter().filter(|v| !is_blank(v)).collect())
}

pub(super) fn as_text(value: &Value) -> String {
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

/// Returns the text of a cell of one value; `None` for anything else.
pub(super) fn plain(row: &Row, column: &str) -> Option<String> {
    text(row, column).ok().flatten()
}

/// Returns the integer of a cell that was written as `1001.0`, as tools do if a column has blanks.
pub(super) fn integer_of_float(row: &Row, column: &str) -> Option<String> {
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() < 2_f64.powi(53);
    let number = row.get(column).filter(|value| value.is_f64());
    let number = number.and_then(Value::as_f64).filter(whole)?;
    Some(format!("{number:.0}"))
}

/// Returns the id of an item.
pub(super) fn id(row: &Row, column: &str) -> Result<String, String> {
    if let Some(id) = integer_of_float(row, column) {
        return Ok(id);
    }
    if let Some(Value::Bool(flag)) = cell(row, column) {
        return Err(format!(
            "column `{column}`: expected a text or a number, got `{flag}`"
        ));
    }
    text(row, column)?.ok_or_else(|| format!("column `{column}`: is empty; every item needs an id"))
}

/// Joins category levels to a path.
pub(super) fn category_path<'a>(levels: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let path = CategoryPath::join(levels.into_iter().flat_map(CategoryPath::levels));
    (!path.is_empty()).then_some(path)
}

/// Parses an image reference: a web address or a path relative to the catalog.
pub(super) fn image(text: &str) -> ImageRef {
    let decoded = match text.contains("&amp;") {
        true => text.replace("&amp;", "&"),
        false => text.to_owned(),
    };
    let text = decoded.as_str();
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
    });
    if is_url {
        ImageRef::Uri(text.to_owned())
    } else if let Some(rest) = text.strip_prefix("//") {
        ImageRef::Uri(format!("https://{rest}"))
    } else {
        ImageRef::Path(text.to_owned())
    }
}

/// Adds the images of a cell: texts, objects as in the API or with a `url`, or lists of these.
fn images(value: &Value, found: &mut Vec<ImageRef>) -> Result<(), String> {
    let mut add = |image: ImageRef| {
        if !found.contains(&image) {
            found.push(image);
        }
    };
    match value {
        Value::Null => {}
        Value::String(text) => match list::json_array(text) {
            Some(values) => return images(&values.into(), found),
            None if text.trim_start().starts_with('<') => {
                let sources = html::image_sources(text);
                if sources.is_empty() {
                    return Err("expected a file or web address, or `<img src=...>`".to_owned());
                }
                sources.iter().map(|source| image(source)).for_each(add);
            }
            None => list::split_images(text)
                .into_iter()
                .map(image)
                .for_each(add),
        },
        Value::Array(values) => return values.iter().try_for_each(|v| images(v, found)),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if let Some(bytes) = text("bytes") {
                add(ImageRef::Bytes(bytes.to_owned()));
            } else if let Some(place) = ["uri", "path", "url", "src", "href", "link"]
                .iter()
                .find_map(|name| text(name))
            {
                add(image(place));
            } else {
                return Err("expected an image with `uri`, `path` or `bytes`".to_owned());
            }
        }
        Value::Bool(_) | Value::Number(_) => {
            return Err(format!("expected a file or web address, got `{value}`"));
        }
    }
    Ok(())
}

/// Returns a single value unchanged, and several as an array.
pub(super) fn one_or_many(mut values: Vec<Value>) -> Option<Value> {
    match values.len() {
        0 | 1 => values.pop(),
        _ => Some(Value::Array(values)),
    }
}

/// Converts a scalar to a type of attributes.
///
/// # Errors
/// The value has no reading of that type.
pub fn coerce(value: &Value, kind: AttributeType) -> Result<Value, String> {
    let text = as_text(value);
    let wrong = |what| format!("expected {what}, got `{text}`");
    match kind {
        AttributeType::Keyword | AttributeType::Text => Ok(text.into()),
        AttributeType::Datetime => match values::rfc3339(value)? {
            Some(time) => Ok(time.into()),
            None => Err(wrong("a time like 2026-01-31T12:00:00Z")),
        },
        AttributeType::Category => category_path([text.as_str()])
            .map(Value::from)
            .ok_or_else(|| wrong("a category path like `Clothing > Shoes`")),
        AttributeType::Integer => integer(&text)
            .map(Value::from)
            .ok_or_else(|| wrong("a 64-bit integer")),
        AttributeType::Float => float(&text)
            .and_then(Number::from_f64)
            .map(Value::from)
            .ok_or_else(|| wrong("a number")),
        AttributeType::Bool => match values::flag(value)? {
            Some(flag) => Ok(flag.into()),
            None => Err(wrong("true or false")),
        },
    }
}

/// Parses an integer, also in the forms `2011.0` that some tools write and `1,000`.
fn integer(text: &str) -> Option<i64> {
    if let Some((first, groups)) = text.split_once(',') {
        let is_group = |group: &str| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit());
        let is_grouped = (1..=3).contains(&first.trim_start_matches('-').len());
        return match is_grouped && groups.split(',').all(is_group) {
            true => text.replace(',', "").parse().ok(),
            false => None,
        };
    }
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    whole.parse().ok()
}

/// Parses a number, also with a decimal comma.
fn float(text: &str) -> Option<f64> {
    let number = match text.split_once(',') {
        Some((whole, rest)) if !rest.contains([',', '.']) && !whole.contains('.') => {
            text.replacen(',', ".", 1).parse()
        }
        _ => text.parse(),
    };
    number.ok().filter(|n: &f64| n.is_finite())
}

/// Converts a name to an attribute name, `[A-Za-z][A-Za-z0-9_]{0,63}`: letters of other alphabets
/// are transliterated, other characters become `_`. `None` for an empty name.
pub(super) fn attribute_name(name: &str) -> Option<String> {
    let mut plain: String = deunicode::deunicode(name.trim())
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
