//! Numbers of names, in the order of their first addition.

use std::collections::HashMap;

/// Returns the bytes of a name: it is held twice, with its length and the allocator's overhead, and
/// has a number.
pub(crate) fn name_bytes(name: &str) -> u64 {
    2 * (name.len() as u64 + 40) + 8
}

/// Names with numbers, which are never reused.
#[derive(Clone, Default)]
pub(super) struct Names {
    all: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl From<Vec<String>> for Names {
    fn from(all: Vec<String>) -> Self {
        let numbers = all.iter().cloned().zip(0..).collect();
        Self { all, numbers }
    }
}

impl Names {
    /// Returns the names by number.
    pub fn all(&self) -> &[String] {
        &self.all
    }

    /// Returns the number of a name, a new one if it has none.
    pub fn number_of(&mut self, name: &str) -> u32 {
        if let Some(number) = self.number(name) {
            return number;
        }
        let number = self.all.len() as u32;
        self.all.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// Returns the number of a name, if it has one.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Returns the name of a number; empty if there is none.
    pub fn name(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", String::as_str)
    }

    /// Returns the approximate bytes of memory.
    pub fn memory(&self) -> usize {
        self.all.iter().map(|name| name_bytes(name) as usize).sum()
    }
}
