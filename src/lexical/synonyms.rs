//! Synonyms and query rewrite.

use std::{ops::Range, sync::Arc};

use super::{
    analyzer::{Analyzed, analyze, is_han},
    phrases::{Phrases, Token, tokens},
    stop_words::StopWords,
};

/// Maximum number of alternatives of one phrase.
const MAX_ALTERNATIVES: usize = 50;

/// Query rewrite of a collection.
#[derive(Clone, Debug, Default)]
pub struct QueryRewrite {
    /// Phrases with alternatives.
    pub synonyms: Synonyms,
    /// Words that are ignored.
    pub stop_words: StopWords,
}

/// Phrases with alternatives that are searched besides.
#[derive(Clone, Debug, Default)]
pub struct Synonyms(Phrases<Others>);

/// Alternatives of a phrase.
#[derive(Clone, Debug)]
struct Others {
    group: Arc<Vec<Other>>,
    /// Index of the phrase itself in the group.
    own: Option<usize>,
}

/// An alternative of a phrase.
#[derive(Clone, Debug)]
pub(super) struct Other {
    pub text: String,
    /// Adjacent terms.
    pub terms: Vec<Analyzed>,
}

/// A span of a query with its alternatives.
pub(super) struct Piece<'a> {
    /// Bytes of the text.
    pub span: Range<usize>,
    pub others: Vec<&'a Other>,
}

impl Synonyms {
    /// Makes each of `words` also find the others.
    pub fn add_equal(&mut self, words: &[String]) {
        let group = Arc::new(words.iter().map(|w| Other::of(w)).collect());
        for (at, word) in words.iter().enumerate() {
            let (group, own) = (Arc::clone(&group), Some(at));
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Makes each of `words` also find each of `to`.
    pub fn add_one_way(&mut self, words: &[String], to: &[String]) {
        let group = Arc::new(to.iter().map(|w| Other::of(w)).collect());
        for word in words {
            let (group, own) = (Arc::clone(&group), None);
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Returns the spans of a text that have alternatives, without overlap; the longest of those
    /// with the same start.
    pub(super) fn pieces(&self, text: &str) -> Vec<Piece<'_>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let words: Vec<Token> = tokens(text);
        let found = self.0.apart(&words);
        let pieces = found.map(|(place, groups)| {
            let others = groups.iter().flat_map(|of| {
                let all = of.group.iter().enumerate();
                all.filter(|(at, _)| Some(*at) != of.own).map(|(_, o)| o)
            });
            Piece {
                span: words[place.start].span.start..words[place.end - 1].span.end,
                others: others.take(MAX_ALTERNATIVES).collect(),
            }
        });
        pieces.collect()
    }
}

impl Other {
    /// Keeps pairs of characters of Chinese text: dictionary segmentation depends on the context.
    fn of(text: &str) -> Self {
        let mut terms = analyze(text);
        let is_sure = |w: &Analyzed| !w.term.starts_with(is_han) || w.term.chars().count() == 2;
        if terms.iter().any(is_sure) {
            terms.retain(is_sure);
        }
        let text = text.to_owned();
        Self { text, terms }
    }
}
