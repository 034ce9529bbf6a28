//! Words of shoppers, whatever the shop sells; values come from the items of the shop.
//!
//! Each language is a TOML file in this folder. Phrases are added there without Rust; a new
//! language also needs a line in [`FILES`].

mod senses;

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

pub(super) use self::senses::{Bound, Phrase, Role};

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

/// Phrases by sense.
pub(super) type Senses<K> = BTreeMap<K, Vec<String>>;

/// Content of a lexicon file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lexicon {
    /// Names of one value, by its usual English name; in all languages together, they find each
    /// other.
    pub synonyms: Senses<String>,
    /// Functions of words in a query.
    pub roles: Senses<Role>,
    /// Words that make an amount a bound of the price, before or after it.
    pub bounds: Senses<Bound>,
    /// Functions of phrases in a turn of a dialogue.
    pub phrases: Senses<Phrase>,
    /// Names of fields, by the usual name; a field of a collection belongs to the group that has
    /// its name.
    pub fields: Senses<String>,
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
        let all = roles.chain(bounds).flat_map(words);
        all.map(|(role, word): (Role, &String)| (role, word.as_str()))
    }

    fn merge(&mut self, other: Self) {
        extend(&mut self.synonyms, other.synonyms);
        extend(&mut self.roles, other.roles);
        extend(&mut self.bounds, other.bounds);
        extend(&mut self.phrases, other.phrases);
        extend(&mut self.fields, other.fields);
        self.small_words.extend(other.small_words);
        self.amounts.currencies.extend(other.amounts.currencies);
        self.amounts.ranges.extend(other.amounts.ranges);
        self.amounts.units.extend(other.amounts.units);
        self.amounts.factors.extend(other.amounts.factors);
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
