//! How often people who choose of one category choose of another.

use std::collections::HashMap;

/// People of a category at which what they did counts as much as what is usual everywhere.
const SMOOTHING: f32 = 10.0;

/// Categories of a person that are paired, those of most items: more would cost their square.
const MOST_EACH: usize = 32;

/// P(B | A): the chance that somebody who chose of category A and of others chose of B.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transitions {
    numbers: HashMap<String, u32>,
    /// People with both, by numbers of two categories, in either order.
    both: HashMap<(u32, u32), u32>,
    /// Sum of those over the other categories.
    from: Vec<u32>,
    total: u32,
}

impl Transitions {
    /// Counts people, each given as the categories of their items, places in `kinds`.
    pub fn count(kinds: Vec<String>, people: impl Iterator<Item = Vec<u32>>) -> Self {
        let mut counted = Self {
            from: vec![0; kinds.len()],
            numbers: kinds.into_iter().zip(0..).collect(),
            ..Self::default()
        };
        for kinds in people {
            for (a, b) in pairs(kinds) {
                for pair in [(a, b), (b, a)] {
                    *counted.both.entry(pair).or_default() += 1;
                    counted.from[pair.0 as usize] += 1;
                    counted.total += 1;
                }
            }
        }
        counted
    }

    /// Whether anybody chose of two categories.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// People who chose of both.
    pub fn people(&self, from: &str, to: &str) -> u32 {
        let (Some(from), Some(to)) = (self.numbers.get(from), self.numbers.get(to)) else {
            return 0;
        };
        self.both.get(&(*from, *to)).copied().unwrap_or(0)
    }

    /// P(to | from), smoothed towards how often `to` is chosen beside anything: over all categories but `from` it sums to 1.
    /// None where nobody chose of two categories, other than of `from` and one more.
    pub fn probability(&self, from: &str, to: &str) -> Option<f32> {
        let count = |kind: &str| {
            let number = self.numbers.get(kind);
            number.map_or(0, |n| self.from[*n as usize])
        };
        let elsewhere = self.total - count(from);
        if elsewhere == 0 || from == to {
            return None;
        }
        let usual = count(to) as f32 / elsewhere as f32;
        let both = self.people(from, to) as f32;
        Some((both + SMOOTHING * usual) / (count(from) as f32 + SMOOTHING))
    }
}

/// Each two different categories of a person, once.
fn pairs(mut kinds: Vec<u32>) -> Vec<(u32, u32)> {
    kinds.sort_unstable();
    let runs = kinds.chunk_by(|a, b| a == b);
    let mut counted: Vec<(usize, u32)> = runs.map(|run| (run.len(), run[0])).collect();
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    counted.truncate(MOST_EACH);
    let mut pairs = Vec::new();
    for (place, (_, a)) in counted.iter().enumerate() {
        pairs.extend(counted[place + 1..].iter().map(|(_, b)| (*a, *b)));
    }
    pairs
}
