//! A word of a query: its term, completions of an unfinished word, and corrections of a word that no
//! item has.

use std::collections::BTreeMap;

use super::{builder::Builder, evaluate::SYNONYM_FACTOR, plan::Word};
use crate::lexical::{
    LexicalError,
    analyzer::{Analyzed, fold, stem},
    spelling,
};

/// Score factor per edit for typo matches.
const TYPO_FACTOR: f32 = 0.6;

/// Maximum number of completions of an unfinished last word.
const MAX_COMPLETIONS: usize = 20;

impl Builder<'_> {
    /// Returns a word with its spellings: its term, completions, or corrections unless it has
    /// synonyms.
    pub(super) fn word(
        &mut self,
        words: &[Analyzed],
        at: usize,
        text: &str,
        has_others: bool,
    ) -> Result<Word, LexicalError> {
        let (word, next) = (&words[at], words.get(at + 1));
        let unfinished = self.query.prefix
            && at + 1 == words.len()
            && text.ends_with(|c: char| c.is_alphanumeric());
        let mut terms = vec![(word.term.clone(), 1.0)];
        let known = self.frequency(&word.term)? > 0;
        if unfinished && word.plain {
            let written = fold(&text[word.span.clone()]);
            terms.extend(
                self.endings(&written)?
                    .into_iter()
                    .map(|t| (t, SYNONYM_FACTOR)),
            );
        }
        if !known && !has_others && terms.len() == 1 && word.plain && self.query.typos {
            terms.extend(self.meant(word, text, next)?);
        }
        self.found
            .terms
            .extend(terms.iter().map(|(t, _)| t.clone()));
        let weight = self.weight(&word.term, &terms)?;
        Ok(Word { weight, terms })
    }

    fn meant(
        &mut self,
        word: &Analyzed,
        text: &str,
        next: Option<&Analyzed>,
    ) -> Result<Vec<(String, f32)>, LexicalError> {
        let written = fold(&text[word.span.clone()]);
        if let Some(next) = next.filter(|n| n.plain && n.position == word.position + 1) {
            let joined = stem(&(written.clone() + &fold(&text[next.span.clone()])));
            if self.frequency(&joined)? > 0 {
                self.found.corrections.insert(written, joined.clone());
                return Ok(vec![(joined, 1.0)]);
            }
        }
        let near = spelling::near(self.searcher, self.fields, &word.term)?;
        if near.first().is_none_or(|g| g.edits > 1)
            && let Some(halves) = spelling::halves(self.searcher, self.fields, &written, stem)?
        {
            self.found.corrections.insert(written, halves.join(" "));
            return Ok(halves.into_iter().map(|h| (h, 1.0)).collect());
        }
        if let Some(first) = near.first() {
            self.found.corrections.insert(written, first.term.clone());
        }
        Ok(near
            .into_iter()
            .map(|g| (g.term, TYPO_FACTOR.powi(i32::from(g.edits))))
            .collect())
    }

    /// Returns the terms that begin with `start`, the most frequent first.
    fn endings(&self, start: &str) -> Result<Vec<String>, LexicalError> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for field in self.fields {
            for segment in self.searcher.segment_readers() {
                let inverted = segment.inverted_index(*field)?;
                let terms = inverted.terms().range().ge(start.as_bytes()).into_stream();
                let mut terms = terms.map_err(tantivy::TantivyError::from)?;
                while terms.advance() && terms.key().starts_with(start.as_bytes()) {
                    if let Ok(term) = std::str::from_utf8(terms.key()) {
                        *found.entry(term.to_owned()).or_default() +=
                            u64::from(terms.value().doc_freq);
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(found
            .into_iter()
            .take(MAX_COMPLETIONS)
            .map(|(term, _)| term)
            .collect())
    }
}
