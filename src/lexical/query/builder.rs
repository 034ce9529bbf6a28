//! The query of a text: its words in any field, phrases, synonyms and adjacent words.

use std::ops::Range;

use tantivy::{
    Searcher, Term,
    query::{
        BooleanQuery, BoostQuery, DisjunctionMaxQuery, EmptyQuery, Occur, PhraseQuery, Query,
        TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    LexicalQuery, LexicalResults,
    pieces::{Alternative, Piece},
    quotes::quoted,
};
use crate::lexical::{
    FIELDS, LexicalError, QueryRewrite,
    analyzer::{Analyzed, analyze},
    spelling,
    synonyms::Other,
};

/// Score factor of each field.
const FIELD_BOOSTS: [f32; FIELDS.len()] = [1.0, 0.8, 0.6, 0.5, 0.4];

/// Share of the scores of fields other than the best one.
const TIE_BREAKER: f32 = 0.1;

/// Score factor of two adjacent words of the query.
const PAIR_BOOST: f32 = 0.15;

/// Score factor of synonyms.
pub(super) const SYNONYM_FACTOR: f32 = 0.8;

/// Maximum number of words of a query; the rest is ignored.
const MAX_QUERY_WORDS: usize = 32;

/// Maximum number of words of a query that are read, stop words included.
const MAX_READ_WORDS: usize = 4 * MAX_QUERY_WORDS;

/// Maximum number of other words of a query whose stop words count as part of a name.
const MAX_WORDS_OF_NAME: usize = 3;

/// Index of the brand among the fields.
const BRAND: usize = 1;

/// A part of a query, and if it must match.
type Clause = (Occur, Box<dyn Query>);

/// Builds the query of a text.
pub(super) struct Builder<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a [Field; FIELDS.len()],
    pub query: &'a LexicalQuery,
    pub rewrite: &'a QueryRewrite,
    pub found: &'a mut LexicalResults,
}

impl Builder<'_> {
    /// Returns the query; None if the text has no words.
    pub fn build(&mut self) -> Result<Option<Box<dyn Query>>, LexicalError> {
        let (text, phrases) = quoted(&self.query.text);
        let mut clauses: Vec<Clause> = Vec::new();
        for phrase in phrases {
            let words = analyze(phrase);
            self.found
                .terms
                .extend(words.iter().map(|w| w.term.clone()));
            if !words.is_empty() {
                clauses.push((Occur::Must, self.phrase(&words)?));
            }
        }
        let mut all = analyze(&text);
        all.truncate(MAX_READ_WORDS);
        let pieces = self.pieces(&text, &all)?;
        let is_name = |word: &Analyzed| {
            let mut names = pieces.iter().filter(|piece| !piece.name.is_empty());
            names.any(|piece| piece.contains(word))
        };
        let stop_words = &self.rewrite.stop_words;
        let mut words = stop_words.strip(&text, all.clone(), is_name);
        words.truncate(MAX_QUERY_WORDS);
        let occur = if self.query.all {
            Occur::Must
        } else {
            Occur::Should
        };
        let mut pieces = pieces.into_iter().peekable();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            while pieces.next_if(|p| p.span.end <= word.span.start).is_some() {}
            let Some(piece) = pieces.peek().filter(|p| p.span.start < word.span.end) else {
                clauses.push((occur, self.word(&words, at, &text, false)?));
                at += 1;
                continue;
            };
            let inside = words[at..].iter().take_while(|w| piece.contains(w));
            let count = inside.count();
            if count == 0 {
                // A pair of characters on the edge of the piece: another word does not have it.
                clauses.push((Occur::Should, self.word(&words, at, &text, true)?));
                at += 1;
                continue;
            }
            clauses.push((
                occur,
                self.piece(piece, &words, at..at + count, &text, occur)?,
            ));
            at += count;
            pieces.next();
        }
        for pair in words.windows(2) {
            clauses.extend(self.pair(pair)?);
        }
        if clauses.is_empty() {
            return Ok(None);
        }
        let query: Box<dyn Query> = Box::new(BooleanQuery::new(clauses));
        let mut clauses = self.stop_word_boosts(&all, words.len())?;
        if clauses.is_empty() {
            return Ok(Some(query));
        }
        clauses.insert(0, (Occur::Must, query));
        Ok(Some(Box::new(BooleanQuery::new(clauses))))
    }

    /// Returns the query of the words of a span, or of its alternatives.
    fn piece(
        &mut self,
        piece: &Piece,
        words: &[Analyzed],
        place: Range<usize>,
        text: &str,
        occur: Occur,
    ) -> Result<Box<dyn Query>, LexicalError> {
        let mut any = Vec::new();
        let mut known = Vec::new();
        for Alternative {
            other,
            factor,
            is_synonym,
        } in &piece.others
        {
            if let Some(query) = self.other(other, *factor, place.len())? {
                any.push(query);
                if *is_synonym {
                    known.push(other.text.clone());
                }
                let terms = other.terms.iter().map(|w| w.term.clone());
                self.found.terms.extend(terms);
            }
        }
        let has_others = !any.is_empty();
        if !known.is_empty() {
            let written = text[piece.span.clone()].to_owned();
            self.found
                .synonyms
                .entry(written)
                .or_default()
                .extend(known);
        }
        if !piece.name.is_empty() && has_others && !self.query.all {
            any.insert(0, self.name(&piece.name, text)?);
        } else if let [at] = place.clone().collect::<Vec<_>>()[..] {
            any.insert(0, self.word(words, at, text, has_others)?);
        } else {
            let mut own = Vec::new();
            for at in place.clone() {
                own.push((occur, self.word(words, at, text, has_others)?));
            }
            for pair in words[place].windows(2) {
                own.extend(self.pair(pair)?);
            }
            any.insert(0, Box::new(BooleanQuery::new(own)));
        }
        Ok(best_of(any, 0.0))
    }

    /// Returns the query of an alternative of a span of `words` words; `None` if no item has it.
    pub(super) fn other(
        &self,
        other: &Other,
        factor: f32,
        words: usize,
    ) -> Result<Option<Box<dyn Query>>, LexicalError> {
        for word in &other.terms {
            if spelling::frequency(self.searcher, self.fields, &word.term)? == 0 {
                return Ok(None);
            }
        }
        let query = self.phrase(&other.terms)?;
        // A phrase scores the sum of its words: that must not outweigh the original words.
        let share = (words as f32 / other.terms.len() as f32).min(1.0);
        Ok(Some(Box::new(BoostQuery::new(query, factor * share))))
    }

    /// Returns boosts of items with the stop words of a query of `informative` other words: beside
    /// the same words as in the query (The Who), or as a brand (On).
    fn stop_word_boosts(
        &self,
        words: &[Analyzed],
        informative: usize,
    ) -> Result<Vec<Clause>, LexicalError> {
        let is_stop = |word: &Analyzed| self.rewrite.stop_words.is_common(&word.term);
        let mut boosts = Vec::new();
        if informative > MAX_WORDS_OF_NAME || !words.iter().any(is_stop) {
            return Ok(boosts);
        }
        for pair in words.windows(2).filter(|pair| pair.iter().any(is_stop)) {
            boosts.extend(self.pair(pair)?);
        }
        for word in words.iter().filter(|word| is_stop(word)) {
            let term = Term::from_field_text(self.fields[BRAND], &word.term);
            if self.searcher.doc_freq(&term)? > 0 {
                let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
                let query = BoostQuery::new(Box::new(query), PAIR_BOOST);
                boosts.push((Occur::Should, Box::new(query)));
            }
        }
        Ok(boosts)
    }

    /// Returns the query that boosts two adjacent words.
    fn pair(&self, pair: &[Analyzed]) -> Result<Option<Clause>, LexicalError> {
        if pair[1].position != pair[0].position + 1 {
            return Ok(None);
        }
        let query = BoostQuery::new(self.phrase(pair)?, PAIR_BOOST);
        Ok(Some((Occur::Should, Box::new(query))))
    }

    /// Returns the query of a term in its best field.
    pub(super) fn term(&self, term: &str, weight: f32) -> Result<Box<dyn Query>, LexicalError> {
        let mut in_fields: Vec<Box<dyn Query>> = Vec::new();
        for (field, boost) in self.fields.iter().zip(FIELD_BOOSTS) {
            let term = Term::from_field_text(*field, term);
            if self.searcher.doc_freq(&term)? > 0 {
                let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
                in_fields.push(Box::new(BoostQuery::new(Box::new(query), boost * weight)));
            }
        }
        Ok(best_of(in_fields, TIE_BREAKER))
    }

    /// Returns the query of adjacent words in one field.
    pub(super) fn phrase(&self, words: &[Analyzed]) -> Result<Box<dyn Query>, LexicalError> {
        let [first, _, ..] = words else {
            return words
                .first()
                .map_or(Ok(best_of(Vec::new(), 0.0)), |w| self.term(&w.term, 1.0));
        };
        let mut in_fields: Vec<Box<dyn Query>> = Vec::new();
        for (field, boost) in self.fields.iter().zip(FIELD_BOOSTS) {
            let term = |w: &Analyzed| {
                (
                    w.position - first.position,
                    Term::from_field_text(*field, &w.term),
                )
            };
            let terms: Vec<_> = words.iter().map(term).collect();
            let mut there = true;
            for (_, term) in &terms {
                there &= self.searcher.doc_freq(term)? > 0;
            }
            if there {
                let phrase = PhraseQuery::new_with_offset(terms);
                in_fields.push(Box::new(BoostQuery::new(Box::new(phrase), boost)));
            }
        }
        Ok(best_of(in_fields, 0.0))
    }
}

/// Returns the maximum of several queries plus `tie` times the other scores.
pub(super) fn best_of(mut queries: Vec<Box<dyn Query>>, tie: f32) -> Box<dyn Query> {
    match queries.len() {
        0 => Box::new(EmptyQuery),
        1 => queries.swap_remove(0),
        _ => Box::new(DisjunctionMaxQuery::with_tie_breaker(queries, tie)),
    }
}
