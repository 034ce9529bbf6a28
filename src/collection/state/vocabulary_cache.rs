//! Vocabulary of the field values of the items, made at the first use after a change.

use std::sync::Arc;

use parking_lot::Mutex;
use vitrine_schemas::AttributeType;

use crate::{
    collection::State,
    nlu::understanding::{FieldKind, Vocabulary},
};

/// Maximum number of distinct values of a field in the vocabulary; a field with more holds names of
/// items rather than properties.
const MAX_VALUES: usize = 20_000;

/// Fields whose values are codes, not words.
const CODE_FIELDS: [&str; 2] = ["availability", "currency"];

/// Names of the same things, by group.
type SynonymGroups = Arc<Vec<Vec<String>>>;

/// Cached vocabulary of a state, with the synonyms that it was made with; cleared by every change.
#[derive(Default)]
pub(in crate::collection) struct VocabularyCache(Mutex<Option<(Arc<Vocabulary>, SynonymGroups)>>);

impl VocabularyCache {
    /// Clears the cache.
    pub fn clear(&mut self) {
        *self.0.get_mut() = None;
    }
}

impl State {
    /// Returns the words that name field values of the items, also by synonyms.
    pub(in crate::collection) fn vocabulary(&self, synonyms: &SynonymGroups) -> Arc<Vocabulary> {
        let mut cached = self.vocabulary.0.lock();
        if let Some((vocabulary, made_with)) = &*cached
            && Arc::ptr_eq(made_with, synonyms)
        {
            return vocabulary.clone();
        }
        let values = self.payload.keywords(MAX_VALUES);
        let values = values.filter(|(field, ..)| !CODE_FIELDS.contains(field));
        let fields = self.payload.fields();
        let fields = fields.filter_map(|(name, kind)| Some((name, field_kind(kind)?)));
        // Its values are codes, which the grammar has words for.
        let availability = self.payload.having("availability");
        let availability = availability.filter(|items| !items.is_empty());
        let availability = availability.map(|_| ("availability", FieldKind::Keyword));
        let vocabulary = Vocabulary::new(values)
            .with_fields(fields.chain(availability))
            .with_synonyms(synonyms.iter());
        let vocabulary = Arc::new(vocabulary);
        *cached = Some((vocabulary.clone(), synonyms.clone()));
        vocabulary
    }
}

/// Kind of a field without words.
fn field_kind(kind: AttributeType) -> Option<FieldKind> {
    match kind {
        AttributeType::Integer | AttributeType::Float => Some(FieldKind::Number),
        AttributeType::Bool => Some(FieldKind::Bool),
        AttributeType::Datetime => Some(FieldKind::Datetime),
        AttributeType::Keyword | AttributeType::Category | AttributeType::Text => None,
    }
}
