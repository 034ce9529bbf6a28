//! Words of shoppers, whatever the shop sells; values come from the items of the shop.
//!
//! Each language is a TOML file in this folder. Phrases are added there without Rust; a new
//! language also needs a line in [`FILES`].

mod senses;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use serde::Deserialize;

pub(super) use self::senses::{Bound, Phrase, Recipient, Role, SortIntent};
use super::tokens::{Token, cuts_word, key, tokens};

/// Lexicon files: one of all languages, one for each language.
const FILES: [(&str, &str); 3] = [
    ("neutral.toml", include_str!("neutral.toml")),
    ("en.toml", include_str!("en.toml")),
    ("zh.toml", include_str!("zh.toml")),
];

/// Lexicon of all languages together, parsed on first use.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut all = Lexicon::default();
    for (name, text) in FILES {
        match toml::from_str(text) {
            Ok(lexicon) => all.merge(lexicon),
            Err(error) => panic!("{name}: {error}"), // A unit test parses the files.
        }
    }
    all
});

/// Brand aliases file.
const BRANDS: (&str, &str) = ("brands.toml", include_str!("brands.toml"));

/// Other names of brands, by the key of each name.
pub(super) static BRAND_ALIASES: LazyLock<Aliases> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Brands {
        brands: Vec<Vec<String>>,
    }
    match toml::from_str::<Brands>(BRANDS.1) {
        Ok(file) => aliases(file.brands),
        Err(error) => panic!("{}: {error}", BRANDS.0), // A unit test parses the files.
    }
});

/// Names of one value, by the key of each of them.
pub(super) static SYNONYMS: LazyLock<Aliases> =
    LazyLock::new(|| aliases(LEXICON.synonyms.values().cloned()));

/// Names of kinds near a kind, by the key of each of them.
pub(super) static RELATED: LazyLock<Aliases> =
    LazyLock::new(|| aliases(LEXICON.related.values().cloned()));

/// Bounds by the key of their wording.
static BOUNDS: LazyLock<HashMap<String, Bound>> = LazyLock::new(|| {
    let words = |(bound, words): (&Bound, &Vec<String>)| {
        let keys = words.iter().map(|word| key(&tokens(word)));
        keys.zip(std::iter::repeat(*bound)).collect::<Vec<_>>()
    };
    LEXICON.bounds.iter().flat_map(words).collect()
});

/// Groups of names, by the key of each name.
pub(super) type Aliases = HashMap<String, std::sync::Arc<[String]>>;

fn aliases(groups: impl IntoIterator<Item = Vec<String>>) -> Aliases {
    let mut by_key = HashMap::new();
    for group in groups {
        let group: std::sync::Arc<[String]> = group.into();
        for name in group.iter() {
            by_key.insert(key(&tokens(name)), group.clone());
        }
    }
    by_key
}

/// Phrases by sense.
pub(super) type Senses<K> = BTreeMap<K, Vec<String>>;

/// Content of a lexicon file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lexicon {
    /// Names of one value, by its usual English name; in all languages together, they find each
    /// other.
    pub synonyms: Senses<String>,
    /// Names of kinds of items that are near each other; a name that no category has means the
    /// categories of the others.
    pub related: Senses<String>,
    /// Functions of words in a query.
    pub roles: Senses<Role>,
    /// Words that make an amount a bound of the price, before or after it.
    pub bounds: Senses<Bound>,
    /// Orders of the hits.
    pub sorts: Senses<SortIntent>,
    /// Persons that an item is for.
    pub recipients: Senses<Recipient>,
    /// Units by the kind of quantity, with their factor to one unit of the kind. Units of the kinds
    /// `size_*` also stand before the number.
    pub measures: BTreeMap<String, BTreeMap<String, f64>>,
    /// Functions of phrases in a turn of a dialogue.
    pub phrases: Senses<Phrase>,
    /// Names of fields, by the usual name; a field of a collection belongs to the group that has
    /// its name.
    pub fields: Senses<String>,
    /// Nouns of one character that end the names of categories (鞋 of 跑步鞋).
    pub head_nouns: Vec<String>,
    /// Words that compare items, by the group of the field that tells.
    pub comparatives: Senses<String>,
    /// Words passed over between the parts of an edit.
    pub small_words: Vec<String>,
    pub amounts: Amounts,
    pub positions: Positions,
}

/// Parts of amounts and measures.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Amounts {
    /// Signs and words of currencies, before or after an amount.
    pub currencies: Vec<String>,
    /// Words between two amounts.
    pub ranges: Vec<String>,
    /// Units after a number that is not a price, in the form of tokens.
    pub units: Vec<String>,
    /// Factors by the letters after a number.
    pub factors: BTreeMap<String, f64>,
    /// Numbers by their words.
    pub number_words: BTreeMap<String, f64>,
    /// Units of ratings.
    pub stars: Vec<String>,
}

/// Parts of positions in a list of hits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Positions {
    /// Ordinal numbers, from the first.
    pub ordinals: Vec<String>,
    /// Cardinal numbers, from one.
    pub numbers: Vec<String>,
    /// Nouns after an ordinal number.
    pub item_nouns: Vec<String>,
    /// Words before a number that is a position.
    pub number_marks: Vec<String>,
    /// Chinese classifiers, after a number.
    pub classifiers: Vec<String>,
}

impl Lexicon {
    /// Words with their functions in a query, bounds included. A later function of a word replaces
    /// an earlier one.
    pub fn all_roles(&self) -> impl Iterator<Item = (Role, &str)> {
        let words = |(role, words)| std::iter::repeat(role).zip(words);
        let roles = self.roles.iter().map(|(role, words)| (*role, words));
        let bounds = self
            .bounds
            .iter()
            .map(|(b, words)| (Role::Bound(*b), words));
        let sorts = self.sorts.iter().map(|(s, words)| (Role::Sort(*s), words));
        let people = self.recipients.iter();
        let people = people.map(|(p, words)| (Role::Recipient(*p), words));
        let all = roles
            .chain(bounds)
            .chain(sorts)
            .chain(people)
            .flat_map(words);
        all.map(|(role, word): (Role, &String)| (role, word.as_str()))
    }

    /// Returns words that have a meaning without being a value or a role.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        let measures = self.measures.values().flat_map(BTreeMap::keys);
        let phrases = self.phrases.values().flatten();
        let fields = self.fields.values().flatten();
        measures
            .chain(&self.amounts.units)
            .chain(self.amounts.number_words.keys())
            .chain(&self.amounts.currencies)
            .chain(phrases)
            .chain(fields)
    }

    /// Returns the bound at the beginning of `tokens`, and its length.
    pub fn bound_at(&self, tokens: &[Token]) -> Option<(usize, Bound)> {
        let longest = (1..=5.min(tokens.len())).rev();
        longest
            .into_iter()
            .find_map(|n| Some((n, *BOUNDS.get(&key(&tokens[..n]))?)))
            .filter(|(n, _)| !cuts_word(tokens, *n))
    }

    fn merge(&mut self, other: Self) {
        extend(&mut self.synonyms, other.synonyms);
        extend(&mut self.related, other.related);
        extend(&mut self.roles, other.roles);
        extend(&mut self.bounds, other.bounds);
        extend(&mut self.sorts, other.sorts);
        extend(&mut self.recipients, other.recipients);
        for (kind, units) in other.measures {
            self.measures.entry(kind).or_default().extend(units);
        }
        extend(&mut self.phrases, other.phrases);
        extend(&mut self.fields, other.fields);
        extend(&mut self.comparatives, other.comparatives);
        self.head_nouns.extend(other.head_nouns);
        self.small_words.extend(other.small_words);
        self.amounts.currencies.extend(other.amounts.currencies);
        self.amounts.ranges.extend(other.amounts.ranges);
        self.amounts.units.extend(other.amounts.units);
        self.amounts.factors.extend(other.amounts.factors);
        self.amounts.number_words.extend(other.amounts.number_words);
        self.amounts.stars.extend(other.amounts.stars);
        self.positions.ordinals.extend(other.positions.ordinals);
        self.positions.numbers.extend(other.positions.numbers);
        self.positions.item_nouns.extend(other.positions.item_nouns);
        let marks = other.positions.number_marks;
        self.positions.number_marks.extend(marks);
        let classifiers = other.positions.classifiers;
        self.positions.classifiers.extend(classifiers);
    }
}

/// Returns true if the list has the word.
pub(super) fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|w| w == word)
}

fn extend<K: Ord>(all: &mut Senses<K>, more: Senses<K>) {
    for (sense, words) in more {
        all.entry(sense).or_default().extend(words);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Debug};

    use super::*;

    #[test]
    fn no_sense_has_a_phrase_twice() {
        let lexicon = &*LEXICON;
        unique(&lexicon.synonyms);
        unique(&lexicon.roles);
        unique(&lexicon.bounds);
        unique(&lexicon.phrases);
        unique(&lexicon.sorts);
        unique(&lexicon.recipients);
        unique(&lexicon.fields);
        let (amounts, positions) = (&lexicon.amounts, &lexicon.positions);
        for list in [
            &lexicon.small_words,
            &amounts.currencies,
            &amounts.ranges,
            &amounts.units,
            &positions.ordinals,
            &positions.numbers,
            &positions.item_nouns,
            &positions.number_marks,
            &positions.classifiers,
        ] {
            unique(&Senses::from([("list", list.clone())]));
        }
    }

    #[test]
    fn a_brand_is_found_by_its_other_names() {
        let names = &BRAND_ALIASES["nike"];
        assert!(names.iter().any(|name| name == "耐克"));
    }

    #[test]
    fn a_name_belongs_to_one_value_and_one_field() {
        for senses in [&LEXICON.synonyms, &LEXICON.fields] {
            unique(&Senses::from([(
                "all",
                senses.values().flatten().cloned().collect(),
            )]));
        }
    }

    fn unique<K: Debug>(senses: &Senses<K>) {
        for (sense, words) in senses {
            let mut seen = BTreeSet::new();
            for word in words {
                assert!(!word.is_empty() && seen.insert(word), "{sense:?}: {word:?}");
            }
        }
    }
}
