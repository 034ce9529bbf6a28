//! Conversion of a row of named columns to an event.

use serde::Deserialize;
use serde::de::{IntoDeserializer, value::Error as ValueError};
use vitrine_schemas::{Event, EventKind};

use super::{
    super::cells::{self, Row},
    EventMapping, SourceError, time,
};

/// Error in a field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Field of the event; empty for the record as a whole.
    pub field: String,
    /// Problem and how to fix it.
    pub reason: String,
}

impl FieldError {
    pub(super) fn of(field: &str, reason: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            reason: reason.into(),
        }
    }

    /// Creates an error of the record as a whole.
    pub fn whole(reason: impl Into<String>) -> Self {
        Self::of("", reason)
    }
}

impl EventMapping {
    /// Returns the rules for JSON objects; `None` if these are events in the format of the API.
    pub(super) fn rules(&self) -> Option<EventRules> {
        self.names_columns().then(|| EventRules(self.clone()))
    }

    /// Returns the rules for a file with these columns. Columns that the mapping names must be
    /// present; others are recognized by their names.
    ///
    /// # Errors
    /// A column is missing.
    pub fn for_columns(&self, name: &str, columns: &[String]) -> Result<EventRules, SourceError> {
        self.with_columns(name, columns).map(EventRules)
    }
}

/// Mapping whose columns are present in the file.
#[derive(Debug, Clone)]
pub struct EventRules(EventMapping);

impl EventRules {
    /// Returns the id of a row, which may not be a valid event.
    pub fn id(&self, row: &Row) -> Option<String> {
        let column = self.0.id.as_ref()?;
        texts(row, column).ok()?.pop()
    }

    /// Returns the event of a row.
    ///
    /// # Errors
    /// Names the field and the problem.
    pub fn event(&self, row: &Row, collection: &str) -> Result<Event, FieldError> {
        let mapping = &self.0;
        let text = |field, column: &Option<String>| one(row, field, column.as_deref());
        let (user, session) = (
            text("user", &mapping.user)?,
            text("session", &mapping.session)?,
        );
        if user.is_none() && session.is_none() {
            return Err(FieldError::of(
                "user",
                "is blank, and so is session; one of them is required",
            ));
        }
        let kind = match text("kind", &mapping.kind)? {
            Some(word) => self.kind(&word)?,
            None => mapping
                .default_kind
                .ok_or_else(|| FieldError::of("kind", "is blank; fill it or set a default kind"))?,
        };
        let value = text("value", &mapping.value)?.map(|v| number("value", &v));
        let counted = matches!(
            kind,
            EventKind::Purchase | EventKind::Return | EventKind::AddToCart
        );
        let quantity = match counted {
            true => text("quantity", &mapping.quantity)?.map(|q| number("quantity", &q)),
            false => None,
        };
        let ts = text("ts", &mapping.ts)?.map(|text| {
            time_of(&text, mapping.ts_format.as_deref()).map_err(|e| FieldError::of("ts", e))
        });
        if mapping.ts.is_some() && ts.is_none() {
            return Err(FieldError::of(
                "ts",
                "is blank; the time of the event is required",
            ));
        }
        Ok(Event {
            id: text("id", &mapping.id)?,
            kind,
            collection: collection.to_owned(),
            user,
            session,
            items: self.items(row)?,
            ts: ts.transpose()?,
            quantity: quantity.transpose()?,
            value: value.transpose()?,
            request_id: None,
            position: None,
        })
    }

    fn items(&self, row: &Row) -> Result<Vec<String>, FieldError> {
        let column = self.0.items.as_deref().unwrap_or("items");
        let cells = texts(row, column).map_err(|e| FieldError::of("items", e))?;
        let items: Vec<String> = match &self.0.items_separator {
            None => cells,
            Some(separator) => cells
                .iter()
                .flat_map(|cell| cell.split(separator.as_str()))
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        };
        if items.is_empty() {
            return Err(FieldError::of(
                "items",
                "is blank; at least one item is required",
            ));
        }
        Ok(items)
    }

    fn kind(&self, word: &str) -> Result<EventKind, FieldError> {
        if let Some(kind) = self.0.kinds.get(word) {
            return Ok(*kind);
        }
        let plain = word.to_ascii_lowercase().replace([' ', '-'], "_");
        EventKind::deserialize(IntoDeserializer::<ValueError>::into_deserializer(
            plain.as_str(),
        ))
        .map_err(|_| {
            FieldError::of(
                "kind",
                format!(
                    "expected view, click, add_to_cart, purchase, rating, like, hide, return, impression, \
                     follow or unfollow, got `{word}`; use one of these or map it to a kind in the mapping: kinds = {{ \"{word}\" = \"view\" }}"
                ),
            )
        })
    }
}

fn number(field: &str, text: &str) -> Result<f64, FieldError> {
    // `4,5`: a decimal comma, unless it groups thousands (`1,200`).
    let plain = match text.split_once(',') {
        Some((_, fraction)) if fraction.len() != 3 && !fraction.contains([',', '.']) => {
            text.replace(',', ".")
        }
        _ => text.to_owned(),
    };
    match plain.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => {
            let reason = format!("expected a number, got `{text}`");
            Err(FieldError::of(field, reason))
        }
    }
}

fn one(row: &Row, field: &'static str, column: Option<&str>) -> Result<Option<String>, FieldError> {
    let Some(column) = column else {
        return Ok(None);
    };
    let mut cells = texts(row, column).map_err(|e| FieldError::of(field, e))?;
    match cells.len() {
        0 | 1 => Ok(cells.pop()),
        _ => Err(FieldError::of(
            field,
            format!("column `{column}`: expected one value, got a list"),
        )),
    }
}

/// Returns the values of a cell.
fn texts(row: &Row, column: &str) -> Result<Vec<String>, String> {
    match cells::integer_of_float(row, column) {
        Some(integer) => Ok(vec![integer]),
        None => cells::texts(row, column),
    }
}

/// Converts the time of an event to RFC 3339 in UTC.
///
/// # Errors
/// The time cannot be parsed, or it is the start of 1970, which stands for no time.
pub(super) fn time_of(text: &str, format: Option<&str>) -> Result<String, String> {
    let time = match format {
        Some(format) => time::parse_as(text, format)?,
        None if time::begins_with_day_or_month(text) => {
            return Err(format!(
                "expected a time with the year first or the month by its name, got `{text}`; set ts_format (`%d.%m.%Y %H:%M`)"
            ));
        }
        None => time::parse(text).map_err(|e| format!("{e}; set ts_format for other forms"))?,
    };
    if time.timestamp_micros() == 0 {
        return Err(format!(
            "expected a time, got `{text}`, the start of 1970, which stands for no time; fill it"
        ));
    }
    Ok(time::rfc3339(time))
}
