//! Vocabulary of queries: the values of a collection, and the words of the lexicon.

mod compounds;
mod names;
mod spellings;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::OnceLock,
};

use self::names::Names;
use super::{
    language::{field_names, tokens, tokens_of},
    lexicon::{Language, Role},
    measures::{Measure, unit_of},
    tokens::{Kind, Token, key},
};

/// Maximum number of values whose words tell the language of a shop.
const MAX_TELLING_VALUES: usize = 500;

/// Kind of the values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Strings.
    Keyword,
    /// Numbers.
    Number,
    /// true and false.
    Bool,
    /// Times.
    Datetime,
}

/// A value that a phrase names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::nlu) struct Meaning {
    pub field: String,
    pub value: String,
}

/// A value that is a measure.
#[derive(Clone, Debug)]
pub(in crate::nlu) struct MeasuredValue {
    pub measure: Measure,
    pub meaning: Meaning,
}

/// The phrases of a collection, to be looked up by their tokens.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    pairs: Vec<Meaning>,
    fields: BTreeMap<String, FieldKind>,
    groups: Vec<Vec<String>>,
    /// Names of the values by language, made when a text of the language comes.
    names: [OnceLock<Box<Names>>; Language::COUNT],
    leans: OnceLock<Language>,
}

impl Vocabulary {
    /// Builds the vocabulary of the `(field, value)` pairs of the items. Categories are paths,
    /// "Clothing > Shoes"; each name on a path is a phrase. Synonyms come from the lexicon.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut vocabulary = Self::default();
        let mut seen = HashSet::new();
        for (field, value) in values {
            if !vocabulary.fields.contains_key(field) {
                let kind = FieldKind::Keyword;
                vocabulary.fields.insert(field.to_owned(), kind);
            }
            if seen.insert((field, value)) {
                let (field, value) = (field.to_owned(), value.to_owned());
                vocabulary.pairs.push(Meaning { field, value });
            }
        }
        vocabulary
    }

    /// Adds fields whose values are no words.
    pub fn with_fields<'a>(
        mut self,
        fields: impl IntoIterator<Item = (&'a str, FieldKind)>,
    ) -> Self {
        for (field, kind) in fields {
            self.fields.insert(field.to_owned(), kind);
        }
        self.names = Default::default();
        self
    }

    /// Adds names of values by the groups of a shop: each name finds the values of the others.
    pub fn with_synonyms<'a>(mut self, groups: impl IntoIterator<Item = &'a Vec<String>>) -> Self {
        self.groups.extend(groups.into_iter().cloned());
        self.names = Default::default();
        self
    }

    fn names(&self, language: Language) -> &Names {
        let flags = || self.fields.keys().filter(|field| self.is_flag(field));
        let new = || Box::new(Names::new(language, &self.pairs, flags(), &self.groups));
        self.names[language.index()].get_or_init(new)
    }

    fn names_of(&self, tokens: &[Token]) -> &Names {
        self.names(tokens.first().map(|t| t.language).unwrap_or_default())
    }

    /// Returns the language of a text: that of its words, or else of words before it, or else of
    /// most of the values.
    pub(in crate::nlu) fn language_of(&self, text: &str, before: &str) -> Language {
        let leans = *self.leans.get_or_init(|| {
            let step = self.pairs.len() / MAX_TELLING_VALUES + 1;
            let values = self.pairs.iter().step_by(step);
            Language::of_most(values.map(|pair| pair.value.as_str()))
        });
        let earlier = match before.trim() {
            "" => leans,
            before => Language::of(before, leans),
        };
        Language::of(text, earlier)
    }

    /// Returns the Chinese name of a brand that differs in one character, and its length.
    pub(in crate::nlu) fn near_brand(&self, tokens: &[Token]) -> Option<&[String]> {
        let differs = |name: &&Vec<String>| {
            let same = name.iter().zip(tokens).filter(|(c, t)| **c == t.form);
            let begins = tokens.first().is_some_and(|t| t.form == name[0]);
            begins && name.len() <= tokens.len() && same.count() + 1 == name.len()
        };
        let names = self.names_of(tokens);
        names.han_brands.iter().find(differs).map(Vec::as_slice)
    }

    /// Returns true for fields of true and false that are named like a property: `waterproof`.
    pub(in crate::nlu) fn is_flag(&self, field: &str) -> bool {
        let is_availability =
            || field_names("in_stock").any(|name| *name == field.replace('_', " "));
        self.fields.get(field) == Some(&FieldKind::Bool)
            && field != "in_stock"
            && !is_availability()
    }

    /// The fields that have values.
    pub(in crate::nlu) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Returns the field of a kind that a group of names of the lexicon names.
    pub(in crate::nlu) fn field_named(&self, group: &str, kinds: &[FieldKind]) -> Option<&str> {
        let keys: HashSet<String> = field_names(group).map(|name| key(&tokens(name))).collect();
        let is_named =
            |field: &str| field == group || keys.contains(&key(&tokens(&field.replace('_', " "))));
        let mut fields = self.fields.iter().filter(|(_, kind)| kinds.contains(kind));
        Some(fields.find(|(name, _)| is_named(name))?.0.as_str())
    }

    /// Returns the numeric field that is counted in a unit of a kind, with the factor of its unit:
    /// `pieces`, `weight_kg`, `battery_hours`.
    pub(in crate::nlu) fn field_in_unit(&self, kind: &str) -> Option<(&str, f64)> {
        let numbers = self.fields.iter().filter(|(_, k)| **k == FieldKind::Number);
        let mut counted = numbers.filter_map(|(field, _)| {
            let (_, unit) = field.rsplit_once('_').unwrap_or(("", field));
            // A year is a date.
            let (own, factor) = unit_of(unit).filter(|_| unit != "year")?;
            (own == kind).then_some((field.as_str(), factor))
        });
        counted.next()
    }

    /// Returns the values whose measure has a point in common with one, those that are it first.
    pub(in crate::nlu) fn measured(
        &self,
        measure: &Measure,
        language: Language,
    ) -> Vec<&MeasuredValue> {
        let all = self.names(language).measures.iter();
        let meeting: Vec<_> = all.filter(|v| v.measure.meets(measure)).collect();
        let is_same = |v: &&MeasuredValue| {
            measure.high.is_finite()
                && (v.measure.low - measure.low).abs() <= 0.006 * measure.low
                && (v.measure.high - measure.high).abs() <= 0.006 * measure.high
        };
        let same: Vec<_> = meeting.iter().copied().filter(is_same).collect();
        if same.is_empty() { meeting } else { same }
    }

    /// Returns the values by a name, or by the names of one of the lexicon's groups of synonyms.
    pub(in crate::nlu) fn named<'a>(&'a self, name: &str, language: Language) -> Vec<&'a Meaning> {
        let group = language.lexicon().synonyms.get(name);
        let names = group.into_iter().flatten().map(String::as_str);
        let names = names.chain([name]);
        let keys: BTreeSet<String> = names.map(|name| key(&tokens_of(name, language))).collect();
        let values = &self.names(language).values;
        let found = keys.into_iter().filter_map(|key| values.get(&key));
        let found: BTreeSet<&Meaning> = found.flatten().collect();
        found.into_iter().collect()
    }

    /// Returns the categories of which the phrase is a part of the name, or a related name.
    pub(in crate::nlu) fn categories_near(&self, tokens: &[Token]) -> Option<&BTreeSet<Meaning>> {
        self.names_of(tokens).parts.get(&key(tokens))
    }

    /// Returns true if the word is part of a value or has a role.
    pub(in crate::nlu) fn knows(&self, token: &Token) -> bool {
        self.names(token.language).known.contains(&token.form)
    }

    /// Returns the word of a value that is misspelled.
    pub(in crate::nlu) fn corrected(&self, token: &Token) -> Option<&str> {
        self.names(token.language).spelling.correct(&token.form)
    }

    /// Returns the longest phrase at the beginning of `tokens` that is a value or has a role, with
    /// its length.
    pub(in crate::nlu) fn longest_at(&self, tokens: &[Token]) -> Option<(usize, Lookup<'_>)> {
        let names = self.names_of(tokens);
        (1..=names.longest.min(tokens.len())).rev().find_map(|n| {
            let hyphen_outside = n > 1 && [0, n - 1].iter().any(|at| tokens[*at].form == "-");
            if hyphen_outside || tokens[..n].iter().any(|t| t.kind == Kind::Break) {
                return None;
            }
            let key = key(&tokens[..n]);
            let value = || Some(Lookup::Values(names.values.get(&key)?));
            let part = || Some(Lookup::Values(names.parts.get(&key)?));
            let role = || Some(Lookup::Role(*names.roles.get(&key)?));
            Some((n, value().or_else(part).or_else(role)?))
        })
    }

    /// The role of a phrase at the beginning of `tokens`, and its length.
    pub(super) fn role_at(
        &self,
        tokens: &[Token],
        wanted: impl Fn(Role) -> bool,
    ) -> Option<(usize, Role)> {
        let names = self.names_of(tokens);
        (1..=names.longest.min(tokens.len())).rev().find_map(|n| {
            let role = *names.roles.get(&key(&tokens[..n]))?;
            wanted(role).then_some((n, role))
        })
    }
}

/// Meaning of a phrase: values of the collection, or a function in the query.
pub(in crate::nlu) enum Lookup<'a> {
    Values(&'a BTreeSet<Meaning>),
    Role(Role),
}

/// Returns true for fields of colors, whose values may be shades.
fn is_color(field: &str) -> bool {
    field == "color" || field_names("color").any(|name| *name == field.replace('_', " "))
}

/// Returns true for fields of brands, whose values have names in other languages.
pub(in crate::nlu) fn is_brand(field: &str) -> bool {
    field == "brand" || field_names("brand").any(|name| *name == field.replace('_', " "))
}
