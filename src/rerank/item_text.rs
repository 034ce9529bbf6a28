//! Words of an item, as ranking features need them.

use std::collections::HashSet;

use crate::lexical::{TextTerm, Texts, is_number, text_terms};

/// Maximum number of words of a long text; later ones are ignored.
const MAX_WORDS: usize = 400;

/// Endings of the part of a title that says what the product is: `Faucet in Chrome (2-Pack)`.
const HEAD_ENDS: [&str; 8] = [" in ", " with ", " for ", " - ", ",", " (", " by ", "/"];

/// Words of the texts of an item. Words are represented by hashes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ItemText {
    /// Words of the title with their positions, without stop words.
    pub title: Vec<TitleWord>,
    /// Number of positions of the title.
    pub title_len: usize,
    /// Last word of the part of the title that says what the product is.
    pub head: Option<u32>,
    /// Position of the head.
    pub head_position: usize,
    /// Trigrams of the title, sorted.
    pub trigrams: Vec<u32>,
    pub brand: Vec<u32>,
    pub category: Vec<u32>,
    pub attributes: Vec<u32>,
    pub description: Vec<u32>,
    /// Hash of the category path; None without one.
    pub category_key: Option<u32>,
    /// Hash of the brand; None without one.
    pub brand_key: Option<u32>,
}

/// A word of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TitleWord {
    pub hash: u32,
    pub position: u32,
    pub is_number: bool,
}

impl ItemText {
    /// Analyzes the texts of an item.
    pub fn of(texts: &Texts) -> Self {
        let [title, brand, category, attributes, description] = texts;
        let terms = text_terms(title);
        let title_len = terms.last().map_or(0, |term| term.position + 1);
        let head = head(title);
        let head_position = terms
            .iter()
            .filter(|term| head.is_some_and(|head| hash(&term.term) == head))
            .map(|term| term.position)
            .next_back();
        let word = |term: &TextTerm| TitleWord {
            hash: hash(&term.term),
            position: term.position as u32,
            is_number: is_number(&term.term),
        };
        Self {
            title: terms.iter().filter(|t| !t.is_stop).map(word).collect(),
            title_len,
            head,
            head_position: head_position.unwrap_or(title_len.saturating_sub(1)),
            trigrams: trigrams(title),
            brand: hashes(brand),
            category: hashes(category),
            attributes: hashes(attributes),
            description: hashes(description),
            category_key: key(category),
            brand_key: key(brand),
        }
    }

    /// Returns the approximate memory, in bytes.
    pub fn bytes(&self) -> usize {
        let lists = [
            &self.trigrams,
            &self.brand,
            &self.category,
            &self.attributes,
            &self.description,
        ];
        let words: usize = lists.iter().map(|list| list.len()).sum();
        size_of::<Self>() + size_of::<TitleWord>() * self.title.len() + 4 * words
    }
}

/// Returns the stable hash of a word (FNV-1a).
pub(super) fn hash(word: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    word.bytes().fold(2_166_136_261, step)
}

/// Returns the hashes of the trigrams of a text's words with their edges marked, sorted, each once:
/// `fan` has `^fa`, `fan` and `an$`.
pub(super) fn trigrams(text: &str) -> Vec<u32> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let mut all: HashSet<u32> = HashSet::new();
    for word in words.filter(|word| !word.is_empty()) {
        let marked: Vec<char> = ['^'].into_iter().chain(word.chars()).chain(['$']).collect();
        let grams = marked.windows(3).map(String::from_iter);
        all.extend(grams.map(|gram| hash(&gram)));
    }
    let mut all: Vec<u32> = all.into_iter().collect();
    all.sort_unstable();
    all
}

fn hashes(text: &str) -> Vec<u32> {
    let words = text_terms(text).into_iter().filter(|term| !term.is_stop);
    words.take(MAX_WORDS).map(|term| hash(&term.term)).collect()
}

fn key(text: &str) -> Option<u32> {
    let text = text.trim();
    (!text.is_empty()).then(|| hash(&text.to_lowercase()))
}

/// Returns the head word of a title or query: the last word, numbers left out, before a
/// preposition, comma, slash, dash or parenthesis.
pub(super) fn head(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let ends = HEAD_ENDS.iter().filter_map(|end| lower.find(end));
    let first = lower.get(..ends.min().unwrap_or(lower.len()));
    let last = |text: &str| {
        let terms = text_terms(text);
        let mut words = terms.iter().rev();
        let word = words.find(|t| !t.is_stop && !is_number(&t.term) && !t.term.starts_with('_'));
        word.map(|term| hash(&term.term))
    };
    first.and_then(last).or_else(|| last(&lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_title_is_its_product() {
        for (title, expected) in [
            (
                "Delta Vero 1-Handle Shower Only Faucet Trim Kit in Chrome (Valve)",
                "kit",
            ),
            ("Quikrete 80 lb. Mortar Mix", "mix"),
            ("48 in. x 24 ft. Radiant Barrier", "barrier"),
            ("shower head", "head"),
        ] {
            assert_eq!(head(title), Some(hash(expected)), "{title}");
        }
        assert_eq!(head("80 lb."), None);
    }

    #[test]
    fn words_are_split_by_field_and_stop_words_dropped() {
        let texts = ["Lamp for the desk", "Acme", "Home > Lamps", "a | red", ""];
        let text = ItemText::of(&texts.map(str::to_owned));
        assert_eq!((text.title.len(), text.title_len), (2, 4));
        assert_eq!(text.brand, [hash("acm")]);
        assert_eq!(text.attributes, [hash("red")]);
        assert_eq!(text.category_key, Some(hash("home > lamps")));
        assert!(text.description.is_empty());
    }

    #[test]
    fn trigrams_mark_the_edges_of_words() {
        let mut expected: Vec<_> = ["^fa", "fan", "an$"].map(hash).to_vec();
        expected.sort_unstable();
        assert_eq!(trigrams("Fan, fan"), expected);
    }
}
