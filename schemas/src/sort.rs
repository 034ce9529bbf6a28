//! Order of hits by the values of fields.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

/// A key that hits are sorted by: an object, or `field:order` in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SortSpec {
    /// `price:asc`, or `price`
    Text(String),
    /// `{"field": "price", "order": "asc"}`
    Key(SortKey),
}

/// A field that hits are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SortKey {
    /// Built-in field or attribute of type keyword, category, bool, integer, float or datetime;
    /// `popularity` (by events) or `relevance` (score of the query; also `_score`).
    pub field: String,
    /// Direction; default: `desc` for `popularity` and `relevance`, else `asc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<SortOrder>,
}

/// Direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortOrder {
    /// Lowest value first.
    Asc,
    /// Highest value first.
    Desc,
}

impl SortSpec {
    /// Returns the key, also of the short form.
    ///
    /// # Errors
    /// The order is neither `asc` nor `desc`; the message contains a hint.
    pub fn key(&self) -> Result<SortKey, String> {
        let text = match self {
            Self::Key(key) => return Ok(key.clone()),
            Self::Text(text) => text.trim(),
        };
        let (field, order) = match text.rsplit_once(':') {
            None => (text, None),
            Some((field, "asc")) => (field, Some(SortOrder::Asc)),
            Some((field, "desc")) => (field, Some(SortOrder::Desc)),
            Some((field, order)) => {
                return Err(format!(
                    "expected `{field}:asc` or `{field}:desc`, got the order `{order}`"
                ));
            }
        };
        Ok(SortKey {
            field: field.to_owned(),
            order,
        })
    }
}

impl<'de> Deserialize<'de> for SortSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text)),
            object @ Value::Object(_) => {
                let key = SortKey::deserialize(object).map_err(D::Error::custom)?;
                Ok(Self::Key(key))
            }
            other => Err(D::Error::custom(format!(
                "expected `field:order` or an object with `field` and `order`, got {other}"
            ))),
        }
    }
}
