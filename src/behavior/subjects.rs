//! Tables of users or sessions: an internal number by the hash of the name, and the latest row of
//! each in the log.

use std::{collections::HashMap, ops::Range};

use super::rows::NONE;

/// Hash of a name: 16 bytes of BLAKE3. Collisions are negligible, and the name cannot be recovered.
pub(super) type Key = [u8; 16];

/// The users, or the sessions, of a log.
#[derive(Default)]
pub(super) struct SubjectTable {
    numbers: HashMap<Key, u32>,
    /// Latest row by number; [`NONE`] if forgotten.
    last: Vec<u32>,
}

pub(super) fn key(name: &str) -> Key {
    let hash = blake3::hash(name.as_bytes());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

impl SubjectTable {
    /// Returns the number of known names.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number of a name; assigns a new one to an unknown name.
    pub fn number_of(&mut self, name: &str) -> u32 {
        self.number_of_key(key(name))
    }

    fn number_of_key(&mut self, key: Key) -> u32 {
        let next = self.last.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.last.push(NONE);
        }
        number
    }

    /// Sets the latest row of a number; returns the previous one.
    pub fn set_last(&mut self, number: u32, row: u32) -> u32 {
        match self.last.get_mut(number as usize) {
            Some(last) => std::mem::replace(last, row),
            None => NONE,
        }
    }

    /// Returns the latest row of a name.
    pub fn last(&self, name: &str) -> Option<u32> {
        let number = self.numbers.get(&key(name))?;
        Some(self.last_of(*number))
    }

    /// Returns the latest row of a number, or [`NONE`].
    pub fn last_of(&self, number: u32) -> u32 {
        self.last.get(number as usize).copied().unwrap_or(NONE)
    }

    /// Returns how many numbers are assigned, forgotten names included.
    pub fn capacity(&self) -> usize {
        self.last.len()
    }

    /// Returns the latest rows of a range of numbers.
    pub fn last_rows(&self, numbers: Range<usize>) -> impl Iterator<Item = u32> {
        let last = self.last.get(numbers).unwrap_or_default();
        last.iter().copied().filter(|row| *row != NONE)
    }

    /// Forgets a name; returns its number and latest row.
    pub fn remove(&mut self, name: &str) -> Option<(u32, u32)> {
        let number = self.numbers.remove(&key(name))?;
        Some((number, self.set_last(number, NONE)))
    }

    /// Forgets the names of these numbers, which are sorted.
    pub fn remove_numbers(&mut self, removed: &[u32]) {
        if !removed.is_empty() {
            self.numbers
                .retain(|_, n| removed.binary_search(n).is_err());
        }
        for number in removed {
            self.set_last(*number, NONE);
        }
    }

    /// Returns the keys by number.
    pub fn keys(&self) -> Vec<Option<Key>> {
        let mut keys = vec![None; self.last.len()];
        for (key, number) in &self.numbers {
            keys[*number as usize] = Some(*key);
        }
        keys
    }

    /// Translates a number of another table, given the keys of that table, to a number of this one.
    pub fn adopt(&mut self, number: u32, keys: &[Option<Key>]) -> u32 {
        let key = keys.get(number as usize).copied().flatten();
        key.map_or(NONE, |key| self.number_of_key(key))
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        // The hash table has one control byte per entry.
        self.numbers.capacity() * 8 / 7 * (size_of::<(Key, u32)>() + 1) + self.last.capacity() * 4
    }
}
