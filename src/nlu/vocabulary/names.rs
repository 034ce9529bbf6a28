//! Names of the values of a collection in one language, with the words of its lexicon.

use std::collections::{BTreeSet, HashMap, HashSet};

use vitrine_schemas::CategoryPath;

use super::{
    Meaning, MeasuredValue, is_brand, is_color,
    spellings::{base_color, name_parts, spellings},
};
use crate::{
    lexical::is_han,
    nlu::{
        language::tokens_of,
        lexicon::{Language, Role},
        measures::measure_of,
        spelling::Spelling,
        tokens::{Kind, Token, key},
    },
};

/// Shortest Chinese name of a brand that is corrected, in characters.
const MIN_BRAND_CHARACTERS: usize = 3;

/// Beginnings of the names of fields of true and false.
const FLAG_PREFIXES: [&str; 2] = ["is ", "has "];

/// Phrases of a language, to be looked up by their tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    language: Language,
    pub values: HashMap<String, BTreeSet<Meaning>>,
    /// Parts of the names of categories: "tea" of "Tea & Coffee", 鞋 of 跑步鞋.
    pub parts: HashMap<String, BTreeSet<Meaning>>,
    pub measures: Vec<MeasuredValue>,
    pub roles: HashMap<String, Role>,
    pub spelling: Spelling,
    /// Words of values and of the lexicon, which need no correction.
    pub known: HashSet<String>,
    /// Chinese names of brands by their characters, for corrections.
    pub han_brands: Vec<Vec<String>>,
    /// Maximum number of tokens of a phrase.
    pub longest: usize,
    /// Values by their own names.
    own: HashSet<(String, Meaning)>,
}

impl Names {
    /// Names the values and the properties; each name of a group finds the values of the others.
    pub fn new<'a>(
        language: Language,
        pairs: &[Meaning],
        flags: impl Iterator<Item = &'a String>,
        groups: &[Vec<String>],
    ) -> Self {
        let mut names = Self {
            language,
            ..Self::default()
        };
        let mut seen = HashSet::new();
        for Meaning { field, value } in pairs {
            if field == "category" {
                for path in CategoryPath::new(value).prefixes() {
                    let (name, path) = (path.name(), path.as_str());
                    if seen.insert(path) {
                        names.add(name, field, path);
                        names.add_parts(name, path);
                    }
                }
            } else {
                names.add(value, field, value);
                names.add_measure(field, value);
            }
        }
        for field in flags {
            let name = field.replace('_', " ");
            let name = FLAG_PREFIXES
                .iter()
                .find_map(|p| name.strip_prefix(p))
                .unwrap_or(&name);
            names.add(name, field, "true");
        }
        names.prefer_own();
        let lexicon = language.lexicon();
        for (role, phrase) in lexicon.all_roles() {
            let tokens = tokens_of(phrase, language);
            names.longest = names.longest.max(tokens.len());
            names.know(&tokens, false);
            names.roles.insert(key(&tokens), role);
        }
        names.han_brands.sort();
        for word in lexicon.words() {
            names.know(&tokens_of(word, language), false);
        }
        for group in groups {
            names.join(group);
        }
        names
    }

    /// Adds a group of names: each finds the values of the others.
    fn join(&mut self, group: &[String]) {
        let split = |name: &String| tokens_of(name, self.language);
        let keys: Vec<_> = group.iter().map(split).collect();
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

    fn key(&self, name: &str) -> String {
        key(&tokens_of(name, self.language))
    }

    fn add(&mut self, phrase: &str, field: &str, value: &str) {
        let own = self.key(phrase);
        let mut names = vec![phrase.to_owned()];
        names.extend(spellings(phrase, is_brand(field)));
        let meaning = meaning(field, value);
        let owned = names.iter().map(|name| (self.key(name), meaning.clone()));
        let owned: Vec<_> = owned.collect();
        self.own.extend(owned);
        if is_color(field) {
            names.extend(base_color(phrase, self.language));
        }
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        for key in keys.iter().chain([&own]) {
            let brands = is_brand(field).then(|| self.language.brands().get(key));
            let synonyms = self.language.synonyms().get(key);
            for group in synonyms.into_iter().chain(brands.flatten()) {
                names.extend(group.iter().cloned());
            }
        }
        for name in names {
            self.add_name(&name, field, value);
        }
    }

    /// Drops values that are called by a phrase only besides, if it is the name of another value of
    /// the field in the same script: 笔记本电脑 is a laptop, 笔记本 a notebook or a laptop.
    fn prefer_own(&mut self) {
        let own = &self.own;
        for (key, meanings) in &mut self.values {
            let is_own = |meaning: &Meaning| own.contains(&(key.clone(), meaning.clone()));
            let script = |meaning: &Meaning| (meaning.field.clone(), has_han(&meaning.value));
            let named = meanings.iter().filter(|meaning| is_own(meaning));
            let named: HashSet<_> = named.map(script).collect();
            meanings.retain(|meaning| is_own(meaning) || !named.contains(&script(meaning)));
        }
    }

    fn add_name(&mut self, name: &str, field: &str, value: &str) {
        let tokens = tokens_of(name, self.language);
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
                let meaning = meaning(field, value);
                self.values.entry(key).or_default().insert(meaning);
            }
        }
    }

    /// Adds "tea" and "coffee" of "Tea & Coffee", "glass" of "Wine Glasses", 鞋 of 跑步鞋.
    fn add_parts(&mut self, name: &str, path: &str) {
        let own_parts = name_parts(name, self.language);
        let names: Vec<&str> = own_parts.iter().map(String::as_str).chain([name]).collect();
        for part in &names {
            let part_key = self.key(part);
            let synonyms = self.language.synonyms().get(&part_key);
            let related = self.language.related().get(&part_key);
            let groups = synonyms.into_iter().chain(related);
            let others = groups.flat_map(|group| group.iter().map(String::as_str));
            for name in [*part].into_iter().chain(others) {
                if Some(&name) == names.last() {
                    continue;
                }
                let tokens = tokens_of(name, self.language);
                self.longest = self.longest.max(tokens.len());
                self.know(&tokens, true);
                let meaning = meaning("category", path);
                self.parts.entry(key(&tokens)).or_default().insert(meaning);
            }
        }
    }

    fn add_measure(&mut self, field: &str, value: &str) {
        let first = || (self.language != Language::default()).then(Language::default);
        let own = measure_of(value, self.language);
        let measure = own.or_else(|| measure_of(value, first()?));
        if let Some(measure) = measure {
            let meaning = meaning(field, value);
            self.measures.push(MeasuredValue { measure, meaning });
        }
    }

    fn know(&mut self, tokens: &[Token], may_be_meant: bool) {
        for token in tokens.iter().filter(|t| t.kind == Kind::Word) {
            self.known.insert(token.form.clone());
            if may_be_meant {
                self.spelling.add(&token.form);
            }
        }
    }
}

fn meaning(field: &str, value: &str) -> Meaning {
    Meaning {
        field: field.to_owned(),
        value: value.to_owned(),
    }
}

fn has_han(value: &str) -> bool {
    value.chars().any(is_han)
}
