//! Vocabulary of the field values of the items, made at the first use after a change.

use std::{any::Any, ptr, sync::Arc};

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

/// Cached vocabulary of a state, with the settings that it was made with; cleared by every change.
#[derive(Default)]
pub(in crate::collection) struct VocabularyCache(Mutex<Option<Cached>>);

struct Cached {
    vocabulary: Arc<Vocabulary>,
    settings: Arc<dyn Any + Send + Sync>,
}

impl VocabularyCache {
    /// Clears the cache.
    pub fn clear(&mut self) {
        *self.0.get_mut() = None;
    }
}

impl State {
    /// Returns the words that name field values of the items, also by the synonyms of the settings.
    pub(in crate::collection) fn vocabulary<S: Any + Send + Sync>(
        &self,
        settings: &Arc<S>,
        synonyms: impl FnOnce(&S) -> Vec<Vec<String>>,
    ) -> Arc<Vocabulary> {
        let mut cached = self.vocabulary.0.lock();
        let is_same =
            |cached: &&Cached| ptr::addr_eq(Arc::as_ptr(&cached.settings), Arc::as_ptr(settings));
        if let Some(cached) = cached.as_ref().filter(is_same) {
            return cached.vocabulary.clone();
        }
        let values = self.payload.keywords(MAX_VALUES);
        let values = values.filter(|(field, ..)| !CODE_FIELDS.contains(field));
        let fields = self.payload.fields();
        let fields = fields.filter_map(|(name, kind)| Some((name, field_kind(kind)?)));
        let vocabulary = Vocabulary::new(values)
            .with_fields(fields)
            .with_synonyms(synonyms(settings));
        let vocabulary = Arc::new(vocabulary);
        *cached = Some(Cached {
            vocabulary: vocabulary.clone(),
            settings: settings.clone(),
        });
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
