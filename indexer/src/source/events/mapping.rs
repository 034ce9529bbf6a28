//! Mapping files of events, and the column names that are recognized without one. The conversion of
//! a row to an event lives in `rules`.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use vitrine_schemas::EventKind;

use super::{super::mapping::require, SourceError};

/// Column names that are recognized without a mapping, in any case and with `_`, `-`, a space or
/// nothing between words; the first one present is used.
const NAMES: [(&str, &[&str]); 8] = [
    ("user", &["user", "user_id", "customer_id", "visitor_id"]),
    (
        "items",
        &[
            "items",
            "item",
            "item_id",
            "item_ids",
            "product_id",
            "product_ids",
            "product",
            "sku",
        ],
    ),
    (
        "kind",
        &["kind", "event", "event_type", "event_name", "event_kind"],
    ),
    (
        "ts",
        &[
            "ts",
            "timestamp",
            "event_time",
            "time",
            "created_at",
            "date",
        ],
    ),
    ("value", &["value", "rating"]),
    ("quantity", &["quantity", "qty"]),
    ("session", &["session", "session_id"]),
    ("id", &["id", "event_id"]),
];

/// Returns the column of a name, the exactly equal one first.
fn named<'c>(name: &str, columns: &'c [String]) -> Option<&'c String> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let exact = columns.iter().find(|column| *column == name);
    exact.or_else(|| columns.iter().find(|column| plain(column) == plain(name)))
}

/// Columns of the fields of an event. The default recognizes columns by their names.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventMapping {
    /// Column of the user.
    pub user: Option<String>,
    /// Column of the session.
    pub session: Option<String>,
    /// Column of the item or items.
    pub items: Option<String>,
    /// Separator of several items in one cell.
    pub items_separator: Option<String>,
    /// Column of the event kind.
    pub kind: Option<String>,
    /// Event kind of each value of the column.
    pub kinds: BTreeMap<String, EventKind>,
    /// Event kind of rows without the column or with a blank cell.
    pub default_kind: Option<EventKind>,
    /// Column of the time.
    pub ts: Option<String>,
    /// Format of the times in strftime notation; without it, RFC 3339, common formats with the year
    /// first, and seconds, milli-, micro- or nanoseconds since 1970 are recognized.
    pub ts_format: Option<String>,
    /// Column of the rating or amount.
    pub value: Option<String>,
    /// Column of the number of pieces; negative ones are returns.
    pub quantity: Option<String>,
    /// Column of the event's own id.
    pub id: Option<String>,
}

impl EventMapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// The file cannot be read, is not valid TOML, has an unknown key, or an invalid `ts_format`.
    pub fn load(path: &Path) -> Result<Self, SourceError> {
        let text = std::fs::read_to_string(path).map_err(|source| SourceError::Open {
            path: path.to_owned(),
            source,
        })?;
        let error = |reason: String| SourceError::Mapping {
            path: path.to_owned(),
            reason,
        };
        let mapping: Self = toml::from_str(&text).map_err(|e| error(e.to_string()))?;
        mapping.check().map_err(error)?;
        Ok(mapping)
    }

    /// Checks that `ts_format` is valid and that the separator is not empty.
    ///
    /// # Errors
    /// Names the key and the problem.
    pub fn check(&self) -> Result<(), String> {
        if let Some(format) = &self.ts_format {
            super::time::check_format(format).map_err(|e| format!("ts_format: {e}"))?;
        }
        if self.items_separator.as_deref() == Some("") {
            return Err("items_separator: must not be empty".to_owned());
        }
        Ok(())
    }

    /// Returns true if it names a column.
    pub(super) fn names_columns(&self) -> bool {
        self.columns().next().is_some()
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        let columns = [
            &self.user,
            &self.session,
            &self.items,
            &self.kind,
            &self.ts,
            &self.value,
            &self.quantity,
            &self.id,
        ];
        columns.into_iter().flatten().map(String::as_str)
    }

    /// Returns the mapping with the columns of a file. Columns that the mapping names must be
    /// present; others are recognized by their names.
    pub(super) fn with_columns(&self, name: &str, columns: &[String]) -> Result<Self, SourceError> {
        let mut mapping = self.clone();
        if !mapping.names_columns() {
            let fields = [
                &mut mapping.user,
                &mut mapping.items,
                &mut mapping.kind,
                &mut mapping.ts,
                &mut mapping.value,
                &mut mapping.quantity,
                &mut mapping.session,
                &mut mapping.id,
            ];
            for (field, (_, names)) in fields.into_iter().zip(NAMES) {
                *field = names.iter().find_map(|name| named(name, columns)).cloned();
            }
        }
        require(name, columns, mapping.columns())?;
        let missing = match &mapping {
            m if m.items.is_none() => Some("items"),
            m if m.user.is_none() && m.session.is_none() => Some("user or session"),
            m if m.kind.is_none() && m.default_kind.is_none() => {
                Some("kind (and no default kind is given)")
            }
            _ => None,
        };
        match missing {
            None => Ok(mapping),
            Some(field) => Err(SourceError::Header {
                name: name.to_owned(),
                reason: format!(
                    "no column for {field}; name it in a mapping; the columns are: {}",
                    columns.join(", ")
                ),
            }),
        }
    }
}
