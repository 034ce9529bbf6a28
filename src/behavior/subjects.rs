//! Tables of users or sessions: an internal number by the hash of the name, and the latest row of
//! each in the log.

use std::{collections::HashMap, ops::Range};

use super::{
    consent::{Purposes, SharedConsents},
    rows::NONE,
};
use crate::storage::{NameHash, hash_of};

/// Purposes that the events of a user or session may be used for.
#[derive(Clone, Copy)]
struct Permit {
    /// As the user or session permits.
    own: Purposes,
    /// As all users permit who were seen in a session.
    by_users: Purposes,
}

/// The users, or the sessions, of a log.
#[derive(Default)]
pub(super) struct SubjectTable {
    numbers: HashMap<NameHash, u32>,
    /// Latest row by number; [`NONE`] if forgotten.
    last: Vec<u32>,
    /// Permitted purposes by number.
    permits: Vec<Permit>,
    consents: SharedConsents,
}

impl SubjectTable {
    /// Creates an empty table.
    pub fn new(consents: SharedConsents) -> Self {
        Self {
            consents,
            ..Self::default()
        }
    }

    /// Returns an empty table with the same consents.
    pub fn emptied(&self) -> Self {
        Self::new(self.consents.clone())
    }

    /// Returns the number of known names.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number of a name; assigns a new one to an unknown name.
    pub fn number_of(&mut self, name: &str) -> u32 {
        self.number_of_hash(hash_of(name))
    }

    fn number_of_hash(&mut self, name: NameHash) -> u32 {
        let next = self.last.len() as u32;
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.last.push(NONE);
            self.permits.push(Permit {
                own: self.consents.read().of(&name),
                by_users: Purposes::EVERY_USE,
            });
        }
        number
    }

    /// Returns the number of a known name.
    pub fn number(&self, name: &NameHash) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Returns the purposes that the events of a number may be used for.
    pub fn permitted(&self, number: u32) -> Purposes {
        let permit = self.permits.get(number as usize);
        permit.map_or(Purposes::EVERY_USE, |permit| permit.own & permit.by_users)
    }

    /// Returns the purposes that the events of a name may be used for.
    pub fn permitted_to(&self, name: &str) -> Purposes {
        let name = hash_of(name);
        match self.number(&name) {
            Some(number) => self.permitted(number),
            None => self.consents.read().of(&name),
        }
    }

    /// Reads the consent of a known name again.
    pub fn refresh(&mut self, name: &NameHash) {
        if let Some(number) = self.number(name) {
            self.permits[number as usize].own = self.consents.read().of(name);
        }
    }

    /// Reads all consents again; sessions are then as if no user had been seen in them.
    pub fn refresh_all(&mut self) {
        let consents = self.consents.read();
        for (name, number) in &self.numbers {
            self.permits[*number as usize] = Permit {
                own: consents.of(name),
                by_users: Purposes::EVERY_USE,
            };
        }
    }

    /// Returns the purposes that all users permit who were seen in a session.
    pub fn permitted_by_users(&self, session: u32) -> Purposes {
        let permit = self.permits.get(session as usize);
        permit.map_or(Purposes::EVERY_USE, |permit| permit.by_users)
    }

    /// Sets the purposes that all users permit who were seen in a session.
    pub fn set_permitted_by_users(&mut self, session: u32, purposes: Purposes) {
        if let Some(permit) = self.permits.get_mut(session as usize) {
            permit.by_users = purposes;
        }
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
        let number = self.number(&hash_of(name))?;
        Some(self.last_of(number))
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
        let number = self.numbers.remove(&hash_of(name))?;
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

    /// Returns the hashes of the names by number.
    pub fn hashes(&self) -> Vec<Option<NameHash>> {
        let mut hashes = vec![None; self.last.len()];
        for (name, number) in &self.numbers {
            hashes[*number as usize] = Some(*name);
        }
        hashes
    }

    /// Translates a number of another table, given the hashes of that table, to a number of this
    /// one.
    pub fn adopt(&mut self, number: u32, hashes: &[Option<NameHash>]) -> u32 {
        let name = hashes.get(number as usize).copied().flatten();
        name.map_or(NONE, |name| self.number_of_hash(name))
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        // The hash table has one control byte per entry.
        self.numbers.capacity() * 8 / 7 * (size_of::<(NameHash, u32)>() + 1)
            + self.last.capacity() * 4
            + self.permits.capacity() * size_of::<Permit>()
            + self.consents.read().memory()
    }
}
