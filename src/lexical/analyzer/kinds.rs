//! Runs of a text: words with their apostrophes and signs, numbers, Chinese, emoji.

use unicode_normalization::char::is_combining_mark;

use super::{
    characters::{is_accent, is_apostrophe, is_han, is_ignorable, narrow},
    emoji,
    units::mark,
    unspaced::is_unspaced,
};

/// Longest name that a number sign belongs to, in letters: C#.
const MAX_SHARP_LETTERS: usize = 2;

/// A kind of run.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Word,
    Number,
    Han,
    /// Other scripts without spaces between words.
    Unspaced,
    Emoji,
    /// Inches or feet.
    Mark,
    /// "plus" after a word or a number.
    Plus,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            c if is_han(c) => Self::Han,
            c if is_unspaced(c) => Self::Unspaced,
            c if emoji::is_emoji(c) => Self::Emoji,
            c if is_apostrophe(c) || mark(c).is_some() => Self::Mark,
            c if c.is_numeric() => Self::Number,
            c if c.is_alphanumeric() => Self::Word,
            _ => Self::Other,
        }
    }

    /// Returns the kind of the run that begins with `rest`, after `before`.
    pub fn at(rest: &str, before: Option<char>) -> Self {
        let mut letters = rest.chars().map(narrow);
        let (Some(first), second) = (letters.next(), letters.next()) else {
            return Self::Other;
        };
        let is_after_word =
            before.is_some_and(|c| matches!(Self::of(c), Self::Word | Self::Number));
        let second = second.map_or(
            Self::Other,
            |c| if c == '+' { Self::Plus } else { Self::of(c) },
        );
        let is_end = matches!(second, Self::Other | Self::Mark | Self::Emoji);
        match first {
            '.' if second == Self::Number && before.is_none_or(char::is_whitespace) => Self::Number,
            '+' if is_after_word && is_end => Self::Plus,
            c => Self::of(c),
        }
    }

    /// Returns the length of the run of this kind that a text begins with, in bytes.
    pub fn length(self, text: &str) -> usize {
        let first = text.chars().next().map_or(0, char::len_utf8);
        let mut rest = text.char_indices().skip(1);
        let end = match self {
            Self::Mark | Self::Plus | Self::Other => Some(first),
            Self::Emoji => Some(emoji::length(text)),
            _ => rest
                .find(|(at, next)| !self.goes_on(*next, &text[*at..]))
                .map(|(at, _)| at),
        };
        let end = end.unwrap_or(text.len());
        if self == Self::Word {
            return end + sign(&text[..end], &text[end..]);
        }
        end
    }

    /// Returns true if a run of this kind continues at `next`, the first character of `rest`.
    fn goes_on(self, next: char, rest: &str) -> bool {
        let is_before = |kind| rest.chars().nth(1).is_some_and(|c| Self::of(c) == kind);
        match self {
            Self::Word if is_apostrophe(next) || is_ignorable(next) => is_before(Self::Word),
            Self::Word => {
                Self::of(next) == Self::Word || is_accent(next) || is_combining_mark(next)
            }
            Self::Number if matches!(narrow(next), '.' | '/' | ',' | '\u{2044}') => {
                is_before(Self::Number)
            }
            kind => Self::of(next) == kind,
        }
    }
}

/// Returns the length of the signs after a word that are part of its name: C++, C#.
fn sign(word: &str, rest: &str) -> usize {
    let mut signs = rest
        .chars()
        .map(narrow)
        .take_while(|c| matches!(c, '+' | '#'));
    let is_name = match (signs.next(), signs.next(), signs.next()) {
        (Some('+'), Some('+'), None) => true,
        (Some('#'), None, None) => word.chars().count() <= MAX_SHARP_LETTERS,
        _ => false,
    };
    let length: usize = rest
        .chars()
        .take_while(|c| matches!(narrow(*c), '+' | '#'))
        .map(char::len_utf8)
        .sum();
    let is_end = !rest[length..].starts_with(char::is_alphanumeric);
    if is_name && is_end { length } else { 0 }
}
