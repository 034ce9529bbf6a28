//! Vocabulary of the field values of the items, made at the first use after a change.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{collection::State, nlu::understanding::Vocabulary};

/// Maximum number of distinct values of a field in the vocabulary; a field with more holds names of
/// items rather than properties.
const MAX_VALUES: usize = 20_000;

/// Fields whose values are codes, not words.
const CODE_FIELDS: [&str; 2] = ["availability", "currency"];

/// Cached vocabulary of a state; cleared by every change.
#[derive(Default)]
pub(in crate::collection) struct VocabularyCache(Mutex<Option<Arc<Vocabulary>>>);

impl VocabularyCache {
    /// Clears the cache.
    pub fn clear(&mut self) {
        *self.0.get_mut() = None;
    }
}

impl State {
    /// Returns the words that name field values of the items.
    pub(in crate::collection) fn vocabulary(&self) -> Arc<Vocabulary> {
        let mut cached = self.vocabulary.0.lock();
        let make = || {
            let values = self.payload.keywords(MAX_VALUES);
            let values = values.filter(|(field, ..)| !CODE_FIELDS.contains(field));
            Arc::new(Vocabulary::new(values))
        };
        cached.get_or_insert_with(make).clone()
    }
}
