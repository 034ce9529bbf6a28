//! Lookup of phrases in texts, word by word.
//!
//! Words are compared by their stems. Chinese is compared by characters: the ends of words depend
//! on their context.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use super::analyzer::{analyze, is_han};

/// Between the words of a key; in no text, for control characters are no part of a word.
const SEPARATOR: char = '\u{1f}';

/// Maximum number of words, or of Chinese characters, of a phrase.
pub const MAX_PHRASE_WORDS: usize = 32;

/// A word of a text, or a character of a Chinese one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Compared form.
    pub key: String,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// The words of a text, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for word in analyze(text) {
        let end = tokens.last().map_or(0, |t| t.span.end);
        if !word.term.starts_with(is_han) {
            tokens.push(Token {
                key: word.term,
                span: word.span,
            });
            continue;
        }
        // Words and pairs overlap: each character counts once.
        for (at, character) in text[word.span.clone()].char_indices() {
            let start = word.span.start + at;
            if start >= end {
                tokens.push(Token {
                    key: character.to_string(),
                    span: start..start + character.len_utf8(),
                });
            }
        }
    }
    tokens
}

/// Values by phrase. A search costs one lookup per word of the text and per distinct phrase length,
/// independent of the number of phrases.
#[derive(Clone, Debug)]
pub struct Phrases<T> {
    values: HashMap<String, Vec<T>>,
    /// Lengths that there are, in words.
    lengths: BTreeSet<usize>,
}

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            lengths: BTreeSet::new(),
        }
    }
}

impl<T> Phrases<T> {
    /// Adds a phrase; one of no words is nowhere found.
    pub fn add(&mut self, phrase: &[Token], value: T) {
        if !phrase.is_empty() {
            self.lengths.insert(phrase.len());
            self.values.entry(key(phrase)).or_default().push(value);
        }
    }

    /// Returns true if there are no phrases.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values of the phrase that is the whole text.
    pub fn of(&self, text: &[Token]) -> &[T] {
        self.values.get(&key(text)).map_or(&[], Vec::as_slice)
    }

    /// Every place of every phrase in the text, as tokens; by where they begin, the longest first.
    pub fn within<'a>(&'a self, text: &[Token]) -> impl Iterator<Item = (Range<usize>, &'a [T])> {
        (0..text.len()).flat_map(move |start| {
            let ends = self.lengths.iter().rev().map(move |length| start + length);
            let ends = ends.filter(|end| *end <= text.len());
            ends.filter_map(move |end| {
                let found = self.of(&text[start..end]);
                (!found.is_empty()).then_some((start..end, found))
            })
        })
    }

    /// As [`Phrases::within`], without those that overlap one before them.
    pub fn apart<'a>(&'a self, text: &[Token]) -> impl Iterator<Item = (Range<usize>, &'a [T])> {
        let mut from = 0;
        self.within(text).filter(move |(place, _)| {
            let is_free = place.start >= from;
            if is_free {
                from = place.end;
            }
            is_free
        })
    }
}

fn key(words: &[Token]) -> String {
    let mut key = String::new();
    for word in words {
        key.push_str(&word.key);
        key.push(SEPARATOR);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.key).collect()
    }

    #[test]
    fn words_are_stems_and_chinese_is_characters() {
        assert_eq!(keys("Running Shoes"), ["run", "shoe"]);
        assert_eq!(keys("红色跑鞋 42"), ["红", "色", "跑", "鞋", "42"]);
        assert_eq!(keys("Nike运动鞋"), ["nike", "运", "动", "鞋"]);
        for token in tokens("李宁 red 跑鞋") {
            assert!("李宁 red 跑鞋".get(token.span).is_some());
        }
    }

    #[test]
    fn phrases_are_found_where_they_are() {
        let mut phrases = Phrases::default();
        for text in ["running shoes", "shoe", "跑鞋", ""] {
            phrases.add(&tokens(text), text);
        }
        let found = |text: &str| -> Vec<(Range<usize>, &str)> {
            let text = tokens(text);
            phrases.within(&text).map(|(at, v)| (at, v[0])).collect()
        };
        assert_eq!(
            found("red Running shoe"),
            [(1..3, "running shoes"), (2..3, "shoe")]
        );
        assert_eq!(found("便宜的红色跑鞋男"), [(5..7, "跑鞋")]);
        assert_eq!(found("shoes for running"), [(0..1, "shoe")]);
        assert_eq!(found(""), []);
        let text = tokens("running shoes");
        assert_eq!(phrases.of(&text), ["running shoes"]);
        assert_eq!(phrases.apart(&text).count(), 1);
    }
}
