//! Vocabulary of queries: the values of a collection, and the words of the lexicon.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use vitrine_schemas::CategoryPath;

use super::{
    lexicon::{BRAND_ALIASES, LEXICON, RELATED, Role, SYNONYMS, has},
    measures::{Measure, measure_of, unit_of},
    spelling::Spelling,
    tokens::{Kind, Token, key, tokens},
};
use crate::lexical::{han_words, is_han};

/// Shortest Chinese name of a brand that is corrected, in characters.
const MIN_BRAND_CHARACTERS: usize = 3;

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    values: HashMap<String, BTreeSet<Meaning>>,
    /// Parts of the names of categories: "tea" of "Tea & Coffee", 鞋 of 跑步鞋.
    parts: HashMap<String, BTreeSet<Meaning>>,
    measures: Vec<MeasuredValue>,
    fields: BTreeMap<String, FieldKind>,
    roles: HashMap<String, Role>,
    spelling: Spelling,
    /// Words of values and of the lexicon, which need no correction.
    known: HashSet<String>,
    /// Chinese names of brands by their characters, for corrections.
    han_brands: Vec<Vec<String>>,
    /// Maximum number of tokens of a phrase.
    longest: usize,
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
            if field == "category" {
                for path in CategoryPath::new(value).prefixes() {
                    let (name, path) = (path.name(), path.as_str());
                    if seen.insert((field, path)) {
                        vocabulary.add(name, field, path);
                        vocabulary.add_parts(name, path);
                    }
                }
            } else if seen.insert((field, value)) {
                vocabulary.add(value, field, value);
                vocabulary.add_measure(field, value);
            }
        }
        for (role, phrase) in LEXICON.all_roles() {
            let tokens = tokens(phrase);
            vocabulary.longest = vocabulary.longest.max(tokens.len());
            vocabulary.know(&tokens, false);
            vocabulary.roles.insert(key(&tokens), role);
        }
        vocabulary.han_brands.sort();
        for word in LEXICON.words() {
            vocabulary.know(&tokens(word), false);
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
        self
    }

    /// Adds names of values by the groups of a shop: each name finds the values of the others.
    pub fn with_synonyms<'a>(mut self, groups: impl IntoIterator<Item = &'a Vec<String>>) -> Self {
        for group in groups {
            let keys: Vec<_> = group.iter().map(|name| tokens(name)).collect();
            let meanings: BTreeSet<Meaning> = keys
                .iter()
                .filter_map(|tokens| self.values.get(&key(tokens)))
                .flatten()
                .cloned()
                .collect();
            for tokens in keys.iter().filter(|_| !meanings.is_empty()) {
                self.longest = self.longest.max(tokens.len());
                self.know(tokens, false);
                let values = self.values.entry(key(tokens)).or_default();
                values.extend(meanings.iter().cloned());
            }
        }
        self
    }

    fn add(&mut self, phrase: &str, field: &str, value: &str) {
        let own = key(&tokens(phrase));
        let mut names = vec![phrase.to_owned()];
        names.extend(spellings(phrase, is_brand(field)));
        let keys: Vec<_> = names.iter().map(|name| key(&tokens(name))).collect();
        for key in keys.iter().chain([&own]) {
            let brands = is_brand(field).then(|| BRAND_ALIASES.get(key)).flatten();
            for group in SYNONYMS.get(key).into_iter().chain(brands) {
                names.extend(group.iter().cloned());
            }
        }
        for name in names {
            self.add_name(&name, field, value);
        }
    }

    fn add_name(&mut self, name: &str, field: &str, value: &str) {
        let tokens = tokens(name);
        // "t-shirt" is also written "tshirt"; but XL is not 2XL.
        let has_number = tokens.iter().any(|t| matches!(t.kind, Kind::Number(_)));
        let joined: String = tokens
            .iter()
            .filter(|t| t.kind == Kind::Word && !has_number)
            .map(|t| t.form.as_str())
            .collect();
        self.longest = self.longest.max(tokens.len());
        self.know(&tokens, true);
        if is_brand(field)
            && tokens.len() >= MIN_BRAND_CHARACTERS
            && tokens.iter().all(|t| t.kind == Kind::Han)
        {
            let name = tokens.iter().map(|t| t.form.clone()).collect();
            self.han_brands.push(name);
        }
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

    /// Adds "tea" and "coffee" of "Tea & Coffee", "glass" of "Wine Glasses", 鞋 of 跑步鞋.
    fn add_parts(&mut self, name: &str, path: &str) {
        let own_parts = name_parts(name);
        let names: Vec<&str> = own_parts.iter().map(String::as_str).chain([name]).collect();
        for part in &names {
            let part_key = key(&tokens(part));
            let groups = SYNONYMS
                .get(&part_key)
                .into_iter()
                .chain(RELATED.get(&part_key));
            let others = groups.flat_map(|group| group.iter().map(String::as_str));
            for name in [*part].into_iter().chain(others) {
                if Some(&name) == names.last() {
                    continue;
                }
                let tokens = tokens(name);
                self.longest = self.longest.max(tokens.len());
                self.know(&tokens, true);
                let meaning = Meaning {
                    field: "category".to_owned(),
                    value: path.to_owned(),
                };
                self.parts.entry(key(&tokens)).or_default().insert(meaning);
            }
        }
    }

    fn add_measure(&mut self, field: &str, value: &str) {
        if let Some(measure) = measure_of(value) {
            let meaning = Meaning {
                field: field.to_owned(),
                value: value.to_owned(),
            };
            self.measures.push(MeasuredValue { measure, meaning });
        }
    }

    /// Returns the Chinese name of a brand that differs in one character, and its length.
    pub(in crate::nlu) fn near_brand(&self, tokens: &[Token]) -> Option<&[String]> {
        let differs = |name: &&Vec<String>| {
            let same = name.iter().zip(tokens).filter(|(c, t)| **c == t.form);
            let begins = tokens.first().is_some_and(|t| t.form == name[0]);
            begins && name.len() <= tokens.len() && same.count() + 1 == name.len()
        };
        self.han_brands.iter().find(differs).map(Vec::as_slice)
    }

    fn know(&mut self, tokens: &[Token], may_be_meant: bool) {
        for token in tokens.iter().filter(|t| t.kind == Kind::Word) {
            self.known.insert(token.form.clone());
            if may_be_meant {
                self.spelling.add(&token.form);
            }
        }
    }

    /// The fields that have values.
    pub(in crate::nlu) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Returns the field of a kind that a group of names of the lexicon names.
    pub(in crate::nlu) fn field_named(&self, group: &str, kinds: &[FieldKind]) -> Option<&str> {
        let names: Vec<_> = LEXICON.fields.get(group).into_iter().flatten().collect();
        let keys: HashSet<String> = names.iter().map(|name| key(&tokens(name))).collect();
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
    pub(in crate::nlu) fn measured(&self, measure: &Measure) -> Vec<&MeasuredValue> {
        let all = self.measures.iter();
        let meeting: Vec<_> = all.filter(|v| v.measure.meets(measure)).collect();
        let is_same = |v: &&MeasuredValue| {
            measure.high.is_finite()
                && (v.measure.low - measure.low).abs() <= 0.006 * measure.low
                && (v.measure.high - measure.high).abs() <= 0.006 * measure.high
        };
        let same: Vec<_> = meeting.iter().copied().filter(is_same).collect();
        if same.is_empty() { meeting } else { same }
    }

    /// Returns the values by a name of one of the lexicon's groups of synonyms.
    pub(in crate::nlu) fn named(&self, name: &str) -> impl Iterator<Item = &Meaning> {
        self.values.get(&key(&tokens(name))).into_iter().flatten()
    }

    /// Returns the categories of which the phrase is a part of the name, or a related name.
    pub(in crate::nlu) fn categories_near(&self, tokens: &[Token]) -> Option<&BTreeSet<Meaning>> {
        self.parts.get(&key(tokens))
    }

    /// Returns true if the word is part of a value or has a role.
    pub(in crate::nlu) fn knows(&self, word: &str) -> bool {
        self.known.contains(word)
    }

    /// Returns the word of a value that is misspelled.
    pub(in crate::nlu) fn corrected(&self, word: &str) -> Option<&str> {
        self.spelling.correct(word)
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
            let part = || Some(Lookup::Values(self.parts.get(&key)?));
            let role = || Some(Lookup::Role(*self.roles.get(&key)?));
            Some((n, value().or_else(part).or_else(role)?))
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

/// Returns true for fields of brands, whose values have names in other languages.
pub(in crate::nlu) fn is_brand(field: &str) -> bool {
    field == "brand" || has(&LEXICON.fields["brand"], &field.replace('_', " "))
}

/// Returns other spellings of a value: 深灰 of 深灰色; of a brand those by script, 耐克 and Nike of
/// 耐克（Nike）, and that without "the".
fn spellings(phrase: &str, is_brand: bool) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(short) = phrase.strip_suffix('色')
        && short.chars().count() >= 2
    {
        found.push(short.to_owned());
    }
    if is_brand {
        let is_latin = |c: char| c.is_ascii_alphanumeric() || " &'.-".contains(c);
        let han: String = phrase.chars().filter(|c| is_han(*c)).collect();
        let latin: String = phrase.chars().filter(|c| is_latin(*c)).collect();
        let latin = latin.trim().to_owned();
        if han.chars().count() >= 2 && latin.len() >= 2 {
            found.extend([han, latin]);
        }
        let without = phrase.strip_prefix("The ").or(phrase.strip_prefix("the "));
        found.extend(without.map(str::to_owned));
    }
    found
}

/// Returns the parts of a category's name that name it too.
fn name_parts(name: &str) -> Vec<String> {
    let plain = name.replace(" and ", " & ");
    let separators = |c: char| "&/,、与和及，・+".contains(c);
    let pieces: Vec<&str> = plain
        .split(separators)
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    let mut parts = Vec::new();
    for piece in &pieces {
        if pieces.len() > 1 {
            parts.push((*piece).to_owned());
        }
        // 鞋子 and 护肤品 are names of 鞋 and 护肤.
        if let Some(last) = piece.chars().last().filter(|c| is_han(*c)) {
            let last = last.to_string();
            if has(&LEXICON.head_nouns, &last) {
                parts.push(last + "子");
            }
            parts.push(format!("{piece}品"));
        }
        let words: Vec<&str> = piece.split_whitespace().collect();
        if let [_, .., last] = words[..] {
            parts.push(last.to_owned());
        }
        let count = piece.chars().count();
        if piece.chars().all(is_han) && count >= 2 {
            let last = han_words(piece)
                .last()
                .map(|word| piece[word.clone()].to_owned());
            let end: String = piece.chars().skip(count - 1).collect();
            parts.extend(last.filter(|word| word != piece && word.chars().count() > 1));
            parts.extend(Some(end).filter(|end| has(&LEXICON.head_nouns, end)));
        }
    }
    parts
}
