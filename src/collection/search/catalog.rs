//! The items of a collection as evidence for what a query means.

use roaring::RoaringBitmap;
use vitrine_schemas::{Condition, Filter, FilterSpec, filter::RangeCondition};

use crate::{
    Result,
    collection::{Collection, State},
    nlu::{
        catalog::Catalog,
        understanding::{PriceRange, Vocabulary},
    },
};

/// Number of items above which a word says nothing of them.
const MAX_ITEMS_OF_WORD: u64 = 10_000;

/// Maximum number of items whose values are counted.
const MAX_COUNTED: usize = 1_000;

/// The items of a state. Errors of an index are no evidence.
struct Items<'a> {
    collection: &'a Collection,
    state: &'a State,
}

impl Collection {
    /// Reads a text with the vocabulary of the collection and its items as evidence.
    ///
    /// # Errors
    /// The full-text index cannot be written.
    pub(super) fn read_text<T>(
        &self,
        read: impl FnOnce(&Vocabulary, &dyn Catalog) -> T,
    ) -> Result<T> {
        self.refresh_texts()?;
        let state = self.state.read();
        let vocabulary = state.vocabulary(&self.settings.now().synonym_groups);
        let items = Items {
            collection: self,
            state: &state,
        };
        Ok(read(&vocabulary, &items))
    }
}

impl Catalog for Items<'_> {
    fn with_values(&self, field: &str, values: &[String]) -> RoaringBitmap {
        self.state.with_values(field, values).unwrap_or_default()
    }

    fn with_field(&self, field: &str) -> RoaringBitmap {
        let rows = self.state.payload.having(field);
        rows.map_or_else(RoaringBitmap::new, |rows| {
            self.state.payload.items_of(rows.clone()) & &self.state.live
        })
    }

    fn has_within(&self, field: &str, bounds: &PriceRange, items: &RoaringBitmap) -> bool {
        let filter = FilterSpec::Tree(Filter {
            must: vec![Condition::Range(RangeCondition {
                key: field.to_owned(),
                range: (*bounds).into(),
            })],
            ..Filter::default()
        });
        let within = self.state.visible_matches(Some(&filter));
        within.is_ok_and(|within| !within.internal_ids().is_disjoint(items))
    }

    fn with_phrase(&self, words: &str, anywhere: bool) -> Option<RoaringBitmap> {
        let lexical = &self.collection.lexical;
        let found = lexical.with_phrase(words, anywhere, MAX_ITEMS_OF_WORD);
        Some(found.ok()?? & &self.state.live)
    }

    fn most_common(&self, field: &str, items: &RoaringBitmap) -> Option<(String, u64)> {
        let rows = self.state.payload.rows_of(items);
        self.state.payload.most_common(field, &rows, MAX_COUNTED)
    }

    fn values_of(&self, item: &str, field: &str) -> Vec<String> {
        let item = self.collection.load(self.state, item, false);
        item.map_or_else(
            |_| Vec::new(),
            |item| self.state.payload.labels(field, &item),
        )
    }
}
