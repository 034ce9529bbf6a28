//! What a query means: price, color, brand, size, category, audience and what is not wanted are taken out of its text, by
//! the collection's own values and a small lexicon of English and Chinese. No model, no network: the same text always
//! gives the same answer, and each part says which words it came from, so that it can be shown and undone.

mod amount;
mod grammar;
mod lexicon;
pub(crate) mod token;
pub(crate) mod vocabulary;

use std::{collections::BTreeMap, ops::Range};

pub use self::{amount::PriceRange, vocabulary::Vocabulary};

/// What was taken out of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// The field has the value; several of one field are alternatives.
    Must {
        /// Attribute, `category` or `brand`.
        field: String,
        /// A value that items have; for categories a path.
        value: String,
    },
    /// The field does not have the value.
    MustNot {
        /// Attribute, `category` or `brand`.
        field: String,
        /// A value that items have; for categories a path.
        value: String,
    },
    /// Bounds of the price.
    Price(PriceRange),
}

/// A constraint and the words it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Bytes of the query.
    pub span: Range<usize>,
    /// What they mean.
    pub constraint: Constraint,
}

/// A query, understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// What is left to search by.
    pub text: String,
    /// What was taken out, in the order of the query.
    pub parts: Vec<Part>,
}

impl Understanding {
    /// Of a text in a collection. What is said of the fields `without` stays in the text: so a part is undone.
    pub fn of(text: &str, vocabulary: &Vocabulary, without: &[&str]) -> Self {
        grammar::parse(text, vocabulary, without)
    }

    /// Alternatives by field.
    pub fn must(&self) -> BTreeMap<&str, Vec<&str>> {
        self.values(|c| match c {
            Constraint::Must { field, value } => Some((field, value)),
            _ => None,
        })
    }

    /// What is not wanted, by field.
    pub fn must_not(&self) -> BTreeMap<&str, Vec<&str>> {
        self.values(|c| match c {
            Constraint::MustNot { field, value } => Some((field, value)),
            _ => None,
        })
    }

    /// All bounds of the price together.
    pub fn price(&self) -> PriceRange {
        let mut all = PriceRange::default();
        for part in &self.parts {
            if let Constraint::Price(range) = part.constraint {
                all.gte = range.gte.or(all.gte);
                all.lte = range.lte.or(all.lte);
            }
        }
        all
    }

    fn values<'a>(
        &'a self,
        of: impl Fn(&'a Constraint) -> Option<(&'a String, &'a String)>,
    ) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut by_field: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (field, value) in self.parts.iter().filter_map(|p| of(&p.constraint)) {
            let values = by_field.entry(field).or_default();
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        by_field
    }
}
