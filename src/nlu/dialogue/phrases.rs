//! Phrases of dialogue turns, from the lexicon.

use std::{collections::HashMap, sync::LazyLock};

use crate::nlu::{
    language::tokens_of,
    lexicon::{Language, Phrase},
    tokens::{Token, key},
};

/// Phrases of a language by the key of their wording, and the maximum number of tokens of one.
type Phrases = (HashMap<String, Vec<Phrase>>, usize);

static LOOKUP: LazyLock<Vec<Phrases>> = LazyLock::new(|| Language::all().map(phrases_of).collect());

fn phrases_of(language: Language) -> Phrases {
    let mut by_key: HashMap<String, Vec<Phrase>> = HashMap::new();
    let mut longest = 0;
    for (phrase, wordings) in &language.lexicon().phrases {
        for wording in wordings {
            let tokens = tokens_of(wording, language);
            longest = longest.max(tokens.len());
            by_key.entry(key(&tokens)).or_default().push(*phrase);
        }
    }
    (by_key, longest)
}

/// Returns the length of the longest wording of one of the `wanted` phrases at the beginning of
/// `tokens`, and the phrase.
pub(super) fn longest_at(tokens: &[Token], wanted: &[Phrase]) -> Option<(usize, Phrase)> {
    let language = tokens.first()?.language;
    let (by_key, longest) = &LOOKUP[language.index()];
    (1..=(*longest).min(tokens.len())).rev().find_map(|n| {
        let meant = by_key.get(&key(&tokens[..n]))?;
        let phrase = *wanted.iter().find(|p| meant.contains(p))?;
        Some((n, phrase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::language::tokens;

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
