//! What a query may name: the values of a collection, and the words that hold for all shops.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    lexicon::{ROLES, Role, SYNONYMS},
    token::{Kind, Token, key, tokens},
};

/// Separates the names of a category's path.
const PATH: &str = " > ";

/// A value that a phrase names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Meaning {
    pub field: String,
    pub value: String,
}

/// The phrases of a collection, to be looked up by their tokens.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    values: HashMap<String, BTreeSet<Meaning>>,
    fields: BTreeSet<String>,
    roles: HashMap<String, Role>,
    /// Most tokens of a phrase.
    longest: usize,
}

impl Vocabulary {
    /// Of the `(field, value)` pairs that the items have. Categories are paths, "Clothing > Shoes"; every name on a
    /// path can be asked for. Synonyms of English and Chinese are known.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut vocabulary = Self::default();
        let synonyms = synonyms();
        let mut seen = HashSet::new();
        for (field, value) in values {
            if !vocabulary.fields.contains(field) {
                vocabulary.fields.insert(field.to_owned());
            }
            if field == "category" {
                for (at, _) in value.match_indices(PATH).chain([(value.len(), "")]) {
                    let path = &value[..at];
                    let name = path.rsplit(PATH).next().unwrap_or(path);
                    if seen.insert((field, path)) {
                        vocabulary.add(name, field, path, &synonyms);
                    }
                }
            } else if seen.insert((field, value)) {
                vocabulary.add(value, field, value, &synonyms);
            }
        }
        for (role, phrases) in ROLES {
            for phrase in *phrases {
                let tokens = tokens(phrase);
                vocabulary.longest = vocabulary.longest.max(tokens.len());
                vocabulary.roles.insert(key(&tokens), *role);
            }
        }
        vocabulary
    }

    fn add(&mut self, phrase: &str, field: &str, value: &str, synonyms: &HashMap<String, usize>) {
        let own = key(&tokens(phrase));
        let others = synonyms.get(&own).map_or(&[][..], |at| SYNONYMS[*at]);
        for phrase in [phrase].iter().chain(others) {
            let tokens = tokens(phrase);
            // "t-shirt" is also written "tshirt".
            let joined: String = tokens
                .iter()
                .filter(|t| t.kind == Kind::Word)
                .map(|t| t.form.as_str())
                .collect();
            self.longest = self.longest.max(tokens.len());
            for key in [key(&tokens), joined] {
                if !key.is_empty() {
                    let meaning = Meaning {
                        field: field.to_owned(),
                        value: value.to_owned(),
                    };
                    self.values.entry(key).or_default().insert(meaning);
                }
            }
        }
    }

    /// The fields that have values.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }

    /// The longest phrase at the beginning of `tokens` that is a value or has a role, with its length.
    pub(crate) fn longest_at(&self, tokens: &[Token]) -> Option<(usize, Found<'_>)> {
        (1..=self.longest.min(tokens.len())).rev().find_map(|n| {
            let hyphen_outside = n > 1 && [0, n - 1].iter().any(|at| tokens[*at].form == "-");
            if hyphen_outside || tokens[..n].iter().any(|t| t.kind == Kind::Break) {
                return None;
            }
            let key = key(&tokens[..n]);
            let value = || Some(Found::Values(self.values.get(&key)?));
            let role = || Some(Found::Role(*self.roles.get(&key)?));
            Some((n, value().or_else(role)?))
        })
    }

    /// The role of a phrase at the beginning of `tokens`, and its length.
    pub(super) fn role_at(
        &self,
        tokens: &[Token],
        wanted: impl Fn(Role) -> bool,
    ) -> Option<(usize, Role)> {
        (1..=self.longest.min(tokens.len())).rev().find_map(|n| {
            let role = *self.roles.get(&key(&tokens[..n]))?;
            wanted(role).then_some((n, role))
        })
    }
}

/// What a phrase is.
pub(crate) enum Found<'a> {
    Values(&'a BTreeSet<Meaning>),
    Role(Role),
}

/// Number of the group by phrase.
fn synonyms() -> HashMap<String, usize> {
    let groups = SYNONYMS.iter().enumerate();
    groups
        .flat_map(|(at, group)| group.iter().map(move |word| (key(&tokens(word)), at)))
        .collect()
}
