//! Rows of the columns. An item without variants is one row, whose number is its internal id; an
//! item with variants has a row for each of them, with a number of its own.
//!
//! Filters are evaluated on rows, so several conditions hold for one variant, and the rows that
//! pass are turned into items last. A collection without variants pays nothing: its rows are its
//! internal ids.

use std::{borrow::Cow, collections::HashMap};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

/// Number of the first row of a variant; internal ids are below.
pub(crate) const FIRST_VARIANT_ROW: u32 = 1 << 31;

/// The rows of items with variants.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct VariantRows {
    /// Rows by internal id, in the order of the variants.
    by_item: HashMap<u32, Vec<u32>>,
    /// Internal id by row, from [`FIRST_VARIANT_ROW`]; stale for rows that are not in use.
    owners: Vec<u32>,
    /// Items with variants.
    items: RoaringBitmap,
    /// Rows in use.
    used: RoaringBitmap,
    /// Rows not in use.
    free: Vec<u32>,
}

impl VariantRows {
    /// Assigns rows to the variants of an item.
    pub(super) fn insert(&mut self, internal_id: u32, variants: usize) -> &[u32] {
        let rows: Vec<u32> = (0..variants).map(|_| self.take_row(internal_id)).collect();
        self.items.insert(internal_id);
        self.by_item
            .entry(internal_id)
            .insert_entry(rows)
            .into_mut()
    }

    fn take_row(&mut self, internal_id: u32) -> u32 {
        let row = self.free.pop().unwrap_or_else(|| {
            self.owners.push(internal_id);
            FIRST_VARIANT_ROW + (self.owners.len() - 1) as u32
        });
        self.owners[(row - FIRST_VARIANT_ROW) as usize] = internal_id;
        self.used.insert(row);
        row
    }

    /// Frees the rows of an item, and returns them in the order of its variants.
    pub(super) fn remove(&mut self, internal_id: u32) -> Vec<u32> {
        let rows = self.by_item.remove(&internal_id).unwrap_or_default();
        self.items.remove(internal_id);
        for row in &rows {
            self.used.remove(*row);
        }
        self.free.extend(&rows);
        rows
    }

    /// Returns true if no item has variants.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the rows of an item's variants; none if it has no variants.
    pub(super) fn of_item(&self, internal_id: u32) -> &[u32] {
        self.by_item.get(&internal_id).map_or(&[], Vec::as_slice)
    }

    /// Returns the approximate memory, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        40 * self.items.len() + 12 * self.owners.len() as u64
    }

    /// Returns the rows of some items.
    pub(super) fn rows_of<'a>(&self, items: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        if self.items.is_disjoint(items) {
            return Cow::Borrowed(items);
        }
        let mut rows = items - &self.items;
        if self.items.is_subset(items) {
            rows |= &self.used;
        } else {
            for item in &(items & &self.items) {
                rows.extend(self.of_item(item));
            }
        }
        Cow::Owned(rows)
    }

    /// Returns the rows of variants among some rows, each after its item, in the order of items.
    pub(super) fn by_item(&self, rows: &RoaringBitmap) -> Vec<(u32, u32)> {
        let variants = rows.range(FIRST_VARIANT_ROW..);
        let owned = variants.map(|row| (self.owners[(row - FIRST_VARIANT_ROW) as usize], row));
        let mut owned: Vec<_> = owned.collect();
        owned.sort_unstable();
        owned
    }

    /// Returns the items that some rows belong to.
    pub(super) fn items_of<'a>(&self, rows: &'a RoaringBitmap) -> Cow<'a, RoaringBitmap> {
        if rows.max().is_none_or(|row| row < FIRST_VARIANT_ROW) {
            return Cow::Borrowed(rows);
        }
        let mut items = rows.clone();
        items.remove_range(FIRST_VARIANT_ROW..);
        let variants = rows.range(FIRST_VARIANT_ROW..);
        items.extend(variants.map(|row| self.owners[(row - FIRST_VARIANT_ROW) as usize]));
        Cow::Owned(items)
    }
}
