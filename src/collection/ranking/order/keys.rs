//! Sort keys of a request, and positions in the order that they define.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use vitrine_schemas::{SortKey, SortOrder, SortSpec};

use crate::{
    Error, Result,
    collection::State,
    payload::{SortValue, ValueOrder},
};

/// Maximum number of sort keys of a request.
const MAX_SORT_KEYS: usize = 8;

/// Property that a key orders by.
pub(super) enum Property {
    /// A field of the payload.
    Field(String),
    /// Events with the item.
    Popularity,
    /// Score of the query.
    Relevance,
    /// Time of writing.
    WriteOrder,
}

/// A resolved sort key.
pub(super) struct Key {
    pub(super) property: Property,
    pub(super) order: ValueOrder,
}

/// Position of an item in an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::collection) struct KeysetPosition {
    /// Value of each key; None if the item has none.
    pub values: Vec<Option<SortValue>>,
    pub id: String,
}

impl KeysetPosition {
    /// Decodes the cursor of an order with `keys` keys.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the cursor is malformed or belongs to another order.
    pub fn decode(cursor: &str, keys: usize) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let position = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let position = position.filter(|position| position.values.len() == keys);
        position.ok_or_else(|| {
            let detail = "invalid cursor; use `next_cursor` from the previous page, with the same \
                          sort";
            Error::invalid("/cursor", detail)
        })
    }

    /// Encodes the position for a response.
    pub fn encode(&self) -> Option<String> {
        let json = serde_json::to_vec(self).ok()?;
        Some(URL_SAFE_NO_PAD.encode(json))
    }
}

/// Returns true if a request needs the scores of its query to be sorted.
pub(in crate::collection) fn uses_relevance(sort: &[SortSpec]) -> bool {
    let keys = sort.iter().filter_map(|spec| spec.key().ok());
    keys.into_iter().any(|key| is_relevance(&key.field))
}

fn is_relevance(field: &str) -> bool {
    matches!(field, "relevance" | "_score")
}

/// Validates sort keys; `has_query` is true if there is a query to be relevant to.
pub(in crate::collection) fn check(
    sort: &[SortSpec],
    state: &State,
    has_query: bool,
) -> Result<()> {
    resolve(sort, state, has_query).map(|_| ())
}

/// Resolves sort keys against the fields of a collection.
pub(super) fn resolve(sort: &[SortSpec], state: &State, has_query: bool) -> Result<Vec<Key>> {
    if sort.len() > MAX_SORT_KEYS {
        let detail = format!("expected at most {MAX_SORT_KEYS} keys, got {}", sort.len());
        return Err(Error::invalid("/sort", detail));
    }
    let keys = sort.iter().enumerate().map(|(index, spec)| {
        let at = format!("/sort/{index}");
        let SortKey { field, order } = spec.key().map_err(|e| Error::invalid(&*at, e))?;
        let pointer = match spec {
            SortSpec::Text(_) => at,
            SortSpec::Key(_) => format!("{at}/field"),
        };
        let property = match field.as_str() {
            "popularity" => Property::Popularity,
            field if is_relevance(field) && has_query => Property::Relevance,
            field if is_relevance(field) => {
                let detail =
                    "`relevance` needs a query; without one, sort by a field or popularity";
                return Err(Error::invalid(pointer, detail));
            }
            _ => {
                state.payload.check_sort(&pointer, &field)?;
                Property::Field(field)
            }
        };
        let is_field = matches!(property, Property::Field(_));
        let order = match order {
            Some(SortOrder::Asc) => ValueOrder::Ascending,
            None if is_field => ValueOrder::Ascending,
            Some(SortOrder::Desc) | None => ValueOrder::Descending,
        };
        Ok(Key { property, order })
    });
    keys.collect()
}
