//! Terms of a text, their frequencies and their weights.

use tantivy::{Searcher, Term, schema::Field};

use super::{
    LexicalError, LexicalIndex,
    analyzer::{analyze, is_stop},
};

/// A term of a text.
pub(crate) struct TextTerm {
    pub term: String,
    /// Position of its word in the text.
    pub position: usize,
    pub is_stop: bool,
}

/// Returns the terms of a text, in order, as they are indexed.
pub(crate) fn text_terms(text: &str) -> Vec<TextTerm> {
    let terms = analyze(text).into_iter().map(|found| TextTerm {
        is_stop: is_stop(&found.term),
        term: found.term,
        position: found.position,
    });
    terms.collect()
}

/// Returns true for numbers, also such as `3/4`.
pub(crate) fn is_number(term: &str) -> bool {
    term.starts_with(|c: char| c.is_numeric())
}

/// Returns the inverse document frequency of a term that `frequency` of `items` items have
/// (Robertson and Zaragoza 2009).
pub(crate) fn idf(frequency: u64, items: u64) -> f32 {
    let (frequency, items) = (frequency as f32, items as f32);
    (1.0 + (items - frequency + 0.5).max(0.0) / (frequency + 0.5)).ln()
}

/// Returns the number of items with a term in the field where it is the most frequent.
pub(super) fn item_frequency(
    searcher: &Searcher,
    fields: &[Field],
    term: &str,
) -> Result<u64, LexicalError> {
    let mut most = 0;
    for field in fields {
        most = most.max(searcher.doc_freq(&Term::from_field_text(*field, term))?);
    }
    Ok(most)
}

impl LexicalIndex {
    /// Returns the number of items with a term in the field where it is the most frequent.
    pub(crate) fn item_frequency(&self, term: &str) -> Result<u64, LexicalError> {
        item_frequency(&self.searcher(), &self.fields, term)
    }

    /// Returns the number of items in the index.
    pub(crate) fn item_count(&self) -> u64 {
        self.searcher().num_docs()
    }
}
