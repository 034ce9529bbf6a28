//! The items of a collection as evidence for what a query means.

use roaring::RoaringBitmap;
use vitrine_schemas::{Condition, Filter, FilterSpec, Match, Scalar, filter::MatchCondition};

use crate::{
    collection::{Collection, State},
    nlu::catalog::Catalog,
};

/// Number of items above which a word says nothing of them.
const MAX_ITEMS_OF_WORD: u64 = 10_000;

/// Maximum number of items whose values are counted.
const MAX_COUNTED: usize = 1_000;

/// The items of a state. Errors of an index are no evidence.
pub(in crate::collection) struct Items<'a> {
    pub collection: &'a Collection,
    pub state: &'a State,
}

impl Catalog for Items<'_> {
    fn with_values(&self, field: &str, values: &[String]) -> RoaringBitmap {
        let any = values.iter().cloned().map(Scalar::Str).collect();
        let filter = FilterSpec::Tree(Filter {
            must: vec![Condition::Match(MatchCondition {
                key: field.to_owned(),
                r#match: Match::Any(any),
            })],
            ..Filter::default()
        });
        self.state.matching(Some(&filter)).unwrap_or_default()
    }

    fn with_field(&self, field: &str) -> RoaringBitmap {
        let rows = self.state.payload.having(field);
        rows.map_or_else(RoaringBitmap::new, |rows| {
            self.state.payload.items_of(rows.clone()) & &self.state.live
        })
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
