//! Values by item: the inverse of the columns' bitmaps, for facets and sorting.
//!
//! Counting or comparing the values of many items by a bitmap per value takes a pass over every
//! value. A dense array with the value of each item takes one pass over the items (doc values in
//! Lucene). It is built from the bitmaps when a facet or an order first needs it, and follows every
//! change from then on. It is not stored.
//!
//! Memory per internal id of the collection: 4 bytes for strings, 8 bytes for numbers and times. An
//! item with several values takes about 60 bytes more, a distinct string about 100 bytes.

use std::{collections::HashMap, slice, sync::Arc};

use roaring::RoaringBitmap;

/// Entry of an item without a value.
const ABSENT_ID: u32 = u32::MAX;

/// Entry of an item with several values, which are in `lists`.
const LISTED_ID: u32 = u32::MAX - 1;

/// Entry of an item without a number.
const ABSENT_KEY: i64 = i64::MIN;

/// Entry of an item with several numbers, or with one outside of the array's range.
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

/// Strings by item.
#[derive(Default)]
pub(super) struct ForwardStrings {
    entries: Vec<u32>,
    lists: HashMap<u32, Vec<u32>>,
    pub values: Dictionary,
}

impl ForwardStrings {
    /// Adds a value of several items.
    pub fn insert_all(&mut self, items: &RoaringBitmap, value: &str) {
        let id = self.values.intern(value);
        for item in items {
            self.insert_id(item, id);
        }
    }

    /// Adds a value of an item.
    pub fn insert(&mut self, item: u32, value: &str) {
        let id = self.values.intern(value);
        self.insert_id(item, id);
    }

    fn insert_id(&mut self, item: u32, id: u32) {
        match entry(&mut self.entries, item, ABSENT_ID) {
            entry if *entry == ABSENT_ID => *entry = id,
            entry if *entry == LISTED_ID => {
                let list = self.lists.entry(item).or_default();
                if !list.contains(&id) {
                    list.push(id);
                }
            }
            entry if *entry != id => {
                self.lists.insert(item, vec![*entry, id]);
                *entry = LISTED_ID;
            }
            _ => {}
        }
    }

    /// Removes a value of an item.
    pub fn remove(&mut self, item: u32, value: &str) {
        let (Some(id), Some(entry)) = (self.values.get(value), self.entries.get_mut(item as usize))
        else {
            return;
        };
        if *entry == id {
            *entry = ABSENT_ID;
        } else if *entry == LISTED_ID
            && let Some(list) = self.lists.get_mut(&item)
        {
            list.retain(|other| *other != id);
            if list.is_empty() {
                self.lists.remove(&item);
                *entry = ABSENT_ID;
            }
        }
    }

    /// Returns the ids of an item's values, each once.
    pub fn ids(&self, item: u32) -> &[u32] {
        match self.entries.get(item as usize) {
            None | Some(&ABSENT_ID) => &[],
            Some(&LISTED_ID) => self.lists.get(&item).map_or(&[], Vec::as_slice),
            Some(id) => slice::from_ref(id),
        }
    }

    /// Returns the approximate memory in bytes.
    pub fn bytes(&self) -> usize {
        4 * self.entries.len() + 60 * self.lists.len() + self.values.bytes()
    }
}

/// Keys of numbers and times by item.
#[derive(Default)]
pub(super) struct ForwardKeys {
    entries: Vec<i64>,
    lists: HashMap<u32, Vec<i128>>,
}

impl ForwardKeys {
    /// Adds a key of several items.
    pub fn insert_all(&mut self, items: &RoaringBitmap, key: i128) {
        for item in items {
            self.insert(item, key);
        }
    }

    /// Adds a key of an item.
    pub fn insert(&mut self, item: u32, key: i128) {
        let entry = entry(&mut self.entries, item, ABSENT_KEY);
        match (*entry, i64::try_from(key)) {
            (ABSENT_KEY, Ok(key)) if key > LISTED_KEY => *entry = key,
            (ABSENT_KEY, _) => {
                self.lists.insert(item, vec![key]);
                *entry = LISTED_KEY;
            }
            (LISTED_KEY, _) => {
                let list = self.lists.entry(item).or_default();
                if !list.contains(&key) {
                    list.push(key);
                }
            }
            (other, _) if i128::from(other) != key => {
                self.lists.insert(item, vec![i128::from(other), key]);
                *entry = LISTED_KEY;
            }
            _ => {}
        }
    }

    /// Removes a key of an item.
    pub fn remove(&mut self, item: u32, key: i128) {
        let Some(entry) = self.entries.get_mut(item as usize) else {
            return;
        };
        if *entry == LISTED_KEY {
            if let Some(list) = self.lists.get_mut(&item) {
                list.retain(|other| *other != key);
                if list.is_empty() {
                    self.lists.remove(&item);
                    *entry = ABSENT_KEY;
                }
            }
        } else if i128::from(*entry) == key {
            *entry = ABSENT_KEY;
        }
    }

    /// Calls `each` with every key of an item.
    pub fn for_each(&self, item: u32, mut each: impl FnMut(i128)) {
        match self.entries.get(item as usize) {
            None | Some(&ABSENT_KEY) => {}
            Some(&LISTED_KEY) => self
                .lists
                .get(&item)
                .into_iter()
                .flatten()
                .for_each(|key| each(*key)),
            Some(key) => each(i128::from(*key)),
        }
    }

    /// Returns the least key of an item, or the greatest one.
    pub fn extreme(&self, item: u32, greatest: bool) -> Option<i128> {
        match self.entries.get(item as usize) {
            None | Some(&ABSENT_KEY) => None,
            Some(&LISTED_KEY) => {
                let keys = self.lists.get(&item)?.iter().copied();
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

/// Returns the entry of an item; the array grows as needed.
fn entry<T: Copy>(entries: &mut Vec<T>, item: u32, absent: T) -> &mut T {
    let offset = item as usize;
    if offset >= entries.len() {
        entries.resize(offset + 1, absent);
    }
    &mut entries[offset]
}
