//! Data set of an evaluation: interactions of users and items by dense ids, with categories and
//! vectors of the items.

use std::collections::{BTreeMap, HashMap};

use vitrine::cf::split::Interaction;

/// Interactions, with the categories and vectors of the items.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Source, for reports.
    pub name: String,
    users: Names,
    items: Names,
    /// Positive interactions.
    pub interactions: Vec<Interaction>,
    /// Negative interactions: hidden or rated low.
    pub rejections: Vec<Rejection>,
    /// Number of records that could not be read.
    pub refused: usize,
    /// Number of events without a time.
    pub untimed: usize,
    /// Category id of each item, if it has one.
    pub categories: Vec<Option<u32>>,
    /// Vectors of the items.
    pub vectors: Vectors,
}

/// Negative interaction of a user with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// Id of the user.
    pub user: u32,
    /// Id of the item.
    pub item: u32,
    /// Microseconds since 1970.
    pub at: i64,
}

/// Dense ids of names, from 0.
#[derive(Clone, Debug, Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.to_owned(), number);
        number
    }
}

impl Dataset {
    /// Creates an empty data set.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds an interaction at a time in microseconds since 1970; without a weight it is negative.
    pub fn add(&mut self, user: &str, item: &str, weight: Option<f32>, at: i64) {
        let (user, item) = (self.users.number(user), self.items.number(item));
        match weight {
            Some(weight) => self.interactions.push(Interaction {
                user,
                item,
                weight,
                at,
            }),
            None => self.rejections.push(Rejection { user, item, at }),
        }
    }

    /// Returns the number of users.
    pub fn users(&self) -> usize {
        self.users.0.len()
    }

    /// Returns the number of items, all of which are ranked.
    pub fn items(&self) -> usize {
        self.items.0.len()
    }

    /// Adds items of a catalog, `(id, category, vector)`. Items without interactions are ranked
    /// too.
    pub fn describe(
        &mut self,
        items: impl IntoIterator<Item = (String, Option<String>, Option<Vec<f32>>)>,
    ) {
        let mut numbers = BTreeMap::new();
        for (id, category, vector) in items {
            let item = self.items.number(&id) as usize;
            if self.categories.len() <= item {
                self.categories.resize(item + 1, None);
            }
            self.categories[item] = category.map(|path| {
                let next = numbers.len() as u32;
                *numbers.entry(path).or_insert(next)
            });
            if let Some(vector) = vector {
                self.vectors.set(item, &vector);
            }
        }
        self.categories.resize(self.items(), None);
    }

    /// Returns the category of an item.
    pub fn category(&self, item: u32) -> Option<u32> {
        self.categories.get(item as usize).copied().flatten()
    }
}

/// Unit vectors by item id; some items have none.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    dim: usize,
    /// One row per item, zero without a vector.
    rows: Vec<f32>,
}

impl Vectors {
    /// Stores the direction of a vector; ignores one with another dimension than the first, or of
    /// zero length.
    pub fn set(&mut self, item: usize, vector: &[f32]) {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if self.dim == 0 {
            self.dim = vector.len();
        }
        if vector.len() != self.dim || !(length.is_finite() && length > 0.0) {
            return;
        }
        let end = (item + 1) * self.dim;
        if self.rows.len() < end {
            self.rows.resize(end, 0.0);
        }
        let row = &mut self.rows[item * self.dim..end];
        row.iter_mut()
            .zip(vector)
            .for_each(|(to, x)| *to = x / length);
    }

    /// Returns the dimension; 0 without vectors.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns true if there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the vector of an item.
    pub fn get(&self, item: u32) -> Option<&[f32]> {
        let start = item as usize * self.dim;
        let row = self.rows.get(start..start + self.dim)?;
        row.iter().any(|x| *x != 0.0).then_some(row)
    }

    /// Returns all rows, zero for items without a vector.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.chunks_exact(self.dim.max(1))
    }
}

/// Returns the dot product of two vectors.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_by_first_sight() {
        let mut data = Dataset::new("test");
        data.add("u", "a", Some(2.0), 5);
        data.add("v", "b", None, 6);
        data.add("u", "b", Some(1.0), 7);
        assert_eq!((data.users(), data.items()), (2, 2));
        assert_eq!(data.interactions.len(), 2);
        assert_eq!(
            data.rejections,
            [Rejection {
                user: 1,
                item: 1,
                at: 6
            }]
        );
        let item = |id: &str, category: Option<&str>, vector| {
            (id.to_owned(), category.map(str::to_owned), vector)
        };
        data.describe([
            item("b", Some("Shoes"), Some(vec![3.0, 4.0])),
            item("c", Some("Hats"), Some(vec![0.0, 0.0])),
            item("a", Some("Shoes"), None),
            item("d", None, Some(vec![1.0, 2.0, 3.0])),
        ]);
        assert_eq!(data.items(), 4, "what nobody touched counts too");
        let categories: Vec<_> = (0..4).map(|item| data.category(item)).collect();
        assert_eq!(categories, [Some(0), Some(0), Some(1), None]);
        assert_eq!(data.vectors.get(1), Some(&[0.6, 0.8][..]));
        assert_eq!([0, 2, 3, 9].map(|item| data.vectors.get(item)), [None; 4]);
    }
}
