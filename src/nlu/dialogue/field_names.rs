//! Names of fields in turns: "color", "price", 牌子.

use std::collections::HashMap;

use crate::nlu::{
    language::{field_names, tokens, tokens_of},
    lexicon::Language,
    tokens::key,
    vocabulary::Vocabulary,
};

/// Returns the fields by their names: their own, and those of the same group in the lexicon.
pub(super) fn fields(vocabulary: &Vocabulary, language: Language) -> HashMap<String, String> {
    let groups = &language.lexicon().fields;
    let word_key = |word: &str| key(&tokens_of(word, language));
    let mut by_word = HashMap::new();
    for (name, group) in groups {
        for word in group {
            by_word.insert(word_key(word), name.clone());
        }
    }
    for field in vocabulary.fields() {
        let name = field.replace('_', " ");
        let own = key(&tokens(&name));
        let is_own = |word: &String| key(&tokens(word)) == own;
        let mut named = groups.iter();
        let named = named.find(|(group, _)| *group == field || field_names(group).any(is_own));
        for word in named.into_iter().flat_map(|(_, group)| group) {
            by_word.insert(word_key(word), field.to_owned());
        }
        by_word.insert(word_key(&name), field.to_owned());
        if vocabulary.is_flag(field) {
            let synonyms = language.synonyms().get(&word_key(&name));
            for word in synonyms.into_iter().flat_map(|group| group.iter()) {
                by_word.insert(word_key(word), field.to_owned());
            }
        }
    }
    by_word
}
