//! Transition probabilities between categories.

use std::collections::HashMap;

/// Number of users of a category at which its transitions count as much as the overall frequencies.
const SMOOTHING: f32 = 10.0;

/// Maximum number of categories of a user that are paired, those with most items: the time is
/// quadratic.
const MAX_USER_CATEGORIES: usize = 32;

/// P(B | A): the probability that a user of category A and of other categories also chose from B.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transitions {
    numbers: HashMap<String, u32>,
    /// Number of users by pair of category numbers, in both orders.
    both: HashMap<(u32, u32), u32>,
    /// Sum of `both` over the other categories, by category number.
    from: Vec<u32>,
    /// Sum of `both`.
    total: u32,
}

impl Transitions {
    /// Counts users, each given as the categories of their items, which are indices of
    /// `categories`.
    pub fn count(categories: Vec<String>, users: impl Iterator<Item = Vec<u32>>) -> Self {
        let mut counted = Self {
            from: vec![0; categories.len()],
            numbers: categories.into_iter().zip(0..).collect(),
            ..Self::default()
        };
        for categories in users {
            for (a, b) in pairs(categories) {
                counted.add((a, b), 1);
                counted.add((b, a), 1);
            }
        }
        counted
    }

    /// Takes over the number of users by pair of categories; each pair is there once.
    pub fn of_pairs<'a>(
        categories: Vec<String>,
        pairs: impl Iterator<Item = (&'a str, &'a str, u32)>,
    ) -> Self {
        let mut counted = Self {
            from: vec![0; categories.len()],
            numbers: categories.into_iter().zip(0..).collect(),
            ..Self::default()
        };
        for (a, b, users) in pairs {
            let numbers = (counted.numbers.get(a), counted.numbers.get(b));
            if let (Some(a), Some(b)) = (numbers.0.copied(), numbers.1.copied()) {
                counted.add((a, b), users);
                counted.add((b, a), users);
            }
        }
        counted
    }

    fn add(&mut self, pair: (u32, u32), users: u32) {
        *self.both.entry(pair).or_default() += users;
        self.from[pair.0 as usize] += users;
        self.total += users;
    }

    /// Returns true if no user chose from two categories.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Returns the number of users who chose from both categories.
    pub fn users(&self, from: &str, to: &str) -> u32 {
        let (Some(from), Some(to)) = (self.numbers.get(from), self.numbers.get(to)) else {
            return 0;
        };
        self.both.get(&(*from, *to)).copied().unwrap_or(0)
    }

    /// Returns P(to | from), smoothed by the overall frequency of `to`; it sums to 1 over all
    /// categories except `from`. None if no user chose from two categories other than `from`.
    pub fn probability(&self, from: &str, to: &str) -> Option<f32> {
        let count = |category: &str| {
            let number = self.numbers.get(category);
            number.map_or(0, |n| self.from[*n as usize])
        };
        let elsewhere = self.total - count(from);
        if elsewhere == 0 || from == to {
            return None;
        }
        let frequency = count(to) as f32 / elsewhere as f32;
        let both = self.users(from, to) as f32;
        Some((both + SMOOTHING * frequency) / (count(from) as f32 + SMOOTHING))
    }
}

/// Returns each pair of different categories of a user once.
fn pairs(mut categories: Vec<u32>) -> Vec<(u32, u32)> {
    categories.sort_unstable();
    let runs = categories.chunk_by(|a, b| a == b);
    let mut counted: Vec<(usize, u32)> = runs.map(|run| (run.len(), run[0])).collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    counted.truncate(MAX_USER_CATEGORIES);
    let mut pairs = Vec::new();
    for (index, (_, a)) in counted.iter().enumerate() {
        pairs.extend(counted[index + 1..].iter().map(|(_, b)| (*a, *b)));
    }
    pairs
}
