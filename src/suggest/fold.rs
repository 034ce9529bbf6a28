//! Folding of texts for comparison: lower case, no accents, words separated by single spaces.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::lexical::han_words;

/// A folded text with the places of its characters in the original.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Folded {
    /// Folded characters.
    pub chars: Vec<char>,
    /// Index of the character of the original that each one comes from.
    pub sources: Vec<usize>,
}

impl Folded {
    /// Folds a text. Signs separate words, except apostrophes, which are dropped.
    pub fn new(text: &str) -> Self {
        let mut folded = Self::default();
        for (source, c) in text.chars().enumerate() {
            for c in std::iter::once(c).nfkd() {
                if is_combining_mark(c) || c == '\'' || c == '\u{2019}' {
                    continue;
                }
                let is_word = c.is_alphanumeric();
                if is_word {
                    for c in c.to_lowercase() {
                        folded.push(c, source);
                    }
                } else if folded.chars.last().is_some_and(|last| *last != ' ') {
                    folded.push(' ', source);
                }
            }
        }
        folded
    }

    fn push(&mut self, c: char, source: usize) {
        self.chars.push(c);
        self.sources.push(source);
    }

    /// Returns the folded text, without a space at its end.
    pub fn text(&self) -> String {
        let text: String = self.chars.iter().collect();
        text.trim_end().to_owned()
    }
}

/// Returns the places in a folded text at which a word begins, in bytes. Chinese words come from a
/// dictionary.
pub(super) fn word_starts(folded: &str) -> Vec<usize> {
    let mut starts = vec![0];
    starts.extend(folded.match_indices(' ').map(|(at, _)| at + 1));
    let words = han_words(folded).into_iter().map(|word| word.start);
    starts.extend(words.filter(|at| !folded[*at..].starts_with(' ')));
    starts.sort_unstable();
    starts.dedup();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_signs_do_not_matter() {
        let folded = |text| Folded::new(text).text();
        assert_eq!(folded("Café-Crème  POT"), "cafe creme pot");
        assert_eq!(folded("Men's T-Shirt!"), "mens t shirt");
        assert_eq!(folded("Straße ﬁt"), "straße fit");
        assert_eq!(folded("  "), "");
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let folded = Folded::new("Crème ﬁt");
        let at = folded.chars.iter().position(|c| *c == 't');
        assert_eq!(folded.sources[at.unwrap()], 7);
    }

    #[test]
    fn words_begin_after_spaces_and_by_the_dictionary() {
        assert_eq!(word_starts("red shoes"), [0, 4]);
        let text = "红色跑鞋";
        assert_eq!(word_starts(text), [0, text.find('跑').unwrap()]);
    }
}
