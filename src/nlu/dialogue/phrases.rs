//! Phrases of dialogue turns, from the lexicon.

use std::{collections::HashMap, sync::LazyLock};

use crate::nlu::{
    lexicon::{LEXICON, Phrase},
    tokens::{Token, key, tokens},
};

/// Phrases by the key of their wording, and the maximum number of tokens of a wording.
static LOOKUP: LazyLock<(HashMap<String, Vec<Phrase>>, usize)> = LazyLock::new(|| {
    let mut by_key: HashMap<String, Vec<Phrase>> = HashMap::new();
    let mut longest = 0;
    for (phrase, wordings) in &LEXICON.phrases {
        for wording in wordings {
            let tokens = tokens(wording);
            longest = longest.max(tokens.len());
            by_key.entry(key(&tokens)).or_default().push(*phrase);
        }
    }
    (by_key, longest)
});

/// Returns the length of the longest wording of one of the `wanted` phrases at the beginning of
/// `tokens`, and the phrase.
pub(super) fn longest_at(tokens: &[Token], wanted: &[Phrase]) -> Option<(usize, Phrase)> {
    let (by_key, longest) = &*LOOKUP;
    (1..=(*longest).min(tokens.len())).rev().find_map(|n| {
        let meant = by_key.get(&key(&tokens[..n]))?;
        let phrase = *wanted.iter().find(|p| meant.contains(p))?;
        Some((n, phrase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wording_is_found() {
        let at = |text: &str, wanted| longest_at(&tokens(text), wanted);
        assert_eq!(
            at("a bit cheaper please", &[Phrase::Cheaper]),
            Some((3, Phrase::Cheaper))
        );
        assert_eq!(
            at("再便宜一点的", &[Phrase::Cheaper]),
            Some((5, Phrase::Cheaper))
        );
        assert_eq!(
            at("too expensive", &[Phrase::Also, Phrase::Cheaper]),
            Some((2, Phrase::Cheaper))
        );
        assert_eq!(at("blue", &[Phrase::Reset, Phrase::Undo]), None);
    }
}
