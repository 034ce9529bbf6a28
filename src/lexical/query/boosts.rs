//! Terms next to each other, which add to the score of a document.

use tantivy::{
    DocId, DocSet,
    postings::{Postings, SegmentPostings},
};

use super::{cursors::FIELD_BOOSTS, plan::PAIR_BOOST};

/// Adjacent terms in each field.
pub(super) struct BoostCursors {
    pub weight: f32,
    pub fields: Vec<AdjacentTerms>,
}

impl BoostCursors {
    /// Returns a bound of what any document gains.
    pub fn bound(&self) -> f32 {
        let boosts = self.fields.iter().map(|terms| FIELD_BOOSTS[terms.field]);
        PAIR_BOOST * self.weight * boosts.fold(0.0, f32::max)
    }

    /// Returns what a document gains, by its best field. Documents are asked for in rising order.
    pub fn value(&mut self, document: DocId) -> f32 {
        let fields = self.fields.iter_mut();
        let found = fields.filter_map(|terms| {
            let boost = FIELD_BOOSTS[terms.field];
            terms.are_adjacent(document).then_some(boost)
        });
        PAIR_BOOST * self.weight * found.fold(0.0, f32::max)
    }
}

/// Terms that stand in a row in a field. Only the positions of documents that are asked for are
/// read.
pub(super) struct AdjacentTerms {
    /// Postings with what is added to their positions, so that those of a row are equal; the rarest
    /// term first.
    terms: Vec<(u32, SegmentPostings)>,
    field: usize,
    rows: Vec<u32>,
    positions: Vec<u32>,
}

impl AdjacentTerms {
    /// `terms` are the postings with the positions of the terms in the row.
    pub fn new(terms: Vec<(usize, SegmentPostings)>, field: usize) -> Self {
        let last = terms.iter().map(|(position, _)| *position).max();
        let last = last.unwrap_or(0);
        let terms = terms.into_iter();
        let terms = terms.map(|(position, postings)| ((last - position) as u32, postings));
        let mut terms: Vec<_> = terms.collect();
        terms.sort_by_key(|(_, postings)| postings.doc_freq());
        Self {
            terms,
            field,
            rows: Vec::new(),
            positions: Vec::new(),
        }
    }

    fn are_adjacent(&mut self, document: DocId) -> bool {
        for (_, postings) in &mut self.terms {
            if postings.doc() < document {
                postings.seek(document);
            }
            if postings.doc() != document {
                return false;
            }
        }
        let Some(((offset, first), others)) = self.terms.split_first_mut() else {
            return false;
        };
        if others.is_empty() {
            return true;
        }
        first.positions_with_offset(*offset, &mut self.rows);
        for (offset, postings) in others {
            postings.positions_with_offset(*offset, &mut self.positions);
            self.rows
                .retain(|row| self.positions.binary_search(row).is_ok());
        }
        !self.rows.is_empty()
    }
}
