//! Fields of strings: a bitmap of items per value.
//!
//! A category path also counts for every path above it: `Clothing > Shoes > Boots` is found under
//! `Clothing` and `Clothing > Shoes`. Booleans are the strings `true` and `false`.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use roaring::{MultiOps, RoaringBitmap};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vitrine_schemas::CategoryPath;

use super::forward::ForwardStrings;

/// Bytes of a value's bitmap and its entry in a column.
pub(super) const KEYWORD_BYTES: u64 = 180;

type Values = HashMap<String, RoaringBitmap>;

/// Items by string.
#[derive(Serialize, Deserialize)]
pub(super) struct KeywordColumn {
    /// By the whole value.
    pub(super) exact: Values,
    /// Categories: by the value and each path above it. An item with two values under one path is
    /// in a path's bitmap once, so removing is only safe for the whole item, as
    /// [`super::PayloadIndex::remove`] does.
    pub(super) below: Option<Values>,
    /// Whole values by item, once a facet or an order needed them.
    #[serde(skip)]
    forward: OnceLock<ForwardStrings>,
    /// Bytes of all strings.
    #[serde(skip)]
    text_bytes: u64,
}

impl KeywordColumn {
    pub(super) fn exact() -> Self {
        Self {
            exact: Values::new(),
            below: None,
            forward: OnceLock::new(),
            text_bytes: 0,
        }
    }

    pub(super) fn category() -> Self {
        Self {
            exact: Values::new(),
            below: Some(Values::new()),
            forward: OnceLock::new(),
            text_bytes: 0,
        }
    }

    pub(super) fn insert(&mut self, number: u32, value: &str) {
        let text_bytes = &mut self.text_bytes;
        let mut add = |values: &mut Values, value: String| {
            let length = value.len() as u64;
            let rows = values.entry(value).or_default();
            if rows.is_empty() {
                *text_bytes += length;
            }
            rows.insert(number);
        };
        let value = match &mut self.below {
            None => value.to_owned(),
            Some(below) => {
                let levels = levels(value);
                for depth in 1..=levels.len() {
                    add(below, join(&levels[..depth]));
                }
                join(&levels)
            }
        };
        if let Some(forward) = self.forward.get_mut() {
            forward.insert(number, &value);
        }
        add(&mut self.exact, value);
    }

    pub(super) fn remove(&mut self, number: u32, value: &str) {
        let text_bytes = &mut self.text_bytes;
        let mut drop = |values: &mut Values, value: &str| {
            if let Some(numbers) = values.get_mut(value) {
                numbers.remove(number);
                if numbers.is_empty() {
                    values.remove(value);
                    *text_bytes = text_bytes.saturating_sub(value.len() as u64);
                }
            }
        };
        let value = match &mut self.below {
            None => Cow::Borrowed(value),
            Some(below) => {
                let levels = levels(value);
                for depth in 1..=levels.len() {
                    drop(below, &join(&levels[..depth]));
                }
                Cow::Owned(join(&levels))
            }
        };
        if let Some(forward) = self.forward.get_mut() {
            forward.remove(number, &value);
        }
        drop(&mut self.exact, &value);
    }

    /// Returns the whole values by row.
    pub(super) fn forward(&self) -> &ForwardStrings {
        self.forward.get_or_init(|| {
            let mut forward = ForwardStrings::default();
            for (value, rows) in &self.exact {
                forward.insert_all(rows, value);
            }
            forward
        })
    }

    /// Returns the approximate memory of the values by item, in bytes.
    pub(super) fn forward_bytes(&self) -> usize {
        self.forward.get().map_or(0, ForwardStrings::bytes)
    }

    /// Returns the approximate memory of the strings and their bitmaps, without rows, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let values = self.exact.len() + self.below.as_ref().map_or(0, Values::len);
        KEYWORD_BYTES * values as u64 + self.text_bytes
    }

    /// Counts the bytes of all strings again.
    pub(super) fn recount(&mut self) {
        let all = self
            .exact
            .keys()
            .chain(self.below.iter().flat_map(Values::keys));
        self.text_bytes = all.map(|value| value.len() as u64).sum();
    }

    /// Items with one of the values; a category: equal to or below one of them.
    pub(super) fn any(&self, values: &[Cow<'_, str>]) -> RoaringBitmap {
        let found = values.iter().filter_map(|value| match &self.below {
            None => self.exact.get(value.as_ref()),
            Some(below) => below.get(&join(&levels(value))),
        });
        found.union()
    }

    /// Items with a value that is none of these; a category: nor below one.
    pub(super) fn except(&self, values: &[Cow<'_, str>]) -> RoaringBitmap {
        if self.below.is_none() {
            let listed: HashSet<&str> = values.iter().map(AsRef::as_ref).collect();
            let others = self.exact.iter();
            let others = others.filter(|(value, _)| !listed.contains(value.as_str()));
            return others.map(|(_, numbers)| numbers).union();
        }
        let listed: HashSet<String> = values.iter().map(|v| join(&levels(v))).collect();
        let others = self.exact.iter().filter(|(value, _)| {
            let path = levels(value);
            let mut above = (1..=path.len()).map(|depth| join(&path[..depth]));
            !above.any(|above| listed.contains(&above))
        });
        others.map(|(_, numbers)| numbers).union()
    }
}

/// A scalar as this column's string.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(s) => Cow::Borrowed(s),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        other => Cow::Owned(other.to_string()),
    }
}

/// Levels of a category path, without the empty ones.
pub(super) fn levels(path: &str) -> Vec<&str> {
    CategoryPath::levels(path).collect()
}

pub(super) fn join(levels: &[&str]) -> String {
    CategoryPath::join(levels)
}
