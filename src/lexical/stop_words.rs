//! Words of a query that tell nothing about a product.

use std::collections::HashSet;

use super::{
    analyzer::{Analyzed, is_han, is_stop},
    phrases::{Phrases, Token, tokens},
};

/// Words that are passed over in queries.
#[derive(Clone, Debug, Default)]
pub struct StopWords {
    own: Phrases<()>,
    /// Leave the common ones of English and Chinese in.
    keep_common: bool,
}

impl StopWords {
    /// These, and the common ones unless told.
    pub fn new<'a>(own: impl IntoIterator<Item = &'a str>, keep_common: bool) -> Self {
        let mut phrases = Phrases::default();
        for text in own {
            phrases.add(&tokens(text), ());
        }
        Self {
            own: phrases,
            keep_common,
        }
    }

    /// The words of a text that say something, or that `is_name` keeps; all, where none does.
    pub(super) fn strip(
        &self,
        text: &str,
        words: Vec<Analyzed>,
        is_name: impl Fn(&Analyzed) -> bool,
    ) -> Vec<Analyzed> {
        let out = self.spans(text);
        let letters = letter_sequences(&words);
        let says = |word: &Analyzed| {
            let is_own = out
                .iter()
                .any(|span| span.start < word.span.end && word.span.start < span.end);
            let is_letter = letters.contains(&word.position);
            is_name(word) || (!is_own && (is_letter || !self.is_common(&word.term)))
        };
        match words.iter().any(says) {
            true => words.into_iter().filter(says).collect(),
            false => words,
        }
    }

    /// The same of words as phrases compare them.
    pub(crate) fn tokens(&self, text: &str) -> Vec<Token> {
        let words = tokens(text);
        let out: Vec<_> = self.own.within(&words).map(|(at, _)| at).collect();
        let says = |at: usize, word: &Token| {
            !out.iter().any(|place| place.contains(&at)) && !self.is_common(&word.key)
        };
        let left = words.iter().enumerate().filter(|(at, w)| says(*at, w));
        let left: Vec<_> = left.map(|(_, word)| word.clone()).collect();
        if left.is_empty() { words } else { left }
    }

    fn spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        if self.own.is_empty() {
            return Vec::new();
        }
        let words = tokens(text);
        let found = self.own.within(&words);
        found
            .map(|(at, _)| words[at.start].span.start..words[at.end - 1].span.end)
            .collect()
    }

    /// Returns true for a common word that is ignored.
    pub(super) fn is_common(&self, term: &str) -> bool {
        !self.keep_common && is_stop(term)
    }
}

/// Returns the positions of single letters beside one another ("a b c"): these are names, and not
/// articles or other words of grammar.
fn letter_sequences(words: &[Analyzed]) -> HashSet<usize> {
    let is_letter = |word: &Analyzed| {
        let mut chars = word.term.chars();
        chars
            .next()
            .is_some_and(|c| c.is_alphabetic() && !is_han(c))
            && chars.next().is_none()
    };
    let pairs = words.windows(2);
    let pairs =
        pairs.filter(|pair| pair[1].position == pair[0].position + 1 && pair.iter().all(is_letter));
    pairs.flatten().map(|word| word.position).collect()
}
