//! Vocabulary of queries: the values of a collection, and the words of the lexicon.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    lexicon::{LEXICON, Role},
    tokens::{Kind, Token, key, tokens},
};

/// Separator of the names in a category path.
const PATH_SEPARATOR: &str = " > ";

/// A value that a phrase names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::nlu) struct Meaning {
    pub field: String,
    pub value: String,
}

/// The phrases of a collection, to be looked up by their tokens.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    values: HashMap<String, BTreeSet<Meaning>>,
    fields: BTreeSet<String>,
    roles: HashMap<String, Role>,
    /// Maximum number of tokens of a phrase.
    longest: usize,
}

impl Vocabulary {
    /// Builds the vocabulary of the `(field, value)` pairs of the items. Categories are paths,
    /// "Clothing > Shoes"; each name on a path is a phrase. Synonyms come from the lexicon.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut vocabulary = Self::default();
        let synonyms = synonyms();
        let mut seen = HashSet::new();
        for (field, value) in values {
            if !vocabulary.fields.contains(field) {
                vocabulary.fields.insert(field.to_owned());
            }
            if field == "category" {
                for (at, _) in value
                    .match_indices(PATH_SEPARATOR)
                    .chain([(value.len(), "")])
                {
                    let path = &value[..at];
                    let name = path.rsplit(PATH_SEPARATOR).next().unwrap_or(path);
                    if seen.insert((field, path)) {
                        vocabulary.add(name, field, path, &synonyms);
                    }
                }
            } else if seen.insert((field, value)) {
                vocabulary.add(value, field, value, &synonyms);
            }
        }
        for (role, phrase) in LEXICON.all_roles() {
            let tokens = tokens(phrase);
            vocabulary.longest = vocabulary.longest.max(tokens.len());
            vocabulary.roles.insert(key(&tokens), role);
        }
        vocabulary
    }

    fn add(
        &mut self,
        phrase: &str,
        field: &str,
        value: &str,
        synonyms: &HashMap<String, &[String]>,
    ) {
        let own = key(&tokens(phrase));
        let others = synonyms.get(&own).copied().unwrap_or_default();
        for phrase in [phrase]
            .into_iter()
            .chain(others.iter().map(String::as_str))
        {
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
    pub(in crate::nlu) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }

    /// Returns the longest phrase at the beginning of `tokens` that is a value or has a role, with
    /// its length.
    pub(in crate::nlu) fn longest_at(&self, tokens: &[Token]) -> Option<(usize, Lookup<'_>)> {
        (1..=self.longest.min(tokens.len())).rev().find_map(|n| {
            let hyphen_outside = n > 1 && [0, n - 1].iter().any(|at| tokens[*at].form == "-");
            if hyphen_outside || tokens[..n].iter().any(|t| t.kind == Kind::Break) {
                return None;
            }
            let key = key(&tokens[..n]);
            let value = || Some(Lookup::Values(self.values.get(&key)?));
            let role = || Some(Lookup::Role(*self.roles.get(&key)?));
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

/// Meaning of a phrase: values of the collection, or a function in the query.
pub(in crate::nlu) enum Lookup<'a> {
    Values(&'a BTreeSet<Meaning>),
    Role(Role),
}

/// Returns the names of one value by each of them.
fn synonyms() -> HashMap<String, &'static [String]> {
    let groups = LEXICON.synonyms.values();
    groups
        .flat_map(|group| {
            group
                .iter()
                .map(|word| (key(&tokens(word)), group.as_slice()))
        })
        .collect()
}
