//! Words of shoppers, whatever the shop sells; values come from the items of the shop.
//!
//! Each language is a TOML file in this folder. Phrases are added there without Rust; a new
//! language also needs a line in [`FILES`], see docs/contributing.md.

mod forms;
mod lists;
mod number_words;
mod senses;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use serde::Deserialize;

use self::lists::{Ages, Dates, Positions, map_keys};
pub(super) use self::{
    forms::Forms,
    lists::Amounts,
    number_words::{NumberSum, number_and_unit, number_in_word},
    senses::{Bound, Phrase, Recipient, Role, SortIntent},
};
use super::letters::unaccented;

type File = (&'static str, &'static str);

/// Signs of all languages.
const NEUTRAL: File = ("neutral.toml", include_str!("neutral.toml"));

/// Files of each language, besides [`NEUTRAL`]. English and Chinese are one: their words differ in
/// script, so that a text may have both.
const FILES: [&[File]; 2] = [
    &[
        ("en.toml", include_str!("en.toml")),
        ("zh.toml", include_str!("zh.toml")),
    ],
    &[("de.toml", include_str!("de.toml"))],
];

/// Language of a text; English and Chinese are the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Language(pub(super) usize);

impl Language {
    /// Number of languages.
    pub const COUNT: usize = FILES.len();

    /// All languages, the first of them English and Chinese.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Number of the language, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Returns the form of a word in a language, by a lexicon that is not complete yet.
pub(super) type FormOf = dyn Fn(&str, Language, &Lexicon) -> String;

/// Parses the lexicons of all languages; `form_of` brings their words into the form of tokens.
pub(super) fn lexicons(form_of: &FormOf) -> Vec<Lexicon> {
    let of = |(at, files): (usize, &&[File])| {
        let mut all = Lexicon::default();
        for (name, text) in [NEUTRAL].iter().chain(*files) {
            match toml::from_str(text) {
                Ok(lexicon) => all.merge(lexicon),
                Err(error) => panic!("{name}: {error}"), // A unit test parses the files.
            }
        }
        all.complete(Language(at), form_of);
        all
    };
    FILES.iter().enumerate().map(of).collect()
}

/// Brand aliases file.
const BRANDS: File = ("brands.toml", include_str!("brands.toml"));

/// Names of each well-known brand.
pub(super) static BRANDS_BY_NAME: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Brands {
        brands: Vec<Vec<String>>,
    }
    match toml::from_str::<Brands>(BRANDS.1) {
        Ok(file) => file.brands,
        Err(error) => panic!("{}: {error}", BRANDS.0), // A unit test parses the files.
    }
});

/// Groups of names, by the key of each name.
pub(super) type Aliases = HashMap<String, Arc<[String]>>;

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
    /// Colors that have shades: "navy blue" is blue.
    pub base_colors: Vec<String>,
    /// Nouns of one character that end the names of categories (鞋 of 跑步鞋).
    pub head_nouns: Vec<String>,
    /// Words that compare items, by the group of the field that tells.
    pub comparatives: Senses<String>,
    /// Words before a person: "my brother" is not the brand.
    pub possessives: Vec<String>,
    /// Words passed over between the parts of an edit.
    pub small_words: Vec<String>,
    /// Words before the new value of an edit: "change the color to red".
    pub targets: Vec<String>,
    /// Words after which a turn goes on.
    pub continuations: Vec<String>,
    /// Words between the parts of a category's name.
    pub name_joints: Vec<String>,
    /// Names of values by what items are without, `{}`.
    pub free_forms: Vec<String>,
    /// Names of the field of ratings, in the form of tokens.
    #[serde(skip)]
    pub rating_names: Vec<String>,
    /// Words that English has too, with another meaning: they do not tell the language.
    pub shared: Vec<String>,
    pub forms: Forms,
    pub amounts: Amounts,
    pub positions: Positions,
    pub ages: Ages,
    pub dates: Dates,
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

    /// Brings the words of lists into the form of tokens, in languages with rules of forms.
    fn complete(&mut self, language: Language, form_of: &FormOf) {
        self.forms.respell();
        self.rating_names = self.fields.get("rating").cloned().unwrap_or_default();
        if !self.forms.compounds {
            return;
        }
        let mut amounts = std::mem::take(&mut self.amounts);
        let mut positions = std::mem::take(&mut self.positions);
        let mut ages = std::mem::take(&mut self.ages);
        let mut dates = std::mem::take(&mut self.dates);
        let mut measures = std::mem::take(&mut self.measures);
        // A hyphen alone has no key.
        let form = |word: &str| {
            let key = form_of(word, language, self);
            if key.is_empty() { word.to_owned() } else { key }
        };
        let forms = |words: &[String]| words.iter().map(|word| form(word)).collect::<Vec<_>>();
        amounts.map(&form, &|word| unaccented(&self.forms.spelled(word)));
        positions.map(&form);
        ages.map(&form);
        dates.map(&form);
        measures
            .values_mut()
            .for_each(|units| map_keys(units, &form));
        // Measured quantities are not prices.
        let units = measures.values().flat_map(BTreeMap::keys);
        amounts.units.extend(units.cloned());
        let small_words = forms(&self.small_words);
        let targets = forms(&self.targets);
        let continuations = forms(&self.continuations);
        let head_nouns = forms(&self.head_nouns);
        let rating_names = forms(&self.rating_names);
        let comparatives = self.comparatives.iter();
        let comparatives = comparatives.map(|(field, words)| (field.clone(), forms(words)));
        let comparatives = comparatives.collect();
        (self.amounts, self.positions) = (amounts, positions);
        (self.ages, self.dates) = (ages, dates);
        (self.measures, self.comparatives) = (measures, comparatives);
        (self.small_words, self.targets) = (small_words, targets);
        (self.continuations, self.head_nouns) = (continuations, head_nouns);
        self.rating_names = rating_names;
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
        self.base_colors.extend(other.base_colors);
        self.possessives.extend(other.possessives);
        self.small_words.extend(other.small_words);
        self.targets.extend(other.targets);
        self.continuations.extend(other.continuations);
        self.name_joints.extend(other.name_joints);
        self.free_forms.extend(other.free_forms);
        self.shared.extend(other.shared);
        // Signs and English have no rules of forms.
        if !other.forms.endings.is_empty() {
            self.forms = other.forms;
        }
        self.amounts.merge(other.amounts);
        self.positions.merge(other.positions);
        self.ages.merge(other.ages);
        self.dates.merge(other.dates);
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
