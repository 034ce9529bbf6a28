//! A full-text query, resolved against the index: the terms to search, with their weights.

use crate::lexical::{idf, is_number};

/// Share of the weight of two words that is added where they are adjacent in a text.
pub(super) const PAIR_BOOST: f32 = 0.3;

/// Share of the weight of a span that its synonyms earn.
pub(super) const SYNONYM_FACTOR: f32 = 0.8;

/// Factor of the weight of numbers: they tell models and sizes apart.
const NUMBER_FACTOR: f32 = 1.5;

/// A query, resolved against the index.
#[derive(Debug, Default)]
pub(super) struct QueryPlan {
    /// Words, or spans of words with alternatives.
    pub groups: Vec<Group>,
    /// Phrases in quotation marks, which every match contains.
    pub phrases: Vec<Phrase>,
    /// Adjacent words, and names; matches that have them score more.
    pub boosts: Vec<Phrase>,
}

/// A word, or a span of words with alternatives. Matches if enough of its words do, or one of the
/// alternatives does.
#[derive(Debug)]
pub(super) struct Group {
    pub words: Vec<Word>,
    /// Synonyms and other spellings of the span.
    pub alternatives: Vec<Alternative>,
    /// True if every match contains the group.
    pub is_required: bool,
    /// True if all words have to match, unless an alternative does.
    pub needs_all_words: bool,
}

/// Other words for a span, with the share of its weight that they earn.
#[derive(Debug)]
pub(super) struct Alternative {
    pub factor: f32,
    pub words: AlternativeWords,
}

/// Words of an alternative.
#[derive(Debug)]
pub(super) enum AlternativeWords {
    /// Next to each other.
    Phrase(Phrase),
    /// Anywhere in the item, all of them.
    Apart(Vec<Word>),
}

/// A word with its spellings.
#[derive(Debug)]
pub(super) struct Word {
    /// Information of the word: its inverse document frequency, and more for numbers.
    pub weight: f32,
    /// Terms of the index, with the share of the weight that each of them earns.
    pub terms: Vec<(String, f32)>,
    /// Sum of the numbers of items of the terms.
    pub items: u64,
}

/// Adjacent terms in one field.
#[derive(Debug)]
pub(super) struct Phrase {
    /// Weight of its words.
    pub weight: f32,
    /// Sum of the coverage weights of its words.
    pub coverage: f32,
    /// Terms with their positions.
    pub terms: Vec<(usize, String)>,
    /// Index of the only field that is searched; None for all.
    pub field: Option<usize>,
}

impl QueryPlan {
    /// Returns true if the query has no words.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.phrases.is_empty()
    }

    /// Returns the weight of all words.
    pub fn weight(&self) -> f32 {
        let groups: f32 = self.groups.iter().map(Group::weight).sum();
        groups + self.phrases.iter().map(|p| p.weight).sum::<f32>()
    }

    /// Returns the coverage weight of all words.
    pub fn coverage(&self) -> f32 {
        let groups: f32 = self.groups.iter().map(Group::coverage).sum();
        groups + self.phrases.iter().map(|p| p.coverage).sum::<f32>()
    }

    /// Returns the sum of the numbers of items of all words: the work of the evaluation.
    pub fn items(&self) -> u64 {
        let words = self.groups.iter().flat_map(|group| &group.words);
        words.map(|word| word.items).sum()
    }

    /// Returns the number of phrases and groups that every match contains.
    pub fn required(&self) -> u16 {
        let groups = self.groups.iter().filter(|group| group.is_required);
        (groups.count() + self.phrases.len()) as u16
    }
}

impl Group {
    pub fn weight(&self) -> f32 {
        self.words.iter().map(|word| word.weight).sum()
    }

    pub fn coverage(&self) -> f32 {
        self.words.iter().map(Word::coverage).sum()
    }
}

impl Word {
    /// Returns the weight of the word in the coverage of the query: frequent words count relatively
    /// more than in the score, so that an item with all words leads one with the rarest.
    pub fn coverage(&self) -> f32 {
        coverage_weight(self.weight)
    }
}

/// Returns the weight in the coverage of a word of this weight.
pub(super) fn coverage_weight(weight: f32) -> f32 {
    weight.sqrt()
}

/// Returns the weight of a term that `frequency` of `items` items have: its inverse document
/// frequency, more for numbers.
pub(super) fn term_weight(term: &str, frequency: u64, items: u64) -> f32 {
    let weight = idf(frequency, items);
    if is_number(term) {
        weight * NUMBER_FACTOR
    } else {
        weight
    }
}
