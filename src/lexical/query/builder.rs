//! The plan of a text: its words, quoted phrases, synonyms and adjacent words.

use std::ops::Range;

use tantivy::{Searcher, schema::Field};

use super::{
    LexicalQuery, LexicalResults,
    plan::{Group, Phrase, QueryPlan, Word, coverage_weight, term_weight},
    quotes::quoted,
};
use crate::lexical::{
    FIELDS, LexicalError, QueryRewrite,
    analyzer::{Analyzed, analyze},
    spelling,
    synonyms::{Other, Piece},
};

/// Maximum number of words of a query; the rest is ignored.
const MAX_QUERY_WORDS: usize = 32;

/// Plans the query of a text.
pub(super) struct Builder<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a [Field; FIELDS.len()],
    pub query: &'a LexicalQuery,
    pub rewrite: &'a QueryRewrite,
    pub found: &'a mut LexicalResults,
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
        let rewrite = self.rewrite;
        let mut words = rewrite.stop_words.strip(&text, analyze(&text));
        words.truncate(MAX_QUERY_WORDS);
        let pieces = if self.query.without_synonyms {
            Vec::new()
        } else {
            rewrite.synonyms.pieces(&text)
        };
        let mut pieces = pieces.into_iter().peekable();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            while pieces.next_if(|p| p.span.end <= word.span.start).is_some() {}
            let Some(piece) = pieces.peek().filter(|p| p.span.start < word.span.end) else {
                let word = self.word(&words, at, &text, false)?;
                plan.groups.push(self.group(vec![word], Vec::new()));
                at += 1;
                continue;
            };
            let inside =
                |w: &&Analyzed| piece.span.start <= w.span.start && w.span.end <= piece.span.end;
            let count = words[at..].iter().take_while(inside).count();
            if count == 0 {
                // A pair of characters on the edge of the piece: another word does not have it.
                let word = self.word(&words, at, &text, true)?;
                let mut group = self.group(vec![word], Vec::new());
                group.is_required = false;
                plan.groups.push(group);
                at += 1;
                continue;
            }
            plan.groups
                .push(self.piece(piece, &words, at..at + count, &text)?);
            at += count;
            pieces.next();
        }
        for pair in words.windows(2) {
            if pair[1].position == pair[0].position + 1 {
                plan.pairs.push(self.phrase(pair)?);
            }
        }
        Ok(plan)
    }

    fn group(&self, words: Vec<Word>, alternatives: Vec<Phrase>) -> Group {
        Group {
            words,
            alternatives,
            is_required: self.query.all,
            needs_all_words: self.query.all,
        }
    }

    /// Returns the words of a span with its synonyms.
    fn piece(
        &mut self,
        piece: &Piece<'_>,
        words: &[Analyzed],
        place: Range<usize>,
        text: &str,
    ) -> Result<Group, LexicalError> {
        let mut alternatives = Vec::new();
        let mut known = Vec::new();
        for other in &piece.others {
            if let Some(phrase) = self.other(other)? {
                alternatives.push(phrase);
                known.push(other.text.clone());
                let terms = other.terms.iter().map(|w| w.term.clone());
                self.found.terms.extend(terms);
            }
        }
        let has_others = !alternatives.is_empty();
        if has_others {
            let written = text[piece.span.clone()].to_owned();
            let synonyms = self.found.synonyms.entry(written).or_default();
            synonyms.extend(known);
        }
        let own = place.map(|at| self.word(words, at, text, has_others));
        let own = own.collect::<Result<_, _>>()?;
        Ok(self.group(own, alternatives))
    }

    /// Returns the phrase of an alternative; None if no item has it.
    fn other(&self, other: &Other) -> Result<Option<Phrase>, LexicalError> {
        for word in &other.terms {
            if self.frequency(&word.term)? == 0 {
                return Ok(None);
            }
        }
        self.phrase(&other.terms).map(Some)
    }

    fn phrase(&self, words: &[Analyzed]) -> Result<Phrase, LexicalError> {
        let first = words.first().map_or(0, |word| word.position);
        let (mut weight, mut coverage) = (0.0, 0.0);
        for word in words {
            let own = self.weight(&word.term, &[])?;
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
        })
    }

    /// Returns the number of items with a term in any of the fields.
    pub(super) fn frequency(&self, term: &str) -> Result<u64, LexicalError> {
        spelling::frequency(self.searcher, self.fields, term)
    }

    /// Returns the weight of a word that is searched by these terms.
    pub(super) fn weight(&self, word: &str, terms: &[(String, f32)]) -> Result<f32, LexicalError> {
        let mut most = self.frequency(word)?;
        for (term, _) in terms {
            most = most.max(self.frequency(term)?);
        }
        Ok(term_weight(word, most, self.searcher.num_docs()))
    }
}
