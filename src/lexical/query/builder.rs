//! The plan of a text: its words, quoted phrases, synonyms, other spellings and adjacent words.

use std::{collections::HashMap, ops::Range};

use tantivy::{Searcher, Term, schema::Field};

use super::{
    LexicalQuery, LexicalResults,
    plan::{
        Alternative, AlternativeWords, Group, Phrase, QueryPlan, Word, coverage_weight, term_weight,
    },
    quotes::quoted,
    spans::Piece,
};
use crate::lexical::{
    FIELDS, LexicalError, QueryRewrite,
    analyzer::{Analyzed, analyze},
    synonyms::Other,
    terms::item_frequency,
};

/// Maximum number of words of a query; the rest is ignored.
const MAX_QUERY_WORDS: usize = 32;

/// Maximum number of words of a query that are read, stop words included.
const MAX_READ_WORDS: usize = 4 * MAX_QUERY_WORDS;

/// Maximum number of other words of a query whose stop words count as part of a name.
const MAX_WORDS_OF_NAME: usize = 3;

/// Index of the brand among the fields.
const BRAND: usize = 1;

/// Plans the query of a text.
pub(super) struct Builder<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a [Field; FIELDS.len()],
    pub query: &'a LexicalQuery,
    pub rewrite: &'a QueryRewrite,
    pub found: &'a mut LexicalResults,
    /// Number of items by term, looked up once.
    pub frequencies: HashMap<String, u64>,
}

impl Builder<'_> {
    /// Returns the plan; it is empty if the text has no words.
    pub fn build(&mut self) -> Result<QueryPlan, LexicalError> {
        let (text, phrases) = quoted(&self.query.text);
        let mut plan = QueryPlan::default();
        for phrase in phrases {
            let words = analyze(phrase);
            let terms = words.iter().map(|w| w.term.clone());
            self.found.terms.extend(terms);
            if !words.is_empty() {
                plan.phrases.push(self.phrase(&words)?);
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
        plan.groups = self.groups(&text, &words, pieces)?;
        for pair in words.windows(2).filter(|pair| is_adjacent(pair)) {
            plan.boosts.push(self.phrase(pair)?);
        }
        if !plan.is_empty() {
            plan.boosts
                .extend(self.stop_word_boosts(&all, words.len())?);
        }
        Ok(plan)
    }

    /// Returns the words of a text, those of a span with alternatives together.
    fn groups(
        &mut self,
        text: &str,
        words: &[Analyzed],
        pieces: Vec<Piece>,
    ) -> Result<Vec<Group>, LexicalError> {
        let mut groups = Vec::new();
        let mut pieces = pieces.into_iter().peekable();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            while pieces.next_if(|p| p.span.end <= word.span.start).is_some() {}
            let Some(piece) = pieces.peek().filter(|p| p.span.start < word.span.end) else {
                groups.push(self.word(words, at, text, false)?);
                at += 1;
                continue;
            };
            let count = words[at..].iter().take_while(|w| piece.contains(w)).count();
            if count == 0 {
                // A pair of characters on the edge of the piece: another word does not have it.
                let mut group = self.word(words, at, text, true)?;
                group.is_required = false;
                groups.push(group);
                at += 1;
                continue;
            }
            groups.extend(self.piece(piece, words, at..at + count, text)?);
            at += count;
            pieces.next();
        }
        Ok(groups)
    }

    /// Returns the words of a span with its alternatives; without any, each word by itself.
    fn piece(
        &mut self,
        piece: &Piece,
        words: &[Analyzed],
        place: Range<usize>,
        text: &str,
    ) -> Result<Vec<Group>, LexicalError> {
        let mut alternatives = Vec::new();
        let mut synonyms = Vec::new();
        for spelling in &piece.others {
            let Some(alternative) = self.alternative(&spelling.other, spelling.factor)? else {
                continue;
            };
            alternatives.push(alternative);
            if spelling.is_synonym {
                synonyms.push(spelling.other.text.clone());
            }
        }
        if !synonyms.is_empty() {
            let written = text[piece.span.clone()].to_owned();
            let known = self.found.synonyms.entry(written).or_default();
            known.extend(synonyms);
        }
        let is_name = !piece.name.is_empty() && !self.query.all;
        if alternatives.is_empty() && !(is_name && piece.others.is_empty()) {
            let groups = place.map(|at| self.word(words, at, text, false));
            return groups.collect();
        }
        if is_name {
            return Ok(vec![self.name(&piece.name, alternatives, text)?]);
        }
        let mut own = Vec::new();
        for at in place {
            own.extend(self.word(words, at, text, true)?.words);
        }
        Ok(vec![self.group(own, alternatives)])
    }

    /// Returns a group of words with their alternatives.
    pub(super) fn group(&self, words: Vec<Word>, alternatives: Vec<Alternative>) -> Group {
        Group {
            words,
            alternatives,
            is_required: self.query.all,
            needs_all_words: self.query.all,
        }
    }

    /// Returns other words for a span; None if no item has them all.
    pub(super) fn alternative(
        &mut self,
        other: &Other,
        factor: f32,
    ) -> Result<Option<Alternative>, LexicalError> {
        for word in &other.terms {
            if self.frequency(&word.term)? == 0 {
                return Ok(None);
            }
        }
        let terms = other.terms.iter().map(|w| w.term.clone());
        self.found.terms.extend(terms);
        let words = AlternativeWords::Phrase(self.phrase(&other.terms)?);
        Ok(Some(Alternative { factor, words }))
    }

    /// Returns boosts of items with the stop words of a query of `informative` other words: beside
    /// the same words as in the query (The Who), or as a brand (On).
    fn stop_word_boosts(
        &mut self,
        words: &[Analyzed],
        informative: usize,
    ) -> Result<Vec<Phrase>, LexicalError> {
        let rewrite = self.rewrite;
        let is_stop = |word: &Analyzed| rewrite.stop_words.is_common(&word.term);
        let mut boosts = Vec::new();
        if informative > MAX_WORDS_OF_NAME || !words.iter().any(is_stop) {
            return Ok(boosts);
        }
        let pairs = words.windows(2).filter(|pair| is_adjacent(pair));
        for pair in pairs.filter(|pair| pair.iter().any(is_stop)) {
            boosts.push(self.phrase(pair)?);
        }
        for word in words.iter().filter(|word| is_stop(word)) {
            let term = Term::from_field_text(self.fields[BRAND], &word.term);
            let items = self.searcher.doc_freq(&term)?;
            if items > 0 {
                let mut boost = self.phrase(std::slice::from_ref(word))?;
                boost.weight = term_weight(&word.term, items, self.searcher.num_docs());
                boost.field = Some(BRAND);
                boosts.push(boost);
            }
        }
        Ok(boosts)
    }

    /// Returns adjacent words.
    pub(super) fn phrase(&mut self, words: &[Analyzed]) -> Result<Phrase, LexicalError> {
        let first = words.first().map_or(0, |word| word.position);
        let (mut weight, mut coverage) = (0.0, 0.0);
        for word in words {
            let own = self.plan_word(&word.term, Vec::new())?.weight;
            weight += own;
            coverage += coverage_weight(own);
        }
        let terms = words.iter();
        Ok(Phrase {
            weight,
            coverage,
            terms: terms
                .map(|w| (w.position - first, w.term.clone()))
                .collect(),
            field: None,
        })
    }

    /// Returns a word that is searched by these terms.
    pub(super) fn plan_word(
        &mut self,
        word: &str,
        terms: Vec<(String, f32)>,
    ) -> Result<Word, LexicalError> {
        let mut most = self.frequency(word)?;
        let mut items = 0;
        for (term, _) in &terms {
            let frequency = self.frequency(term)?;
            most = most.max(frequency);
            items += frequency;
        }
        let weight = term_weight(word, most, self.searcher.num_docs());
        Ok(Word {
            weight,
            terms,
            items,
        })
    }

    /// Returns the number of items that have a term in the field where it is most frequent.
    pub(super) fn frequency(&mut self, term: &str) -> Result<u64, LexicalError> {
        if let Some(items) = self.frequencies.get(term) {
            return Ok(*items);
        }
        let items = item_frequency(self.searcher, self.fields, term)?;
        self.frequencies.insert(term.to_owned(), items);
        Ok(items)
    }
}

fn is_adjacent(pair: &[Analyzed]) -> bool {
    pair[1].position == pair[0].position + 1
}
