//! Items in the order of a field's values.
//!
//! Two ways lead to the first items of an order. The values are walked in their order, and each
//! bitmap is intersected with the items, which is fast where many items are to be sorted; or the
//! value of each item is looked up and the first ones are selected, which is fast where there are
//! few. The walk is given up when it costs as much as the selection would.

use std::cmp::Ordering;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{
    Column, PayloadIndex,
    forward::{ForwardKeys, ForwardStrings},
    keyword::KeywordColumn,
    numeric::NumericColumn,
};
use crate::{Error, Result};

/// Cost of a step of the walk, as a multiple of the cost of looking up the value of an item.
const STEP_COST: usize = 12;

/// Maximum number of distinct strings that are sorted for a walk.
const MAX_WALKED_STRINGS: usize = 2_000;

/// Minimum number of items after which the selection drops those that are too late.
const MIN_SELECTION: usize = 1_024;

/// A value that items are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortValue {
    /// Key of a number or time.
    Number(i128),
    /// A string.
    Text(String),
}

/// Direction of an order. Items with several values count by the first one in that direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueOrder {
    /// Least value first.
    Ascending,
    /// Greatest value first.
    Descending,
}

/// Items that share a value.
pub struct Group {
    /// The value; None for items without one.
    pub value: Option<SortValue>,
    /// The items, at least one.
    pub items: RoaringBitmap,
}

impl ValueOrder {
    /// Compares two values in this direction.
    pub fn compare<T: Ord + ?Sized>(self, a: &T, b: &T) -> Ordering {
        match self {
            Self::Ascending => a.cmp(b),
            Self::Descending => b.cmp(a),
        }
    }

    /// Returns the first groups in this direction that have at least `need` items, or all groups.
    pub fn select<K: Ord + Copy>(
        self,
        values: impl Iterator<Item = (K, u32)>,
        need: usize,
    ) -> Vec<(K, RoaringBitmap)> {
        let mut kept: Vec<(K, u32)> = Vec::new();
        let mut last: Option<K> = None;
        let mut capacity = MIN_SELECTION.max(2 * need);
        for (value, item) in values {
            if last.is_some_and(|last| self.compare(&value, &last).is_gt()) {
                continue;
            }
            kept.push((value, item));
            if kept.len() >= capacity {
                let compare = |a: &(K, u32), b: &(K, u32)| self.compare(&a.0, &b.0);
                let (_, nth, _) = kept.select_nth_unstable_by(need.max(1) - 1, compare);
                let nth = nth.0;
                kept.retain(|(value, _)| self.compare(value, &nth).is_le());
                last = Some(nth);
                capacity = MIN_SELECTION.max(2 * kept.len());
            }
        }
        kept.sort_unstable_by(|a, b| self.compare(&a.0, &b.0).then(a.1.cmp(&b.1)));
        let mut groups: Vec<(K, RoaringBitmap)> = Vec::new();
        for (count, (value, item)) in kept.into_iter().enumerate() {
            match groups.last_mut() {
                Some((last, items)) if *last == value => {
                    items.insert(item);
                }
                _ if count >= need => break,
                _ => groups.push((value, RoaringBitmap::from([item]))),
            }
        }
        groups
    }
}

impl PayloadIndex {
    /// Checks that items can be sorted by a field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer to the field: there is none of this name, or its type has
    /// no order.
    pub fn check_sort(&self, at: &str, field: &str) -> Result<()> {
        let sortable = || {
            let fields = self.built_in.iter().chain(&self.attributes);
            let fields = fields.filter(|(_, f)| !matches!(f.column, Column::Text));
            let fields: Vec<_> = fields.map(|(name, _)| name.as_str()).collect();
            format!(
                "expected one of {}, popularity, relevance",
                fields.join(", ")
            )
        };
        match self.field(field).map(|field| &field.column) {
            Some(Column::Text) => Err(Error::invalid(
                at,
                format!(
                    "`{field}` is of type text, which has no order; {}",
                    sortable()
                ),
            )),
            Some(_) => Ok(()),
            None => Err(Error::invalid(
                at,
                format!("no field `{field}` to sort by; {}", sortable()),
            )),
        }
    }

    /// Returns the first groups of `among` by the values of a field that have at least `need`
    /// items, or all; items without a value come last. `from` is the value to begin with. Of items
    /// with variants, those among `rows` count (None: all).
    pub fn groups(
        &self,
        field: &str,
        order: ValueOrder,
        among: &RoaringBitmap,
        rows: Option<&RoaringBitmap>,
        from: Option<&Option<SortValue>>,
        need: usize,
    ) -> Vec<Group> {
        let Some(field) = self.field(field) else {
            return Vec::new();
        };
        let mut groups = match (&field.column, from) {
            (_, Some(None)) => Vec::new(),
            (Column::Text, _) => Vec::new(),
            (Column::Numeric(column), from) => {
                let from = match from {
                    Some(Some(SortValue::Number(key))) => Some(*key),
                    _ => None,
                };
                self.numeric_groups(column, order, among, rows, from, need)
            }
            (Column::Keyword(column), from) => {
                let from = match from {
                    Some(Some(SortValue::Text(text))) => Some(text.as_str()),
                    _ => None,
                };
                self.keyword_groups(column, order, among, rows, from, need)
            }
        };
        if groups.iter().map(|group| group.items.len()).sum::<u64>() < need as u64 {
            let items = match rows {
                Some(rows) => among - self.items_of(&field.present & rows),
                None => among - &*self.rows.items_of(&field.present),
            };
            if !items.is_empty() {
                groups.push(Group { value: None, items });
            }
        }
        groups
    }

    /// Returns the value that an item is sorted by, of its variants among `rows` (None: all).
    pub fn sort_value(
        &self,
        field: &str,
        order: ValueOrder,
        item: u32,
        rows: Option<&RoaringBitmap>,
    ) -> Option<SortValue> {
        match &self.field(field)?.column {
            Column::Numeric(column) => {
                let key = self.first_key(column.forward(), order, item, rows)?;
                Some(SortValue::Number(key))
            }
            Column::Keyword(column) => {
                let name = self.first_name(column.forward(), order, item, rows)?;
                Some(SortValue::Text(name.to_owned()))
            }
            Column::Text => None,
        }
    }

    /// Returns the row of an item without variants, or else the rows of its variants.
    fn sorted_rows<'a>(
        &'a self,
        item: u32,
        rows: Option<&'a RoaringBitmap>,
    ) -> impl Iterator<Item = u32> + 'a {
        let variants = self.rows.of_item(item).iter().copied();
        let variants = variants.filter(move |row| rows.is_none_or(|rows| rows.contains(*row)));
        std::iter::once(item).chain(variants)
    }

    /// Returns the key that an item is sorted by.
    fn first_key(
        &self,
        forward: &ForwardKeys,
        order: ValueOrder,
        item: u32,
        rows: Option<&RoaringBitmap>,
    ) -> Option<i128> {
        let greatest = order == ValueOrder::Descending;
        let own = forward.extreme(item, greatest);
        if own.is_some() {
            return own;
        }
        let keys = self.sorted_rows(item, rows);
        let keys = keys.filter_map(|row| forward.extreme(row, greatest));
        keys.min_by(|a, b| order.compare(a, b))
    }

    /// Returns the string that an item is sorted by.
    fn first_name<'a>(
        &'a self,
        forward: &'a ForwardStrings,
        order: ValueOrder,
        item: u32,
        rows: Option<&'a RoaringBitmap>,
    ) -> Option<&'a str> {
        let ids = self
            .sorted_rows(item, rows)
            .flat_map(|row| forward.ids(row));
        let names = ids.map(|id| forward.values.name(*id));
        names.min_by(|a, b| order.compare(*a, *b))
    }

    fn numeric_groups(
        &self,
        column: &NumericColumn,
        order: ValueOrder,
        among: &RoaringBitmap,
        rows: Option<&RoaringBitmap>,
        from: Option<i128>,
        need: usize,
    ) -> Vec<Group> {
        let number = |(key, items)| Group {
            value: Some(SortValue::Number(key)),
            items,
        };
        let forward = column.forward();
        let steps = among.len() as usize / STEP_COST;
        let is_first = |item, key| self.first_key(forward, order, item, rows) == Some(key);
        let walked = match order {
            ValueOrder::Ascending => {
                let values = column.values.range(from.unwrap_or(i128::MIN)..);
                let values = values.map(|(key, rows)| (*key, rows));
                self.walk(values, steps, among, need, is_first)
            }
            ValueOrder::Descending => {
                let values = column.values.range(..=from.unwrap_or(i128::MAX)).rev();
                let values = values.map(|(key, rows)| (*key, rows));
                self.walk(values, steps, among, need, is_first)
            }
        };
        let groups = walked.unwrap_or_else(|| {
            let is_due = |key: &i128| from.is_none_or(|from| order.compare(key, &from).is_ge());
            let keys = among.iter().filter_map(|item| {
                let key = self.first_key(forward, order, item, rows).filter(is_due)?;
                Some((key, item))
            });
            order.select(keys, need)
        });
        groups.into_iter().map(number).collect()
    }

    fn keyword_groups(
        &self,
        column: &KeywordColumn,
        order: ValueOrder,
        among: &RoaringBitmap,
        rows: Option<&RoaringBitmap>,
        from: Option<&str>,
        need: usize,
    ) -> Vec<Group> {
        let text = |(name, items): (&str, RoaringBitmap)| Group {
            value: Some(SortValue::Text(name.to_owned())),
            items,
        };
        let forward = column.forward();
        let first = |item: u32| self.first_name(forward, order, item, rows);
        let is_due = |name: &str| from.is_none_or(|from| order.compare(name, from).is_ge());
        if column.exact.len() <= MAX_WALKED_STRINGS {
            let values = column.exact.iter().filter(|(name, _)| is_due(name));
            let mut values: Vec<_> = values.map(|(name, rows)| (name.as_str(), rows)).collect();
            values.sort_unstable_by(|a, b| order.compare(a.0, b.0));
            let is_first = |item: u32, name: &str| first(item) == Some(name);
            if let Some(groups) = self.walk(values.into_iter(), usize::MAX, among, need, is_first) {
                return groups.into_iter().map(text).collect();
            }
        }
        let names = among.iter().filter_map(|item| {
            let name = first(item).filter(|name| is_due(name))?;
            Some((name, item))
        });
        let groups = order.select(names, need);
        groups.into_iter().map(text).collect()
    }

    /// Walks values in their order until `need` items are found; None after `steps` values. An item
    /// counts only by the value for which `is_first` holds.
    fn walk<'a, K: Copy>(
        &self,
        values: impl Iterator<Item = (K, &'a RoaringBitmap)>,
        mut steps: usize,
        among: &RoaringBitmap,
        need: usize,
        is_first: impl Fn(u32, K) -> bool,
    ) -> Option<Vec<(K, RoaringBitmap)>> {
        let (mut groups, mut found) = (Vec::new(), 0);
        for (value, rows) in values {
            steps = steps.checked_sub(1)?;
            let own = self.rows.items_of(rows);
            let mut items = if own.len() == 1 {
                let only = own.iter().filter(|item| among.contains(*item));
                only.collect()
            } else {
                &*own & among
            };
            if items.is_empty() {
                continue;
            }
            let others: RoaringBitmap = items.iter().filter(|i| !is_first(*i, value)).collect();
            items -= others;
            if items.is_empty() {
                continue;
            }
            found += items.len();
            groups.push((value, items));
            if found >= need as u64 {
                break;
            }
        }
        Some(groups)
    }
}
