//! Spans of a query with other words for them.

use std::{ops::Range, sync::Arc};

use super::plan::SYNONYM_FACTOR;
use crate::lexical::{analyzer::Analyzed, synonyms::Other};

/// A span of a query with its alternatives.
pub(super) struct Piece {
    /// Bytes of the text.
    pub span: Range<usize>,
    pub others: Vec<Spelling>,
    /// Words of a name some of which are too short to be searched alone; empty for other pieces.
    pub name: Vec<Analyzed>,
}

/// Other words for a span.
pub(super) struct Spelling {
    pub other: Arc<Other>,
    pub factor: f32,
    pub is_synonym: bool,
}

impl Piece {
    /// Returns true if a word is inside the span.
    pub fn contains(&self, word: &Analyzed) -> bool {
        self.span.start <= word.span.start && word.span.end <= self.span.end
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.span.start < other.span.end && other.span.start < self.span.end
    }
}

impl Spelling {
    pub fn words(text: String, terms: Vec<Analyzed>, factor: f32) -> Self {
        Self {
            other: Arc::new(Other { text, terms }),
            factor,
            is_synonym: false,
        }
    }

    pub fn synonym(other: Arc<Other>) -> Self {
        Self {
            other,
            factor: SYNONYM_FACTOR,
            is_synonym: true,
        }
    }
}
