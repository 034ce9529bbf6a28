//! Several words that are also written as one: Wi-Fi, H&M, rock 'n' roll, U.S.A., 1 1/2.

use std::ops::Range;

use super::{
    Analyzed,
    characters::{fold, is_apostrophe, is_hyphen, narrow},
    english::stem,
    function_words::is_stop,
    numbers,
};

/// Maximum number of words that are joined.
const MAX_WORDS: usize = 4;

/// Longest word beside an ampersand with spaces that is part of a name as "H & M" is, in letters.
const MAX_NAME_LETTERS: usize = 3;

/// Longest word beside an "and" that is part of a name, in letters.
const MAX_SHORT_LETTERS: usize = 2;

/// Adjacent words with their spellings as one.
#[derive(Debug)]
pub(in crate::lexical) struct Compound {
    /// Indexes of the words.
    pub words: Range<usize>,
    pub terms: Vec<String>,
    /// True if the text joins them itself, by more than a space.
    pub is_joined: bool,
}

/// The gap between two words.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    Space,
    Hyphen,
    Point,
    /// & or +.
    Ampersand,
    AmpersandInSpaces,
    Apostrophe,
    Other,
}

/// Returns the compounds of a text's words: those that it joins itself, for the index.
pub(super) fn compounds(text: &str, words: &[Analyzed]) -> Vec<Compound> {
    let text = Text::of(text, words);
    let mut compounds = text.all();
    compounds.retain(|compound| compound.is_joined && !text.is_ordinary(compound));
    compounds
}

/// Returns all words of a query that may be one, also those with only a space between; by where
/// they begin, the longest first.
pub(in crate::lexical) fn possible_compounds(text: &str, words: &[Analyzed]) -> Vec<Compound> {
    Text::of(text, words).all()
}

/// A text's words and what stands between them.
struct Text<'a> {
    words: &'a [Analyzed],
    /// As written, folded.
    written: Vec<String>,
    /// One less than there are words.
    between: Vec<Between>,
}

impl<'a> Text<'a> {
    fn of(text: &str, words: &'a [Analyzed]) -> Self {
        let between = words.windows(2).map(|pair| {
            let is_next = pair[1].position == pair[0].position + 1;
            let gap = text.get(pair[0].span.end..pair[1].span.start);
            gap.filter(|_| is_next).map_or(Between::Other, Between::of)
        });
        Self {
            between: between.collect(),
            written: words.iter().map(|w| fold(&text[w.span.clone()])).collect(),
            words,
        }
    }

    fn all(&self) -> Vec<Compound> {
        let starts = 0..self.words.len();
        let ranges = starts.flat_map(|start| {
            let end = (start + MAX_WORDS).min(self.words.len());
            (start + 2..=end).rev().map(move |end| start..end)
        });
        ranges.filter_map(|range| self.compound(range)).collect()
    }

    fn compound(&self, words: Range<usize>) -> Option<Compound> {
        if let Some(term) = self.mixed_number(&words) {
            return Some(Compound {
                words,
                terms: vec![term],
                is_joined: true,
            });
        }
        if !self.words[words.clone()].iter().all(is_word) {
            return None;
        }
        let between = &self.between[words.start..words.end - 1];
        let all = |kind| between.iter().all(|b| *b == kind);
        let is_pair = words.len() == 2;
        let (terms, is_joined) = match between[0] {
            Between::Ampersand | Between::AmpersandInSpaces if is_pair => {
                (self.with_ampersand(words.start, words.start + 1), true)
            }
            Between::Hyphen if all(Between::Hyphen) => (vec![self.joined(&words)], true),
            Between::Point if all(Between::Point) && self.are_initials(&words) => {
                (vec![self.joined(&words)], true)
            }
            Between::Space | Between::Apostrophe if words.len() == 3 && self.is_and(&words) => {
                let is_joined = between.contains(&Between::Apostrophe) || self.is_name(&words);
                (self.with_and(&words), is_joined)
            }
            Between::Space if all(Between::Space) && words.len() <= 3 && self.may_join(&words) => {
                (vec![self.joined(&words)], false)
            }
            _ => return None,
        };
        Some(Compound {
            words,
            terms,
            is_joined,
        })
    }

    /// Returns true for words beside an ampersand in spaces that are no name: Tables & Chairs.
    fn is_ordinary(&self, compound: &Compound) -> bool {
        let Range { start, end } = compound.words;
        self.between[start] == Between::AmpersandInSpaces
            && self.written[start..end]
                .iter()
                .all(|w| w.chars().count() > MAX_NAME_LETTERS)
    }

    /// Returns 1.5 for "1 1/2".
    fn mixed_number(&self, words: &Range<usize>) -> Option<String> {
        let is_near = matches!(
            self.between[words.start],
            Between::Nothing | Between::Space | Between::Hyphen
        );
        if words.len() != 2 || !is_near {
            return None;
        }
        let whole: u32 = self.words[words.start].term.parse().ok()?;
        let fraction = numbers::decimal(&self.words[words.start + 1].term)?;
        Some((f64::from(whole) + fraction).to_string())
    }

    fn joined(&self, words: &Range<usize>) -> String {
        stem(&self.written[words.clone()].concat())
    }

    fn with_ampersand(&self, first: usize, last: usize) -> Vec<String> {
        let (first, last) = (&self.written[first], singular_letters(&self.written[last]));
        vec![format!("{first}&{last}"), stem(&format!("{first}{last}"))]
    }

    fn with_and(&self, words: &Range<usize>) -> Vec<String> {
        let last = words.end - 1;
        let mut terms = self.with_ampersand(words.start, last);
        let (first, last) = (&self.written[words.start], &self.written[last]);
        terms.push(stem(&format!("{first}n{last}")));
        terms
    }

    /// Returns true for short words beside "and" or "n": H and M.
    fn is_name(&self, words: &Range<usize>) -> bool {
        let ends = [words.start, words.end - 1];
        ends.iter()
            .all(|at| self.written[*at].chars().count() <= MAX_SHORT_LETTERS)
    }

    fn is_and(&self, words: &Range<usize>) -> bool {
        matches!(
            self.written[words.start + 1].as_str(),
            "n" | "and" | "und" | "et"
        )
    }

    /// Returns true for single letters, all that there are: U.S.A., but not U.S. of it.
    fn are_initials(&self, words: &Range<usize>) -> bool {
        let is_letter = |at: usize| self.written[at].chars().count() == 1;
        let is_inside = |gap: Option<usize>, other: usize| {
            gap.and_then(|gap| self.between.get(gap)) == Some(&Between::Point) && is_letter(other)
        };
        let before = words.start.checked_sub(1);
        words.clone().all(is_letter)
            && !is_inside(before, before.unwrap_or(0))
            && !is_inside(Some(words.end - 1), words.end)
    }

    /// Returns true if words with spaces between may be one: not those with a stop word, unless
    /// their other word is a letter ("d or").
    fn may_join(&self, words: &Range<usize>) -> bool {
        let written = &self.written[words.clone()];
        let is_letter = |word: &String| word.chars().count() == 1;
        if written.iter().all(is_letter) {
            return true;
        }
        let stops = written.iter().filter(|word| is_stop(word)).count();
        let is_elision = written[0] != "a" && is_letter(&written[0]);
        stops == 0 || (written.len() == 2 && is_elision)
    }
}

impl Between {
    fn of(gap: &str) -> Self {
        let mut letters = gap.trim().chars();
        let is_spaced = gap.starts_with(char::is_whitespace) || gap.ends_with(char::is_whitespace);
        let (first, second) = (letters.next(), letters.next());
        match first.map(narrow) {
            None if gap.is_empty() => Self::Nothing,
            None => Self::Space,
            Some(c) if is_apostrophe(c) && second.is_none() => Self::Apostrophe,
            Some('&' | '+') if second.is_none() && is_spaced => Self::AmpersandInSpaces,
            Some('&' | '+') if second.is_none() => Self::Ampersand,
            Some(c) if is_hyphen(c) && second.is_none() && !is_spaced => Self::Hyphen,
            Some('.') if second.is_none() => Self::Point,
            _ => Self::Other,
        }
    }
}

/// Returns true for a word of letters, as written.
fn is_word(word: &Analyzed) -> bool {
    word.plain && word.term.starts_with(char::is_alphabetic)
}

/// Returns letters without the s of their plural: the ms of M&Ms.
fn singular_letters(word: &str) -> &str {
    let singular = word.strip_suffix('s').unwrap_or(word);
    if singular.is_empty() || singular.contains(['a', 'e', 'i', 'o', 'u', 'y']) {
        return word;
    }
    singular
}
