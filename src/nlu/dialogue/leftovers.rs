//! Words of a turn that are no act. They refine the search only if items that the state describes
//! have them; other words are dropped, and a turn of nothing else is unclear.

use super::{reader::Reader, state};
use crate::{
    lexical::han_words,
    nlu::{
        language::tokens_of,
        lexicon::{Language, Phrase},
        tokens::Kind,
        understanding::Understanding,
    },
};

/// Judgment of leftover words.
pub(super) enum Leftover {
    /// They are words of items.
    Words(String),
    /// They say nothing about items.
    Nothing,
    /// No item has them.
    Unknown(String),
}

impl Reader<'_> {
    /// Judges the words that no condition took, after trimming.
    pub(super) fn leftover(&self, understood: &Understanding, words: String) -> Leftover {
        let Some(catalog) = self.catalog else {
            return match words.is_empty() {
                true => Leftover::Nothing,
                false => Leftover::Words(words),
            };
        };
        let content = content_words(&words, self.language);
        if content.is_empty() {
            return Leftover::Nothing;
        }
        let required = state::required(&self.state);
        let values = understood.must();
        let new = values.iter().map(|(field, values)| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            ((*field).to_owned(), values)
        });
        let kept = required
            .into_iter()
            .filter(|(f, _)| !values.contains_key(f.as_str()));
        let sets = kept.chain(new);
        let sets = sets.map(|(field, values)| catalog.with_values(&field, &values));
        let described = sets.reduce(|all, items| all & items);
        let mut known = 0;
        for word in &content {
            let Some(items) = catalog.with_phrase(word, true) else {
                known += 1;
                continue;
            };
            let items = match &described {
                Some(described) => items & described,
                None => items,
            };
            known += usize::from(!items.is_empty());
        }
        // The first text is a search of its own; later ones must fit to it.
        let needed = match self.state == vitrine_schemas::DialogueState::default() {
            true => content.len().div_ceil(2),
            false => content.len(),
        };
        match known >= needed {
            true => Leftover::Words(words),
            false => Leftover::Unknown(words),
        }
    }
}

/// Returns the words that may describe an item.
fn content_words(text: &str, language: Language) -> Vec<String> {
    let tokens = tokens_of(text, language);
    let han: Vec<_> = han_words(text);
    let chat = [
        Phrase::Chat,
        Phrase::Filler,
        Phrase::Closing,
        Phrase::Polite,
        Phrase::Also,
        Phrase::Instead,
    ];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some((n, _)) = super::phrases::longest_at(&tokens[at..], &chat) {
            at += n;
            continue;
        }
        at += 1;
        match token.kind {
            Kind::Word if !crate::lexical::is_stop(&token.form) => {
                found.push(text[token.start..token.end].to_owned());
            }
            Kind::Han => {
                let end = han
                    .iter()
                    .find(|word| word.start <= token.start && token.end <= word.end)
                    .map_or(token.end, |word| word.end);
                found.push(text[token.start..end].to_owned());
                while tokens.get(at).is_some_and(|t| t.end <= end) {
                    at += 1;
                }
            }
            _ => {}
        }
    }
    found
}
