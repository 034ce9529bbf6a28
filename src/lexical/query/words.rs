//! A word of a query: its term, completions of an unfinished word, and corrections of a word that
//! no item has.

use rustc_hash::FxHashMap;

use super::{
    builder::Builder,
    plan::{Alternative, AlternativeWords, Group, SYNONYM_FACTOR},
};
use crate::lexical::{
    LexicalError,
    analyzer::{Analyzed, analyze, fold, is_function_word, stem, with_digraphs},
    phrases::Token,
    spelling,
};

/// Score factor per edit for typo matches.
const TYPO_FACTOR: f32 = 0.6;

/// Score factor of completions without the umlaut of the word.
const OTHER_LETTER_FACTOR: f32 = 0.5;

/// Score factor of items that have the halves of a word apart.
const APART_FACTOR: f32 = 0.9;

/// Shortest half of a word that is searched apart from the other one, in letters.
const MIN_HALF_LETTERS: usize = 3;

/// Maximum number of completions of an unfinished last word.
const MAX_COMPLETIONS: usize = 20;

/// Digits of a number that is not completed if items have it.
const MAX_SHORT_NUMBER: usize = 2;

/// Terms with their score factors.
type Terms = Vec<(String, f32)>;

impl Builder<'_> {
    /// Returns a word with its spellings: its term, completions, and corrections unless it has
    /// other spellings.
    pub(super) fn word(
        &mut self,
        words: &[Analyzed],
        at: usize,
        text: &str,
        has_others: bool,
    ) -> Result<Group, LexicalError> {
        let word = &words[at];
        let unfinished = self.query.prefix
            && at + 1 == words.len()
            && text.ends_with(|c: char| c.is_alphanumeric());
        // "büch" is rather the beginning of Bücher than of Buch.
        let is_other_word = unfinished && !word.variants.is_empty();
        let factor = if is_other_word {
            OTHER_LETTER_FACTOR
        } else {
            1.0
        };
        let mut terms: Terms = vec![(word.term.clone(), factor)];
        terms.extend(word.variants.iter().map(|term| (term.clone(), 1.0)));
        let mut known = false;
        for (term, _) in &terms {
            known |= self.frequency(term)? > 0;
        }
        let name = word.term.trim_end_matches(['+', '#']);
        if !known && name.len() < word.term.len() {
            terms.push((stem(name), 1.0));
        }
        // Nearly everything begins with "12": the number itself is meant, if items have it.
        let is_short_number = word.term.len() <= MAX_SHORT_NUMBER
            && word.term.bytes().all(|byte| byte.is_ascii_digit());
        if unfinished && word.plain && !(known && is_short_number) {
            let completions = self.completions(&text[word.span.clone()])?;
            known |= !completions.is_empty();
            terms.extend(completions);
        }
        let mut alternatives = Vec::new();
        let is_grammar = is_function_word(&fold(&text[word.span.clone()]));
        if !known && !has_others && word.plain && !is_grammar && self.query.typos {
            match self.halves(word, text)? {
                Some(halves) => alternatives.extend(halves),
                None => {
                    let corrected = self.corrected(word, text, unfinished)?;
                    for (term, _) in &corrected {
                        alternatives.extend(self.synonyms_of(term)?);
                    }
                    terms.extend(corrected);
                }
            }
        }
        let searched = terms.iter().map(|(term, _)| term.clone());
        self.found.terms.extend(searched);
        let word = self.plan_word(&word.term, terms)?;
        Ok(self.group(vec![word], alternatives))
    }

    /// Returns the two words that an unknown word is; None if no item has both, or if a word of one
    /// other letter is in the index.
    fn halves(
        &mut self,
        word: &Analyzed,
        text: &str,
    ) -> Result<Option<Vec<Alternative>>, LexicalError> {
        let written = fold(&text[word.span.clone()]);
        let near = spelling::near(self.searcher, self.fields, &word.term, false)?;
        if near.first().is_some_and(|guess| guess.edits == 1) {
            return Ok(None);
        }
        let Some(halves) = spelling::halves(self.searcher, self.fields, &written)? else {
            return Ok(None);
        };
        let is_long = |half: &&str| half.chars().count() >= MIN_HALF_LETTERS;
        let may_be_apart = halves.iter().all(is_long);
        let halves = halves.join(" ");
        let words = analyze(&halves);
        let terms: Vec<_> = words.iter().map(|w| w.term.as_str()).collect();
        if !spelling::is_in_one_item(self.searcher, self.fields, &terms, may_be_apart)? {
            return Ok(None);
        }
        let mut alternatives = vec![Alternative {
            factor: 1.0,
            words: AlternativeWords::Phrase(self.phrase(&words)?),
        }];
        if may_be_apart {
            let mut apart = Vec::new();
            for word in &words {
                apart.push(self.plan_word(&word.term, vec![(word.term.clone(), 1.0)])?);
            }
            alternatives.push(Alternative {
                factor: APART_FACTOR,
                words: AlternativeWords::Apart(apart),
            });
        }
        self.found.terms.extend(words.into_iter().map(|w| w.term));
        let typed = text[word.span.clone()].to_lowercase();
        self.found.corrections.insert(typed, halves);
        Ok(Some(alternatives))
    }

    /// Returns the terms that a mistyped word may stand for.
    fn corrected(
        &mut self,
        word: &Analyzed,
        text: &str,
        unfinished: bool,
    ) -> Result<Terms, LexicalError> {
        let written = fold(&text[word.span.clone()]);
        let mut near = spelling::near(self.searcher, self.fields, &word.term, false)?;
        if near.is_empty() && unfinished {
            near = spelling::near(self.searcher, self.fields, &written, true)?;
        }
        if let Some(first) = near.first() {
            let typed = text[word.span.clone()].to_lowercase();
            self.found.corrections.insert(typed, first.term.clone());
        }
        let terms = near
            .into_iter()
            .map(|g| (g.term, TYPO_FACTOR.powi(i32::from(g.edits))));
        Ok(terms.collect())
    }

    /// Returns the synonyms of a term.
    fn synonyms_of(&mut self, term: &str) -> Result<Vec<Alternative>, LexicalError> {
        let mut found = Vec::new();
        if self.query.without_synonyms {
            return Ok(found);
        }
        let phrase = [Token {
            key: term.to_owned(),
            span: 0..term.len(),
        }];
        for other in self.rewrite.synonyms.of(&phrase) {
            if let Some(synonym) = self.alternative(&other, SYNONYM_FACTOR * TYPO_FACTOR)? {
                found.push(synonym);
                let texts = self.found.synonyms.entry(term.to_owned()).or_default();
                texts.push(other.text.clone());
            }
        }
        Ok(found)
    }

    /// Returns the terms that an unfinished word may become; those with its umlaut count more.
    fn completions(&self, written: &str) -> Result<Terms, LexicalError> {
        let exact = with_digraphs(written);
        let factor = match exact {
            Some(_) => OTHER_LETTER_FACTOR,
            None => SYNONYM_FACTOR,
        };
        let endings = self.endings(&fold(written))?.into_iter();
        let mut terms: Terms = endings.map(|term| (term, factor)).collect();
        if let Some(exact) = exact {
            let endings = self.endings(&exact)?.into_iter();
            terms.extend(endings.map(|term| (term, SYNONYM_FACTOR)));
        }
        Ok(terms)
    }

    /// Returns the terms that begin with `start`, the most frequent first.
    fn endings(&self, start: &str) -> Result<Vec<String>, LexicalError> {
        let mut found: FxHashMap<Box<[u8]>, u64> = FxHashMap::default();
        for field in self.fields {
            for segment in self.searcher.segment_readers() {
                let inverted = segment.inverted_index(*field)?;
                let terms = inverted.terms().range().ge(start.as_bytes()).into_stream();
                let mut terms = terms.map_err(tantivy::TantivyError::from)?;
                while terms.advance() && terms.key().starts_with(start.as_bytes()) {
                    let items = u64::from(terms.value().doc_freq);
                    match found.get_mut(terms.key()) {
                        Some(known) => *known += items,
                        None => drop(found.insert(terms.key().into(), items)),
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        let order =
            |a: &(Box<[u8]>, u64), b: &(Box<[u8]>, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
        if found.len() > MAX_COMPLETIONS {
            found.select_nth_unstable_by(MAX_COMPLETIONS - 1, order);
            found.truncate(MAX_COMPLETIONS);
        }
        found.sort_unstable_by(order);
        let terms = found
            .into_iter()
            .map(|(term, _)| String::from_utf8(term.into()));
        Ok(terms.filter_map(Result::ok).collect())
    }
}
