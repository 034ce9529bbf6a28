//! Fields of strings: a bitmap of items per value.
//!
//! A category path also counts for every path above it: `Clothing > Shoes > Boots` is found under
//! `Clothing` and `Clothing > Shoes`. Booleans are the strings `true` and `false`.

use std::{borrow::Cow, collections::HashMap};

use roaring::{MultiOps, RoaringBitmap};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}

impl KeywordColumn {
    pub(super) fn exact() -> Self {
        Self {
            exact: Values::new(),
            below: None,
        }
    }

    pub(super) fn category() -> Self {
        Self {
            exact: Values::new(),
            below: Some(Values::new()),
        }
    }

    pub(super) fn insert(&mut self, number: u32, value: &str) {
        let add = |values: &mut Values, value: String| {
            values.entry(value).or_default().insert(number);
        };
        match &mut self.below {
            None => add(&mut self.exact, value.to_owned()),
            Some(below) => {
                let levels = levels(value);
                for depth in 1..=levels.len() {
                    add(below, join(&levels[..depth]));
                }
                add(&mut self.exact, join(&levels));
            }
        }
    }

    pub(super) fn remove(&mut self, number: u32, value: &str) {
        let drop = |values: &mut Values, value: &str| {
            if let Some(numbers) = values.get_mut(value) {
                numbers.remove(number);
                if numbers.is_empty() {
                    values.remove(value);
                }
            }
        };
        match &mut self.below {
            None => drop(&mut self.exact, value),
            Some(below) => {
                let levels = levels(value);
                for depth in 1..=levels.len() {
                    drop(below, &join(&levels[..depth]));
                }
                drop(&mut self.exact, &join(&levels));
            }
        }
    }

    /// Values that some item has.
    pub(super) fn values(&self) -> usize {
        self.exact.len() + self.below.as_ref().map_or(0, Values::len)
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
            let listed = |value: &str| values.iter().any(|v| v == value);
            let others = self.exact.iter().filter(|(value, _)| !listed(value));
            return others.map(|(_, numbers)| numbers).union();
        }
        let listed: Vec<_> = values.iter().map(|v| levels(v)).collect();
        let others = self.exact.iter().filter(|(value, _)| {
            let path = levels(value);
            !listed.iter().any(|l| !l.is_empty() && path.starts_with(l))
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
pub(crate) fn levels(path: &str) -> Vec<&str> {
    let levels = path.split('>').map(str::trim);
    levels.filter(|level| !level.is_empty()).collect()
}

pub(super) fn join(levels: &[&str]) -> String {
    levels.join(" > ")
}
