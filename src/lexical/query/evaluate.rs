//! Evaluation of a query over the segments of the index, term at a time in windows of documents.
//!
//! The score of an item is the share of the query that it has, 0 to about 1 (more for terms that
//! are frequent in a short text): the sum over the words of weight x saturated term frequency in
//! the best field (BM25, Robertson and Zaragoza 2009), plus a share for adjacent words, over the
//! weight of all words; times the coverage, the share of the words that the item has at all. So a
//! score does not depend on the other items that match.

use tantivy::{
    DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term,
    fieldnorm::FieldNormReader,
    postings::{Postings, SegmentPostings},
    query::{EnableScoring, PhraseQuery, Query, Scorer},
    schema::{Field, IndexRecordOption},
};

use super::{
    plan::{Alternative, AlternativeWords, Group, PAIR_BOOST, Phrase, QueryPlan, Word},
    window::{WINDOW, Window},
};
use crate::lexical::{FIELDS, LexicalError};

/// Score factor of each field.
const FIELD_BOOSTS: [f32; FIELDS.len()] = [1.0, 0.8, 0.6, 0.5, 0.4];

/// Saturation of the term frequency (k1 of BM25).
const SATURATION: f32 = 0.9;

/// Influence of the length of the text (b of BM25).
const LENGTH_INFLUENCE: f32 = 0.75;

/// Calculates the share of the term frequency of a document in a field.
struct FieldNorms {
    reader: FieldNormReader,
    /// Denominators of the saturation, by code of the length.
    norms: [f32; 256],
    boost: f32,
}

impl FieldNorms {
    fn new(segment: &SegmentReader, field: Field, boost: f32, mean: f32) -> tantivy::Result<Self> {
        let norm = |code: usize| {
            let length = FieldNormReader::id_to_fieldnorm(code as u8) as f32;
            SATURATION * (1.0 - LENGTH_INFLUENCE + LENGTH_INFLUENCE * length / mean)
        };
        Ok(Self {
            reader: segment.get_fieldnorms_reader(field)?,
            norms: std::array::from_fn(norm),
            boost,
        })
    }

    fn value(&self, document: DocId, frequency: u32) -> f32 {
        let norm = self.norms[usize::from(self.reader.fieldnorm_id(document))];
        let frequency = frequency as f32;
        self.boost * frequency * (1.0 + SATURATION) / (frequency + norm)
    }
}

/// Documents of a term in a field.
struct TermCursor {
    postings: SegmentPostings,
    field: usize,
    factor: f32,
}

/// Documents with a phrase in a field.
struct PhraseCursor {
    documents: Box<dyn Scorer>,
    field: usize,
}

struct WordCursors {
    weight: f32,
    coverage: f32,
    terms: Vec<TermCursor>,
}

struct PhraseCursors {
    weight: f32,
    coverage: f32,
    fields: Vec<PhraseCursor>,
}

struct GroupCursors {
    words: Vec<WordCursors>,
    alternatives: Vec<AlternativeCursors>,
    weight: f32,
    coverage: f32,
    is_required: bool,
    needs_all_words: bool,
}

struct AlternativeCursors {
    factor: f32,
    words: AlternativeWordCursors,
}

enum AlternativeWordCursors {
    Phrase(PhraseCursors),
    Apart(Vec<WordCursors>),
}

/// Mean number of terms of each field, over all segments.
pub(super) fn mean_lengths(
    searcher: &Searcher,
    fields: &[Field; FIELDS.len()],
) -> Result<[f32; FIELDS.len()], LexicalError> {
    let items = searcher.num_docs().max(1) as f32;
    let mut means = [1.0; FIELDS.len()];
    for (mean, field) in means.iter_mut().zip(fields) {
        let mut terms = 0;
        for segment in searcher.segment_readers() {
            terms += segment.inverted_index(*field)?.total_num_tokens();
        }
        *mean = (terms as f32 / items).max(1.0);
    }
    Ok(means)
}

/// The cursors of a query in a segment.
pub(super) struct SegmentQuery<'a> {
    segment: &'a SegmentReader,
    norms: Vec<FieldNorms>,
    groups: Vec<GroupCursors>,
    phrases: Vec<PhraseCursors>,
    boosts: Vec<PhraseCursors>,
    required: u16,
    weight: f32,
    coverage: f32,
}

impl<'a> SegmentQuery<'a> {
    /// Opens the postings of a query in a segment; `means` are the mean lengths of the fields.
    pub fn open(
        plan: &QueryPlan,
        searcher: &Searcher,
        segment: &'a SegmentReader,
        fields: &[Field; FIELDS.len()],
        means: &[f32; FIELDS.len()],
    ) -> Result<Self, LexicalError> {
        let mut norms = Vec::with_capacity(FIELDS.len());
        for ((field, boost), mean) in fields.iter().zip(FIELD_BOOSTS).zip(means) {
            norms.push(FieldNorms::new(segment, *field, boost, *mean)?);
        }
        let open = Opener {
            searcher,
            segment,
            fields,
        };
        let groups = plan.groups.iter().map(|group| open.group(group));
        let phrases = plan.phrases.iter().map(|phrase| open.phrase(phrase));
        let boosts = plan.boosts.iter().map(|boost| open.phrase(boost));
        Ok(Self {
            segment,
            norms,
            groups: groups.collect::<Result<_, _>>()?,
            phrases: phrases.collect::<Result<_, _>>()?,
            boosts: boosts.collect::<Result<_, _>>()?,
            required: plan.required(),
            weight: plan.weight().max(f32::MIN_POSITIVE),
            coverage: plan.coverage().max(f32::MIN_POSITIVE),
        })
    }

    /// Calls `found` for all documents that match and are not deleted, in rising order, with the
    /// score and the share of the words of the query that they have.
    pub fn run(&mut self, window: &mut Window, mut found: impl FnMut(DocId, f32, f32)) {
        let alive = self.segment.alive_bitset();
        let end = self.segment.max_doc();
        let mut start = 0;
        while start < end {
            window.end = end.min(start + WINDOW as u32);
            window.start = start;
            window.clear();
            for group in &mut self.groups {
                group.add(&self.norms, window);
            }
            for phrase in &mut self.phrases {
                phrase.add(&self.norms, window);
            }
            for boost in &mut self.boosts {
                boost.boost(window);
            }
            window.matched.for_each(|offset| {
                let document = start + offset as u32;
                let is_match = window.required[offset] == self.required
                    && alive.is_none_or(|alive| alive.is_alive(document));
                if is_match {
                    let coverage = (window.covered[offset] / self.coverage).min(1.0);
                    let score = window.score[offset] / self.weight * coverage;
                    found(document, score, coverage);
                }
            });
            start = window.end;
        }
    }
}

/// Opens cursors in a segment.
struct Opener<'a> {
    searcher: &'a Searcher,
    segment: &'a SegmentReader,
    fields: &'a [Field; FIELDS.len()],
}

impl Opener<'_> {
    fn group(&self, group: &Group) -> Result<GroupCursors, LexicalError> {
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
            let term = Term::from_field_text(*field, term);
            let inverted = self.segment.inverted_index(*field)?;
            let postings = inverted
                .read_postings(&term, IndexRecordOption::WithFreqs)
                .map_err(tantivy::TantivyError::from)?;
            cursors.extend(postings.map(|postings| TermCursor {
                postings,
                field: number,
                factor,
            }));
        }
        Ok(cursors)
    }

    fn phrase(&self, phrase: &Phrase) -> Result<PhraseCursors, LexicalError> {
        let mut fields = Vec::new();
        for (number, field) in self.fields.iter().enumerate() {
            if phrase.field.is_some_and(|only| only != number) {
                continue;
            }
            let term = |term: &str| Term::from_field_text(*field, term);
            let documents: Box<dyn Scorer> = match &phrase.terms[..] {
                [] => continue,
                [(_, single)] => {
                    let inverted = self.segment.inverted_index(*field)?;
                    let postings = inverted.read_postings(&term(single), IndexRecordOption::Basic);
                    match postings.map_err(tantivy::TantivyError::from)? {
                        Some(postings) => Box::new(tantivy::query::ConstScorer::new(postings, 1.0)),
                        None => continue,
                    }
                }
                terms => {
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

impl GroupCursors {
    fn add(&mut self, norms: &[FieldNorms], window: &mut Window) {
        if let ([word], []) = (&mut self.words[..], &self.alternatives[..]) {
            word.find(norms, window);
            let (weight, coverage) = (word.weight, word.coverage);
            window.take_word(|window, offset, value, factor| {
                window.add(offset, weight * value, coverage * factor, self.is_required);
            });
            return;
        }
        let mut group = std::mem::take(&mut window.group);
        for word in &mut self.words {
            word.find(norms, window);
            let (weight, coverage) = (word.weight, word.coverage);
            window.take_word(|_, offset, value, factor| {
                group.add(offset, weight * value, coverage * factor);
            });
        }
        if self.needs_all_words {
            group.keep_complete(self.words.len() as u16);
        }
        for alternative in &mut self.alternatives {
            let weight = alternative.factor * self.weight;
            let coverage = alternative.factor * self.coverage;
            alternative.find(norms, window, |offset, value| {
                group.replace(offset, weight * value, coverage);
            });
        }
        group.take(|offset, score, covered| {
            window.add(offset, score, covered, self.is_required);
        });
        window.group = group;
    }
}

impl AlternativeCursors {
    /// Calls `found` with the value of each document of the window that has the alternative.
    fn find(
        &mut self,
        norms: &[FieldNorms],
        window: &mut Window,
        mut found: impl FnMut(usize, f32),
    ) {
        let words = match &mut self.words {
            AlternativeWordCursors::Phrase(phrase) => return phrase.find(norms, window, found),
            AlternativeWordCursors::Apart(words) => words,
        };
        let mut all = std::mem::take(&mut window.apart);
        for word in words.iter_mut() {
            word.find(norms, window);
            window.take_word(|_, offset, value, _| all.add(offset, value, 0.0));
        }
        let count = words.len() as u16;
        all.keep_complete(count);
        all.take(|offset, values, _| found(offset, values / f32::from(count.max(1))));
        window.apart = all;
    }
}

impl WordCursors {
    /// Writes the best value of each document of the window, and the factor of the term it has.
    fn find(&mut self, norms: &[FieldNorms], window: &mut Window) {
        for cursor in &mut self.terms {
            let norms = &norms[cursor.field];
            let mut document = cursor.postings.doc();
            while document < window.end {
                let value = cursor.factor * norms.value(document, cursor.postings.term_freq());
                window.set_word((document - window.start) as usize, value, cursor.factor);
                document = cursor.postings.advance();
            }
        }
    }
}

impl PhraseCursors {
    /// Calls `found` with the value of each document of the window that has the phrase.
    fn find(&mut self, norms: &[FieldNorms], window: &Window, mut found: impl FnMut(usize, f32)) {
        for cursor in &mut self.fields {
            let mut document = cursor.documents.doc();
            while document < window.end {
                let value = norms[cursor.field].value(document, 1);
                found((document - window.start) as usize, value);
                document = cursor.documents.advance();
            }
        }
    }

    /// Adds a phrase that every match contains.
    fn add(&mut self, norms: &[FieldNorms], window: &mut Window) {
        let mut group = std::mem::take(&mut window.group);
        let (weight, coverage) = (self.weight, self.coverage);
        self.find(norms, window, |offset, value| {
            group.replace(offset, weight * value, coverage);
        });
        group.take(|offset, score, covered| window.add(offset, score, covered, true));
        window.group = group;
    }

    /// Adds to the scores of matches that have two words next to each other, in their best field.
    fn boost(&mut self, window: &mut Window) {
        let mut group = std::mem::take(&mut window.group);
        let weight = self.weight;
        for cursor in &mut self.fields {
            let boost = PAIR_BOOST * FIELD_BOOSTS[cursor.field] * weight;
            let mut document = cursor.documents.doc();
            while document < window.end {
                group.replace((document - window.start) as usize, boost, 0.0);
                document = cursor.documents.advance();
            }
        }
        group.take(|offset, score, _| window.score[offset] += score);
        window.group = group;
    }
}
