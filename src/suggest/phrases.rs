//! Noun phrases of titles, found without a grammar.
//!
//! A title is cut into segments at signs, numbers, prepositions and brackets. The head of an
//! English noun phrase is its last word, and the same holds in Chinese, so the ends of segments of
//! one to four words are phrases: "Men's Air Zoom running shoes, black" has "shoes", "running
//! shoes" and so on. How many items have a phrase decides whether it is suggested.

use std::ops::Range;

use crate::lexical::{han_words, is_han, is_stop};

/// Maximum number of words of a phrase.
const MAX_WORDS: usize = 4;

/// Minimum characters of a phrase; Chinese words are shorter.
const MIN_CHARS: usize = 3;
const MIN_HAN_CHARS: usize = 2;

/// Maximum characters of a phrase.
const MAX_CHARS: usize = 48;

/// Returns the phrases of a title in lower case; longer ones follow those that they end with.
pub(super) fn phrases(title: &str) -> Vec<String> {
    let mut found = Vec::new();
    for segment in segments(title) {
        let end = segment.last().map_or(0, |word| word.end);
        for word in segment.iter().rev().take(MAX_WORDS) {
            let phrase = title[word.start..end].to_lowercase();
            if is_long_enough(&phrase) {
                found.push(phrase.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    found
}

fn is_long_enough(phrase: &str) -> bool {
    let chars = phrase.chars().count();
    let min = if phrase.chars().any(is_han) {
        MIN_HAN_CHARS
    } else {
        MIN_CHARS
    };
    (min..=MAX_CHARS).contains(&chars)
}

/// Returns the words of each segment of a title, in bytes.
fn segments(title: &str) -> Vec<Vec<Range<usize>>> {
    let mut cut = Segments {
        title,
        all: vec![Vec::new()],
        depth: 0,
    };
    let mut start = None;
    for (at, c) in title.char_indices() {
        let is_word = c.is_alphanumeric() || (start.is_some() && "-'\u{2019}&".contains(c));
        if is_word {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            cut.word(start..at);
        }
        cut.sign(c);
    }
    if let Some(start) = start {
        cut.word(start..title.len());
    }
    cut.all
}

/// Segments of a title that is being cut.
struct Segments<'a> {
    title: &'a str,
    all: Vec<Vec<Range<usize>>>,
    /// Open brackets.
    depth: usize,
}

impl Segments<'_> {
    fn word(&mut self, word: Range<usize>) {
        let text = self.title[word.clone()].trim_end_matches(|c: char| !c.is_alphanumeric());
        let word = word.start..word.start + text.len();
        let is_code = text.chars().any(char::is_numeric);
        if self.depth > 0 || text.is_empty() {
            return;
        }
        if text.chars().any(is_han) {
            return self.han(word, text);
        }
        if is_code || text.chars().count() < 2 || is_stop(&text.to_lowercase()) {
            return self.end();
        }
        self.push(word);
    }

    /// Adds the words of the dictionary in a run of Chinese, which may hold codes.
    fn han(&mut self, run: Range<usize>, text: &str) {
        for word in han_words(text) {
            let part = &text[word.clone()];
            if part.chars().any(char::is_numeric) || is_stop(part) {
                self.end();
            } else {
                self.push(run.start + word.start..run.start + word.end);
            }
        }
    }

    fn push(&mut self, word: Range<usize>) {
        if let Some(segment) = self.all.last_mut() {
            segment.push(word);
        }
    }

    fn end(&mut self) {
        if self.all.last().is_some_and(|segment| !segment.is_empty()) {
            self.all.push(Vec::new());
        }
    }

    fn sign(&mut self, sign: char) {
        match sign {
            '(' | '[' | '（' | '【' => {
                self.depth += 1;
                self.end();
            }
            ')' | ']' | '）' | '】' => self.depth = self.depth.saturating_sub(1),
            c if c.is_whitespace() => {}
            _ => self.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_end_where_segments_end() {
        assert_eq!(
            phrases("Men's Air Zoom Running Shoes, black"),
            [
                "shoes",
                "running shoes",
                "zoom running shoes",
                "air zoom running shoes",
                "black"
            ]
        );
        let title = "Delta 1-Handle Shower Faucet Trim Kit in Chrome (Valve Not Included)";
        let found = phrases(title);
        for phrase in ["kit", "trim kit", "faucet trim kit", "chrome", "delta"] {
            assert!(found.contains(&phrase.to_owned()), "{phrase} in {found:?}");
        }
        let foreign = |p: &&String| p.contains("valve") || p.contains('1') || p.contains(" in ");
        assert_eq!(found.iter().find(foreign), None);
    }

    #[test]
    fn chinese_titles_have_phrases() {
        let found = phrases("李宁 男子轻便跑步鞋 2024新款");
        assert!(found.iter().any(|p| p.ends_with("跑步鞋")), "{found:?}");
        assert!(found.iter().all(|p| !p.contains('2')), "{found:?}");
    }

    #[test]
    fn nothing_comes_of_signs_and_codes() {
        for title in ["", "---", "SC-141 10x20", "(only brackets)", "的"] {
            assert_eq!(phrases(title), Vec::<String>::new(), "{title}");
        }
    }
}
