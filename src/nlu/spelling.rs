//! Corrections of misspelled words by the words of the vocabulary.

use std::collections::{BTreeSet, HashMap};

use strsim::osa_distance;

/// Shortest words that are corrected by one edit and by two, in letters.
const MIN_LETTERS: [usize; 2] = [5, 8];

/// Known words, by their first letter.
#[derive(Clone, Debug, Default)]
pub(super) struct Spelling(HashMap<char, BTreeSet<String>>);

impl Spelling {
    /// Adds a word that may be meant.
    pub fn add(&mut self, word: &str) {
        if let Some(first) = word.chars().next().filter(char::is_ascii_alphabetic) {
            self.0.entry(first).or_default().insert(word.to_owned());
        }
    }

    /// Returns the known word nearest to a misspelled one, with the same first letter; `None` if
    /// there is none, or several are as near.
    pub fn correct(&self, word: &str) -> Option<&str> {
        let letters = word.len();
        let most = match letters {
            _ if !word.bytes().all(|b| b.is_ascii_alphabetic()) => 0,
            n if n >= MIN_LETTERS[1] => 2,
            n if n >= MIN_LETTERS[0] => 1,
            _ => 0,
        };
        if most == 0 {
            return None;
        }
        let known = self.0.get(&word.chars().next()?)?;
        let near = known
            .iter()
            .filter(|k| k.len().abs_diff(letters) <= most && k.len() >= MIN_LETTERS[0] - 1)
            .map(|k| (osa_distance(k, word), k.as_str()))
            .filter(|(edits, _)| *edits <= most);
        let near: Vec<_> = near.collect();
        let least = near.iter().map(|(edits, _)| *edits).min()?;
        let mut best = near.iter().filter(|(edits, _)| *edits == least);
        match (best.next(), best.next()) {
            (Some((_, only)), None) => Some(only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_the_correction() {
        let mut spelling = Spelling::default();
        for word in ["samsung", "adidas", "converse", "jacket", "lamps", "lambs"] {
            spelling.add(word);
        }
        assert_eq!(spelling.correct("samsng"), Some("samsung"));
        assert_eq!(spelling.correct("addidas"), Some("adidas"));
        assert_eq!(spelling.correct("adiads"), Some("adidas"));
        assert_eq!(spelling.correct("convrese"), Some("converse"));
        assert_eq!(spelling.correct("jackte"), Some("jacket"));
        assert_eq!(spelling.correct("lamds"), None);
        assert_eq!(spelling.correct("sony"), None);
    }
}
