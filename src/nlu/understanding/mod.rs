//! Query understanding: extracts price, color, brand, size, category, audience and exclusions from
//! the text of a query, by the values of the collection and a small lexicon of English and Chinese.
//! No model, no network: the same text always gives the same result, and each part has the span of
//! its words, so that it can be shown and undone.

mod grammar;

use std::{collections::BTreeMap, ops::Range};

pub use super::{amounts::PriceRange, vocabulary::Vocabulary};

/// Constraint extracted from a query.
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

/// A constraint and the span of its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Bytes of the query.
    pub span: Range<usize>,
    /// Their meaning.
    pub constraint: Constraint,
}

/// Interpretation of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// Remaining text to search by.
    pub text: String,
    /// Extracted constraints, in the order of the query.
    pub parts: Vec<Part>,
}

impl Understanding {
    /// Interprets a text. Constraints on the fields `without` stay in the text: this undoes a part.
    ///
    /// # Examples
    ///
    /// ```
    /// use vitrine::nlu::understanding::{Understanding, Vocabulary};
    ///
    /// let vocabulary = Vocabulary::new([("color", "red"), ("brand", "Acme")]);
    /// let understood = Understanding::of("red acme shoes under $50", &vocabulary, &[]);
    /// assert_eq!(understood.must()["color"], ["red"]);
    /// assert_eq!(understood.price().lte, Some(50.0));
    /// assert_eq!(understood.text, "shoes");
    /// ```
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

    /// Excluded values by field.
    pub fn must_not(&self) -> BTreeMap<&str, Vec<&str>> {
        self.values(|c| match c {
            Constraint::MustNot { field, value } => Some((field, value)),
            _ => None,
        })
    }

    /// Returns all price bounds combined.
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
