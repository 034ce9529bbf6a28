//! Opens the postings of a query in a segment.

use tantivy::{
    DocSet, Searcher, SegmentReader, TERMINATED, Term,
    postings::SegmentPostings,
    query::{EnableScoring, PhraseQuery, Query, Scorer},
    schema::{Field, IndexRecordOption},
};

use super::{
    boosts::{AdjacentTerms, BoostCursors},
    cursors::{
        AlternativeCursors, AlternativeWordCursors, GroupCursors, PhraseCursor, PhraseCursors,
        TermCursor, WordCursors,
    },
    plan::{Alternative, AlternativeWords, Group, Phrase, Word},
};
use crate::lexical::{FIELDS, LexicalError};

/// Opens cursors in a segment.
pub(super) struct Opener<'a> {
    pub searcher: &'a Searcher,
    pub segment: &'a SegmentReader,
    pub fields: &'a [Field; FIELDS.len()],
}

impl Opener<'_> {
    pub fn group(&self, group: &Group) -> Result<GroupCursors, LexicalError> {
        let words = group.words.iter().map(|word| self.word(word));
        let alternatives = group
            .alternatives
            .iter()
            .map(|other| self.alternative(other));
        Ok(GroupCursors {
            words: words.collect::<Result<_, _>>()?,
            alternatives: alternatives.collect::<Result<_, _>>()?,
            weight: group.weight(),
            coverage: group.coverage(),
            is_required: group.is_required,
            needs_all_words: group.needs_all_words,
        })
    }

    fn alternative(&self, other: &Alternative) -> Result<AlternativeCursors, LexicalError> {
        let words = match &other.words {
            AlternativeWords::Phrase(phrase) => {
                AlternativeWordCursors::Phrase(self.phrase(phrase)?)
            }
            AlternativeWords::Apart(words) => {
                let words = words.iter().map(|word| self.word(word));
                AlternativeWordCursors::Apart(words.collect::<Result<_, _>>()?)
            }
        };
        let factor = other.factor;
        Ok(AlternativeCursors { factor, words })
    }

    fn word(&self, word: &Word) -> Result<WordCursors, LexicalError> {
        let mut terms = Vec::new();
        for (term, factor) in &word.terms {
            terms.extend(self.term(term, *factor)?);
        }
        Ok(WordCursors {
            weight: word.weight,
            coverage: word.coverage(),
            terms,
        })
    }

    fn term(&self, term: &str, factor: f32) -> Result<Vec<TermCursor>, LexicalError> {
        let mut cursors = Vec::new();
        for (number, field) in self.fields.iter().enumerate() {
            let postings = self.postings(*field, term, IndexRecordOption::WithFreqs)?;
            cursors.extend(postings.map(|postings| TermCursor {
                postings,
                field: number,
                factor,
            }));
        }
        Ok(cursors)
    }

    fn postings(
        &self,
        field: Field,
        term: &str,
        option: IndexRecordOption,
    ) -> Result<Option<SegmentPostings>, LexicalError> {
        let term = Term::from_field_text(field, term);
        let inverted = self.segment.inverted_index(field)?;
        let postings = inverted.read_postings(&term, option);
        Ok(postings.map_err(tantivy::TantivyError::from)?)
    }

    /// Opens adjacent terms that add to the score of a document.
    pub fn boost(&self, phrase: &Phrase) -> Result<BoostCursors, LexicalError> {
        let mut fields = Vec::new();
        for (number, field) in self.fields.iter().enumerate() {
            if phrase.field.is_some_and(|only| only != number) {
                continue;
            }
            let mut terms = Vec::with_capacity(phrase.terms.len());
            for (position, term) in &phrase.terms {
                let option = IndexRecordOption::WithFreqsAndPositions;
                let postings = self.postings(*field, term, option)?;
                terms.extend(postings.map(|postings| (*position, postings)));
            }
            if terms.len() == phrase.terms.len() {
                fields.push(AdjacentTerms::new(terms, number));
            }
        }
        Ok(BoostCursors {
            weight: phrase.weight,
            fields,
        })
    }

    pub fn phrase(&self, phrase: &Phrase) -> Result<PhraseCursors, LexicalError> {
        let mut fields = Vec::new();
        for (number, field) in self.fields.iter().enumerate() {
            if phrase.field.is_some_and(|only| only != number) {
                continue;
            }
            let documents: Box<dyn Scorer> = match &phrase.terms[..] {
                [] => continue,
                [(_, single)] => match self.postings(*field, single, IndexRecordOption::Basic)? {
                    Some(postings) => Box::new(tantivy::query::ConstScorer::new(postings, 1.0)),
                    None => continue,
                },
                terms => {
                    let term = |term: &str| Term::from_field_text(*field, term);
                    let terms = terms.iter().map(|(position, t)| (*position, term(t)));
                    let query = PhraseQuery::new_with_offset(terms.collect());
                    let scoring = EnableScoring::disabled_from_searcher(self.searcher);
                    query.weight(scoring)?.scorer(self.segment, 1.0)?
                }
            };
            if documents.doc() != TERMINATED {
                fields.push(PhraseCursor {
                    documents,
                    field: number,
                });
            }
        }
        Ok(PhraseCursors {
            weight: phrase.weight,
            coverage: phrase.coverage,
            fields,
        })
    }
}
