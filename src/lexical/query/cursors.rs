//! Documents of the words and phrases of a query in a segment, and their values.

use tantivy::{
    DocId, DocSet, SegmentReader,
    fieldnorm::FieldNormReader,
    postings::{Postings, SegmentPostings},
    query::Scorer,
    schema::Field,
};

use super::window::{Offsets, Posting, Window};
use crate::lexical::FIELDS;

/// Score factor of each field.
pub(super) const FIELD_BOOSTS: [f32; FIELDS.len()] = [1.0, 0.8, 0.6, 0.5, 0.4];

/// Saturation of the term frequency (k1 of BM25).
const SATURATION: f32 = 0.9;

/// Influence of the length of the text (b of BM25).
const LENGTH_INFLUENCE: f32 = 0.75;

/// Maximum number of terms of a word whose postings are listed.
const MAX_TERMS: usize = u16::MAX as usize;

/// Calculates the share of the term frequency of a document in a field.
pub(super) struct FieldNorms {
    reader: FieldNormReader,
    /// Denominators of the saturation, by code of the length.
    norms: [f32; 256],
    boost: f32,
}

impl FieldNorms {
    pub fn new(
        segment: &SegmentReader,
        field: Field,
        boost: f32,
        mean: f32,
    ) -> tantivy::Result<Self> {
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

    pub fn value(&self, document: DocId, frequency: u32) -> f32 {
        let norm = self.norms[usize::from(self.reader.fieldnorm_id(document))];
        let frequency = frequency as f32;
        self.boost * frequency * (1.0 + SATURATION) / (frequency + norm)
    }
}

/// Documents of a term in a field.
pub(super) struct TermCursor {
    pub postings: SegmentPostings,
    pub field: usize,
    pub factor: f32,
}

/// Documents with a phrase in a field.
pub(super) struct PhraseCursor {
    pub documents: Box<dyn Scorer>,
    pub field: usize,
}

pub(super) struct WordCursors {
    pub weight: f32,
    pub coverage: f32,
    pub terms: Vec<TermCursor>,
}

pub(super) struct PhraseCursors {
    pub weight: f32,
    pub coverage: f32,
    pub fields: Vec<PhraseCursor>,
}

pub(super) struct GroupCursors {
    pub words: Vec<WordCursors>,
    pub alternatives: Vec<AlternativeCursors>,
    pub weight: f32,
    pub coverage: f32,
    pub is_required: bool,
    pub needs_all_words: bool,
}

pub(super) struct AlternativeCursors {
    pub factor: f32,
    pub words: AlternativeWordCursors,
}

pub(super) enum AlternativeWordCursors {
    Phrase(PhraseCursors),
    Apart(Vec<WordCursors>),
}

impl TermCursor {
    /// Skips the documents before `start`.
    fn skip_to(&mut self, start: DocId) {
        if self.postings.doc() < start {
            self.postings.seek(start);
        }
    }
}

impl GroupCursors {
    /// Skips the documents before `start`.
    pub fn skip_to(&mut self, start: DocId) {
        self.words.iter_mut().for_each(|word| word.skip_to(start));
        for alternative in &mut self.alternatives {
            match &mut alternative.words {
                AlternativeWordCursors::Phrase(phrase) => phrase.skip_to(start),
                AlternativeWordCursors::Apart(words) => {
                    words.iter_mut().for_each(|word| word.skip_to(start));
                }
            }
        }
    }

    /// Returns a bound of the score of any document; None if a document without the group is not a
    /// match, or the group is not a single word.
    pub fn bound(&self) -> Option<f32> {
        let ([word], [], false) = (&self.words[..], &self.alternatives[..], self.is_required)
        else {
            return None;
        };
        (word.terms.len() <= MAX_TERMS).then(|| word.weight * word.bound())
    }

    /// Adds the postings of the window whose documents are scored to a list, and the offsets of
    /// the other documents to a set.
    pub fn read(
        &mut self,
        window: &Window,
        is_scored: impl Fn(usize) -> bool,
        scored: &mut Vec<Posting>,
        unscored: &mut Offsets,
    ) {
        let terms = self
            .words
            .iter_mut()
            .flat_map(|word| word.terms.iter_mut().enumerate());
        for (term, cursor) in terms {
            let mut document = cursor.postings.doc();
            while document < window.end {
                let offset = (document - window.start) as usize;
                match is_scored(offset) {
                    true => scored.push(Posting {
                        offset: offset as u16,
                        term: term as u16,
                        frequency: cursor.postings.term_freq(),
                    }),
                    false => unscored.insert(offset),
                }
                document = cursor.postings.advance();
            }
        }
    }

    /// Adds the values of those postings of a word whose documents match so far.
    pub fn add_postings(&self, norms: &[FieldNorms], postings: &[Posting], window: &mut Window) {
        let [word] = &self.words[..] else {
            return;
        };
        for posting in postings {
            let offset = usize::from(posting.offset);
            if window.matched.contains(offset) {
                let cursor = &word.terms[usize::from(posting.term)];
                let document = window.start + u32::from(posting.offset);
                let value = norms[cursor.field].value(document, posting.frequency);
                window.set_word(offset, cursor.factor * value, cursor.factor);
            }
        }
        word.add_found(window, self.is_required);
    }

    /// Adds the documents of the window.
    pub fn add(&mut self, norms: &[FieldNorms], window: &mut Window) {
        if let ([word], []) = (&mut self.words[..], &self.alternatives[..]) {
            word.find(norms, window);
            word.add_found(window, self.is_required);
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
    pub fn find(
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
    fn skip_to(&mut self, start: DocId) {
        self.terms.iter_mut().for_each(|term| term.skip_to(start));
    }

    /// Returns a bound of the value of any document.
    fn bound(&self) -> f32 {
        let bound = |term: &TermCursor| term.factor * FIELD_BOOSTS[term.field];
        let bounds = self.terms.iter().map(bound);
        bounds.fold(0.0, f32::max) * (1.0 + SATURATION)
    }

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

    /// Adds the documents that were found to the window.
    fn add_found(&self, window: &mut Window, is_required: bool) {
        window.take_word(|window, offset, value, factor| {
            window.add(
                offset,
                self.weight * value,
                self.coverage * factor,
                is_required,
            );
        });
    }
}

impl PhraseCursors {
    /// Skips the documents before `start`.
    pub fn skip_to(&mut self, start: DocId) {
        for cursor in &mut self.fields {
            if cursor.documents.doc() < start {
                cursor.documents.seek(start);
            }
        }
    }

    /// Calls `found` with the value of each document of the window that has the phrase.
    pub fn find(
        &mut self,
        norms: &[FieldNorms],
        window: &Window,
        mut found: impl FnMut(usize, f32),
    ) {
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
    pub fn add(&mut self, norms: &[FieldNorms], window: &mut Window) {
        let mut group = std::mem::take(&mut window.group);
        let (weight, coverage) = (self.weight, self.coverage);
        self.find(norms, window, |offset, value| {
            group.replace(offset, weight * value, coverage);
        });
        group.take(|offset, score, covered| window.add(offset, score, covered, true));
        window.group = group;
    }
}
