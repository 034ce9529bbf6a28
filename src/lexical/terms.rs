//! Terms of a text and their frequencies, for ranking features.

use tantivy::Term;

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

impl LexicalIndex {
    /// Returns the number of items with a term in the field where it is the most frequent.
    pub(crate) fn item_frequency(&self, term: &str) -> Result<u64, LexicalError> {
        let searcher = self.searcher();
        let mut most = 0;
        for field in self.fields {
            most = most.max(searcher.doc_freq(&Term::from_field_text(field, term))?);
        }
        Ok(most)
    }

    /// Returns the number of items in the index.
    pub(crate) fn item_count(&self) -> u64 {
        self.searcher().num_docs()
    }
}
