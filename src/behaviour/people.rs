//! Users, or visits, by number: each known by the hash of its name, with its latest row.

use std::{collections::HashMap, ops::Range};

use super::rows::NONE;

/// Hash of a name. 16 bytes of BLAKE3: two names do not meet by chance, and no name can be read back.
pub(super) type Key = [u8; 16];

#[derive(Default)]
pub(super) struct People {
    numbers: HashMap<Key, u32>,
    /// Row of each; [`NONE`] for those forgotten.
    last: Vec<u32>,
}

fn key(name: &str) -> Key {
    let hash = blake3::hash(name.as_bytes());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

impl People {
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of a name, a new one where it is not known.
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

    /// Makes `row` the latest of a number; the one before.
    pub fn follow(&mut self, number: u32, row: u32) -> u32 {
        match self.last.get_mut(number as usize) {
            Some(last) => std::mem::replace(last, row),
            None => NONE,
        }
    }

    /// Latest row of a name.
    pub fn last(&self, name: &str) -> Option<u32> {
        let number = self.numbers.get(&key(name))?;
        Some(self.last_of(*number))
    }

    /// Latest row of a number, or [`NONE`].
    pub fn last_of(&self, number: u32) -> u32 {
        self.last.get(number as usize).copied().unwrap_or(NONE)
    }

    /// Numbers given, those of forgotten names included.
    pub fn places(&self) -> usize {
        self.last.len()
    }

    /// Latest rows of some numbers.
    pub fn at(&self, numbers: Range<usize>) -> impl Iterator<Item = u32> {
        let last = self.last.get(numbers).unwrap_or_default();
        last.iter().copied().filter(|row| *row != NONE)
    }

    /// Forgets a name; its number and latest row.
    pub fn remove(&mut self, name: &str) -> Option<(u32, u32)> {
        let number = self.numbers.remove(&key(name))?;
        Some((number, self.follow(number, NONE)))
    }

    /// Forgets the names of these numbers, which are sorted.
    pub fn remove_numbers(&mut self, gone: &[u32]) {
        if !gone.is_empty() {
            self.numbers.retain(|_, n| gone.binary_search(n).is_err());
        }
        for number in gone {
            self.follow(*number, NONE);
        }
    }

    /// Keys by number.
    pub fn keys(&self) -> Vec<Option<Key>> {
        let mut keys = vec![None; self.last.len()];
        for (key, number) in &self.numbers {
            keys[*number as usize] = Some(*key);
        }
        keys
    }

    /// The number here of one that has a number elsewhere, whose keys are given.
    pub fn adopt(&mut self, number: u32, keys: &[Option<Key>]) -> u32 {
        let key = keys.get(number as usize).copied().flatten();
        key.map_or(NONE, |key| self.number_of_key(key))
    }

    pub fn memory(&self) -> usize {
        // A byte an entry is the table's own.
        self.numbers.capacity() * 8 / 7 * (size_of::<(Key, u32)>() + 1) + self.last.capacity() * 4
    }
}
