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
    group: Arc<Vec<Arc<Other>>>,
    /// Index of the phrase itself in the group.
    own: Option<usize>,
}

/// An alternative of a phrase.
#[derive(Debug)]
pub(super) struct Other {
    pub text: String,
    /// Adjacent terms.
    pub terms: Vec<Analyzed>,
}

impl Synonyms {
    /// Makes each of `words` also find the others.
    pub fn add_equal(&mut self, words: &[String]) {
        let group = group(words);
        for (at, word) in words.iter().enumerate() {
            let (group, own) = (Arc::clone(&group), Some(at));
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Makes each of `words` also find each of `to`.
    pub fn add_one_way(&mut self, words: &[String], to: &[String]) {
        let group = group(to);
        for word in words {
            let (group, own) = (Arc::clone(&group), None);
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Returns the spans of a text that have alternatives, in bytes and without overlap, with
    /// these; the longest of those with the same start.
    pub(super) fn within(&self, text: &str) -> Vec<(Range<usize>, Vec<Arc<Other>>)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let words: Vec<Token> = tokens(text);
        let found = self.0.apart(&words);
        let spans = found.map(|(place, groups)| {
            let span = words[place.start].span.start..words[place.end - 1].span.end;
            (span, alternatives(groups))
        });
        spans.collect()
    }

    /// Returns the alternatives of a phrase.
    pub(super) fn of(&self, phrase: &[Token]) -> Vec<Arc<Other>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        alternatives(self.0.of(phrase))
    }
}

fn group(words: &[String]) -> Arc<Vec<Arc<Other>>> {
    Arc::new(words.iter().map(|w| Arc::new(Other::of(w))).collect())
}

fn alternatives(groups: &[Others]) -> Vec<Arc<Other>> {
    let others = groups.iter().flat_map(|of| {
        let all = of.group.iter().enumerate();
        all.filter(|(at, _)| Some(*at) != of.own).map(|(_, o)| o)
    });
    others.take(MAX_ALTERNATIVES).cloned().collect()
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
