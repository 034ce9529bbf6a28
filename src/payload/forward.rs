//! Values by row: the inverse of the columns' bitmaps, for facets and sorting.
//!
//! Counting or comparing the values of many items by a bitmap per value takes a pass over every
//! value. A dense array with the value of each row takes one pass over the items (doc values in
//! Lucene). It is built from the bitmaps when a facet or an order first needs it, and follows every
//! change from then on. It is not stored.
//!
//! Memory per internal id of the collection: 4 bytes for strings, 8 bytes for numbers and times. A
//! row with several values takes about 60 bytes more, a distinct string about 100 bytes.

use std::{collections::HashMap, slice, sync::Arc};

use roaring::RoaringBitmap;

use super::FIRST_VARIANT_ROW;

/// Entry of a row without a value.
const ABSENT_ID: u32 = u32::MAX;

/// Entry of a row with several values, which are in `lists`.
const LISTED_ID: u32 = u32::MAX - 1;

/// Entry of a row without a number.
const ABSENT_KEY: i64 = i64::MIN;

/// Entry of a row with several numbers, or with one outside of the array's range.
const LISTED_KEY: i64 = i64::MIN + 1;

/// Strings numbered in the order of their arrival.
#[derive(Default)]
pub(super) struct Dictionary {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
}

impl Dictionary {
    /// Returns the id of a string; a new one is added.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let (id, name) = (self.names.len() as u32, Arc::<str>::from(name));
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    /// Returns the id of a string that was added.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// Returns the string of an id.
    pub fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    /// Returns the number of strings.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    fn bytes(&self) -> usize {
        let texts: usize = self.names.iter().map(|name| name.len()).sum();
        texts + 80 * self.names.len()
    }
}

/// An entry per row: those of items without variants, and those of variants.
#[derive(Default)]
struct Entries<T> {
    items: Vec<T>,
    variants: Vec<T>,
}

impl<T: Copy> Entries<T> {
    fn get(&self, row: u32) -> Option<&T> {
        match row.checked_sub(FIRST_VARIANT_ROW) {
            None => self.items.get(row as usize),
            Some(offset) => self.variants.get(offset as usize),
        }
    }

    fn get_mut(&mut self, row: u32) -> Option<&mut T> {
        match row.checked_sub(FIRST_VARIANT_ROW) {
            None => self.items.get_mut(row as usize),
            Some(offset) => self.variants.get_mut(offset as usize),
        }
    }

    /// Returns the entry of a row; the array grows as needed.
    fn entry(&mut self, row: u32, absent: T) -> &mut T {
        let (entries, offset) = match row.checked_sub(FIRST_VARIANT_ROW) {
            None => (&mut self.items, row as usize),
            Some(offset) => (&mut self.variants, offset as usize),
        };
        if offset >= entries.len() {
            entries.resize(offset + 1, absent);
        }
        &mut entries[offset]
    }

    fn len(&self) -> usize {
        self.items.len() + self.variants.len()
    }
}

/// Strings by row.
#[derive(Default)]
pub(super) struct ForwardStrings {
    entries: Entries<u32>,
    lists: HashMap<u32, Vec<u32>>,
    pub values: Dictionary,
}

impl ForwardStrings {
    /// Adds a value of several rows.
    pub fn insert_all(&mut self, rows: &RoaringBitmap, value: &str) {
        let id = self.values.intern(value);
        for row in rows {
            self.insert_id(row, id);
        }
    }

    /// Adds a value of an item.
    pub fn insert(&mut self, row: u32, value: &str) {
        let id = self.values.intern(value);
        self.insert_id(row, id);
    }

    fn insert_id(&mut self, row: u32, id: u32) {
        match self.entries.entry(row, ABSENT_ID) {
            entry if *entry == ABSENT_ID => *entry = id,
            entry if *entry == LISTED_ID => {
                let list = self.lists.entry(row).or_default();
                if !list.contains(&id) {
                    list.push(id);
                }
            }
            entry if *entry != id => {
                self.lists.insert(row, vec![*entry, id]);
                *entry = LISTED_ID;
            }
            _ => {}
        }
    }

    /// Removes a value of an item.
    pub fn remove(&mut self, row: u32, value: &str) {
        let (Some(id), Some(entry)) = (self.values.get(value), self.entries.get_mut(row)) else {
            return;
        };
        if *entry == id {
            *entry = ABSENT_ID;
        } else if *entry == LISTED_ID
            && let Some(list) = self.lists.get_mut(&row)
        {
            list.retain(|other| *other != id);
            if list.is_empty() {
                self.lists.remove(&row);
                *entry = ABSENT_ID;
            }
        }
    }

    /// Returns the ids of an item's values, each once.
    pub fn ids(&self, row: u32) -> &[u32] {
        match self.entries.get(row) {
            None | Some(&ABSENT_ID) => &[],
            Some(&LISTED_ID) => self.lists.get(&row).map_or(&[], Vec::as_slice),
            Some(id) => slice::from_ref(id),
        }
    }

    /// Returns the approximate memory in bytes.
    pub fn bytes(&self) -> usize {
        4 * self.entries.len() + 60 * self.lists.len() + self.values.bytes()
    }
}

/// Keys of numbers and times by row.
#[derive(Default)]
pub(super) struct ForwardKeys {
    entries: Entries<i64>,
    lists: HashMap<u32, Vec<i128>>,
}

impl ForwardKeys {
    /// Adds a key of several rows.
    pub fn insert_all(&mut self, rows: &RoaringBitmap, key: i128) {
        for row in rows {
            self.insert(row, key);
        }
    }

    /// Adds a key of an item.
    pub fn insert(&mut self, row: u32, key: i128) {
        let entry = self.entries.entry(row, ABSENT_KEY);
        match (*entry, i64::try_from(key)) {
            (ABSENT_KEY, Ok(key)) if key > LISTED_KEY => *entry = key,
            (ABSENT_KEY, _) => {
                self.lists.insert(row, vec![key]);
                *entry = LISTED_KEY;
            }
            (LISTED_KEY, _) => {
                let list = self.lists.entry(row).or_default();
                if !list.contains(&key) {
                    list.push(key);
                }
            }
            (other, _) if i128::from(other) != key => {
                self.lists.insert(row, vec![i128::from(other), key]);
                *entry = LISTED_KEY;
            }
            _ => {}
        }
    }

    /// Removes a key of an item.
    pub fn remove(&mut self, row: u32, key: i128) {
        let Some(entry) = self.entries.get_mut(row) else {
            return;
        };
        if *entry == LISTED_KEY {
            if let Some(list) = self.lists.get_mut(&row) {
                list.retain(|other| *other != key);
                if list.is_empty() {
                    self.lists.remove(&row);
                    *entry = ABSENT_KEY;
                }
            }
        } else if i128::from(*entry) == key {
            *entry = ABSENT_KEY;
        }
    }

    /// Calls `each` with every key of an item.
    pub fn for_each(&self, row: u32, mut each: impl FnMut(i128)) {
        match self.entries.get(row) {
            None | Some(&ABSENT_KEY) => {}
            Some(&LISTED_KEY) => self
                .lists
                .get(&row)
                .into_iter()
                .flatten()
                .for_each(|key| each(*key)),
            Some(key) => each(i128::from(*key)),
        }
    }

    /// Returns the least key of a row, or the greatest one.
    pub fn extreme(&self, row: u32, greatest: bool) -> Option<i128> {
        match self.entries.get(row) {
            None | Some(&ABSENT_KEY) => None,
            Some(&LISTED_KEY) => {
                let keys = self.lists.get(&row)?.iter().copied();
                if greatest { keys.max() } else { keys.min() }
            }
            Some(key) => Some(i128::from(*key)),
        }
    }

    /// Returns the approximate memory in bytes.
    pub fn bytes(&self) -> usize {
        8 * self.entries.len() + 80 * self.lists.len()
    }
}
