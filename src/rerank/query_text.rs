//! Words of a query, as ranking features need them.

use std::collections::BTreeMap;

use super::item_text::{hash, head, trigrams};
use crate::lexical::{LexicalError, LexicalIndex, idf, is_number, text_terms};

/// Maximum number of words of a query; the rest is ignored.
const MAX_WORDS: usize = 32;

/// Words of a query with their weights.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct QueryText {
    /// Distinct words in order, without stop words.
    pub words: Vec<QueryWord>,
    /// Sum of the weights.
    pub total_idf: f32,
    /// Last word of the part that says what is searched.
    pub head: Option<u32>,
    /// Trigrams, sorted.
    pub trigrams: Vec<u32>,
}

/// A word of a query.
#[derive(Debug, PartialEq)]
pub(crate) struct QueryWord {
    pub hash: u32,
    /// Inverse document frequency.
    pub idf: f32,
    pub is_number: bool,
    /// Trigrams, sorted.
    pub trigrams: Vec<u32>,
}

impl QueryText {
    /// Analyzes a text with its typos corrected; weights are those of the index.
    pub fn of(
        text: &str,
        corrections: &BTreeMap<String, String>,
        index: &LexicalIndex,
    ) -> Result<Self, LexicalError> {
        let text = corrected(text, corrections);
        let mut terms = text_terms(&text);
        if terms.iter().any(|term| !term.is_stop) {
            terms.retain(|term| !term.is_stop);
        }
        let mut seen = std::collections::HashSet::new();
        terms.retain(|term| seen.insert(term.term.clone()));
        terms.truncate(MAX_WORDS);
        let items = index.item_count();
        let mut words = Vec::with_capacity(terms.len());
        for term in &terms {
            words.push(QueryWord {
                hash: hash(&term.term),
                idf: idf(index.item_frequency(&term.term)?, items),
                is_number: is_number(&term.term),
                trigrams: trigrams(&term.term),
            });
        }
        Ok(Self {
            total_idf: words.iter().map(|word| word.idf).sum(),
            head: head(&text),
            trigrams: trigrams(&text),
            words,
        })
    }

    /// Returns the share of the weights of the words for which `has` is true, 0 without words.
    pub fn coverage(&self, has: impl Fn(&QueryWord) -> bool) -> f32 {
        let covered = self.words.iter().filter(|word| has(word));
        share(covered.map(|word| word.idf).sum(), self.total_idf)
    }
}

/// Returns `part / whole`, 0 if there is nothing.
pub(super) fn share(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Returns the text with the corrections of its words.
fn corrected(text: &str, corrections: &BTreeMap<String, String>) -> String {
    if corrections.is_empty() {
        return text.to_owned();
    }
    let word = |word: &str| {
        let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
        let correction = corrections.get(&plain.to_lowercase());
        correction.cloned().unwrap_or_else(|| word.to_owned())
    };
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_replace_whole_words() {
        let corrections = BTreeMap::from([("fawcet".to_owned(), "faucet".to_owned())]);
        assert_eq!(corrected("Fawcet, fawcets", &corrections), "faucet fawcets");
    }

    #[test]
    fn coverage_is_weighted_and_bounded() {
        let word = |hash, idf| QueryWord {
            hash,
            idf,
            is_number: false,
            trigrams: Vec::new(),
        };
        let query = QueryText {
            words: vec![word(1, 3.0), word(2, 1.0)],
            total_idf: 4.0,
            ..QueryText::default()
        };
        assert_eq!(query.coverage(|word| word.hash == 1), 0.75);
        assert_eq!(query.coverage(|_| true), 1.0);
        assert_eq!(QueryText::default().coverage(|_| true), 0.0);
    }
}
