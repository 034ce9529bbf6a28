//! What is evaluated on: who touched what, in numbers, and what is known of the items.

use std::collections::{BTreeMap, HashMap};

use vitrine::cf::split::Interaction;

/// Behaviour with what is known of the items.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Where it comes from, for people.
    pub name: String,
    users: Names,
    items: Names,
    /// What speaks for an item.
    pub interactions: Vec<Interaction>,
    /// What speaks against one: hidden, rated low.
    pub rejections: Vec<Rejection>,
    /// Records that could not be read.
    pub refused: usize,
    /// Events whose time is not known.
    pub untimed: usize,
    /// Category numbers of the items, where there are any.
    pub categories: Vec<Option<u32>>,
    /// Vectors of the items, where there are any.
    pub vectors: Vectors,
}

/// A user does not want an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// Number of the user.
    pub user: u32,
    /// Number of the item.
    pub item: u32,
    /// Microseconds since 1970.
    pub at: i64,
}

/// Numbers from 0 for names.
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
    /// Nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A person did something with an item at a moment in microseconds since 1970; no weight speaks against it.
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

    /// Number of users.
    pub fn users(&self) -> usize {
        self.users.0.len()
    }

    /// Number of items, of which all are ranked.
    pub fn items(&self) -> usize {
        self.items.0.len()
    }

    /// Takes in what a catalog knows: `(id, category, vector)`. Items nobody touched are ranked too.
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

    /// Category of an item.
    pub fn category(&self, item: u32) -> Option<u32> {
        self.categories.get(item as usize).copied().flatten()
    }
}

/// Unit vectors by item number; some items have none.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    dim: usize,
    /// A row an item, zero where there is no vector.
    rows: Vec<f32>,
}

impl Vectors {
    /// Keeps the direction of a vector; one of another dimension than the first, or of no length, is passed over.
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

    /// Numbers in a vector; 0 where there are none.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The vector of an item.
    pub fn get(&self, item: u32) -> Option<&[f32]> {
        let start = item as usize * self.dim;
        let row = self.rows.get(start..start + self.dim)?;
        row.iter().any(|x| *x != 0.0).then_some(row)
    }

    /// All rows, zero where an item has no vector.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.chunks_exact(self.dim.max(1))
    }
}

/// Product of two vectors.
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
