//! Names of fields in turns: "color", "price", 牌子.

use std::collections::HashMap;

use crate::nlu::{
    lexicon::LEXICON,
    tokens::{key, tokens},
    vocabulary::Vocabulary,
};

/// Returns the fields by their names: their own, and those of the same group in the lexicon.
pub(super) fn fields(vocabulary: &Vocabulary) -> HashMap<String, String> {
    let mut by_word = HashMap::new();
    for (name, group) in &LEXICON.fields {
        for word in group {
            by_word.insert(key(&tokens(word)), name.clone());
        }
    }
    for field in vocabulary.fields() {
        let own = key(&tokens(&field.replace('_', " ")));
        let is_own = |word: &String| key(&tokens(word)) == own;
        let mut groups = LEXICON.fields.values();
        let group = groups.find(|group| group.iter().any(is_own));
        for word in group.into_iter().flatten() {
            by_word.insert(key(&tokens(word)), field.to_owned());
        }
        by_word.insert(own, field.to_owned());
    }
    by_word
}
