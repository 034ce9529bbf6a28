//! Conditions that a query may mean, before the items decide.

use std::{collections::BTreeMap, ops::Range};

use vitrine_schemas::CategoryPath;

use super::Constraint;
use crate::nlu::vocabulary::{Meaning, is_brand};

/// Values of a field that words may mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub field: String,
    pub values: Vec<String>,
}

/// Words that may be a condition.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Tokens of the words.
    pub tokens: Range<usize>,
    /// Possible meanings, the likeliest first.
    pub choices: Vec<Choice>,
    /// True if items with the values are not wanted.
    pub negated: bool,
    /// True if "or" or "and" joins it to the one before.
    pub joined: bool,
    /// True if it follows "for" or "to": rather a purpose than a property.
    pub purpose: bool,
    /// True if it is a condition only for items that mostly have the field: a recipient.
    pub soft: bool,
}

impl Candidate {
    /// Returns true if a kind of item is wanted.
    pub fn is_category(&self) -> bool {
        !self.negated && self.choices.first().is_some_and(|c| c.field == "category")
    }
}

/// A part of a query that needs no evidence: a price, a sort.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub tokens: Range<usize>,
    pub constraint: Constraint,
}

/// Returns the choices among meanings, by field; the likeliest first: attributes before levels of
/// categories that have others below, then the kinds of items, then brands.
pub(super) fn choices<'a>(
    meanings: impl IntoIterator<Item = &'a Meaning>,
    without: &[&str],
) -> Vec<Choice> {
    let mut by_field: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for meaning in meanings {
        if !without.contains(&meaning.field.as_str()) {
            let values = by_field.entry(&meaning.field).or_default();
            values.push(meaning.value.clone());
        }
    }
    let mut found: Vec<Choice> = by_field
        .into_iter()
        .map(|(field, mut values)| {
            values.sort();
            values.dedup();
            let field = field.to_owned();
            Choice { field, values }
        })
        .collect();
    let is_top = |path: &String| CategoryPath::new(path).depth() < 2;
    found.sort_by_key(|choice| match choice.field.as_str() {
        "category" if choice.values.iter().all(is_top) => 2,
        "category" => 0,
        field if is_brand(field) => 3,
        _ => 1,
    });
    found
}
