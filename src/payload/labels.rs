//! Values of an item in a keyword field, and the items that share them.

use roaring::RoaringBitmap;
use vitrine_schemas::Item;

use super::{ATTRIBUTES, BUILT_IN, Column, PayloadIndex, built_in_value, keyword, values};
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

    /// The item's values in a field of keywords; a category as its whole path.
    pub fn labels(&self, key: &str, item: &Item) -> Vec<String> {
        let Some(Column::Keyword(column)) = self.field(key).map(|f| &f.column) else {
            return Vec::new();
        };
        let built_in = BUILT_IN.iter().any(|(name, _)| *name == key);
        let found = if built_in {
            built_in_value(key, item)
        } else {
            let name = key
                .strip_prefix(ATTRIBUTES)
                .filter(|_| !item.attributes.contains_key(key));
            item.attributes.get(name.unwrap_or(key)).cloned()
        };
        let all = found.iter().flat_map(values);
        all.map(|value| match column.below {
            Some(_) => keyword::join(&keyword::levels(&keyword::text(value))),
            None => keyword::text(value).into_owned(),
        })
        .collect()
    }

    /// Items with a value in a field of keywords; of a category those of this very path.
    pub fn labeled(&self, key: &str, value: &str) -> RoaringBitmap {
        match self.field(key).map(|f| &f.column) {
            Some(Column::Keyword(column)) => column.exact.get(value).cloned().unwrap_or_default(),
            _ => RoaringBitmap::new(),
        }
    }
}
