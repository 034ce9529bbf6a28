//! Values of an item in a keyword field, and the items that share them.

use roaring::RoaringBitmap;
use vitrine_schemas::Item;

use super::{ATTRIBUTES, BUILT_IN, Column, PayloadIndex, RowValues, keyword, scalars};
use crate::{Error, Result};

impl PayloadIndex {
    /// Refuses a field that does not exist or holds no keywords; `at` points at who named it.
    pub fn check_labels(&self, at: &str, key: &str) -> Result<()> {
        match self.field(key).map(|f| &f.column) {
            Some(Column::Keyword(_)) => Ok(()),
            Some(_) => Err(Error::invalid(
                at,
                format!(
                    "`{key}` holds no keywords: name category, brand or an attribute of type keyword"
                ),
            )),
            None => Err(Error::invalid(
                at,
                format!("no field `{key}`; expected one of {}", self.known()),
            )),
        }
    }

    /// Returns the values of an item and its variants in a field of keywords; a category as its
    /// whole path.
    pub fn labels(&self, key: &str, item: &Item) -> Vec<String> {
        let Some(Column::Keyword(column)) = self.field(key).map(|f| &f.column) else {
            return Vec::new();
        };
        let is_built_in = BUILT_IN.iter().any(|(name, _)| *name == key);
        let mut labels = Vec::new();
        for row in RowValues::all(item) {
            let found = if is_built_in {
                row.built_in(key, false)
            } else {
                row.attribute(key, ATTRIBUTES).cloned()
            };
            for value in found.iter().flat_map(scalars) {
                let label = match column.below {
                    Some(_) => keyword::join(&keyword::levels(&keyword::text(value))),
                    None => keyword::text(value).into_owned(),
                };
                if !labels.contains(&label) {
                    labels.push(label);
                }
            }
        }
        labels
    }

    /// Returns the items with a value in a field of keywords; of a category those of this very
    /// path.
    pub fn labeled(&self, key: &str, value: &str) -> RoaringBitmap {
        let column = self.field(key).map(|field| &field.column);
        let rows = match column {
            Some(Column::Keyword(column)) => column.exact.get(value),
            _ => None,
        };
        rows.map_or_else(RoaringBitmap::new, |rows| {
            self.rows.items_of(rows).into_owned()
        })
    }
}
