//! Words that stand for other words.

use std::{ops::Range, sync::Arc};

use super::{
    analyzer::{Analyzed, analyze, is_han},
    phrases::{Phrases, Token, tokens},
    stop_words::StopWords,
};

/// Others that are looked for beside one phrase, at most.
const MOST_OTHERS: usize = 50;

/// How a collection reads the words of a query.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    /// Words that stand for others.
    pub thesaurus: Thesaurus,
    /// Words that are passed over.
    pub stop_words: StopWords,
}

/// Phrases with others that are looked for beside them.
#[derive(Clone, Debug, Default)]
pub struct Thesaurus(Phrases<Others>);

/// What a phrase finds besides.
#[derive(Clone, Debug)]
struct Others {
    group: Arc<Vec<Other>>,
    /// Which of the group the phrase is itself.
    own: Option<usize>,
}

/// A phrase that is looked for beside another.
#[derive(Clone, Debug)]
pub(super) struct Other {
    pub text: String,
    /// Its terms, side by side.
    pub terms: Vec<Analyzed>,
}

/// A piece of a query with what is looked for beside it.
pub(super) struct Piece<'a> {
    /// Bytes of the text.
    pub span: Range<usize>,
    pub others: Vec<&'a Other>,
}

impl Thesaurus {
    /// Each of `words` finds the others.
    pub fn add_equal(&mut self, words: &[String]) {
        let group = Arc::new(words.iter().map(|w| Other::of(w)).collect());
        for (at, word) in words.iter().enumerate() {
            let (group, own) = (Arc::clone(&group), Some(at));
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Each of `words` finds each of `to`.
    pub fn add_one_way(&mut self, words: &[String], to: &[String]) {
        let group = Arc::new(to.iter().map(|w| Other::of(w)).collect());
        for word in words {
            let (group, own) = (Arc::clone(&group), None);
            self.0.add(&tokens(word), Others { group, own });
        }
    }

    /// Pieces of a text that stand for others, apart from each other; the longest where several begin.
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
                others: others.take(MOST_OTHERS).collect(),
            }
        });
        pieces.collect()
    }
}

impl Other {
    /// Of Chinese, pairs of characters: how a dictionary cuts it depends on what stands around it.
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
