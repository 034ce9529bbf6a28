//! A catalog that remembers its answers for the time of one query.

use std::{cell::RefCell, collections::HashMap};

use roaring::RoaringBitmap;

use super::PriceRange;
use crate::nlu::catalog::Catalog;

/// A catalog and its answers so far.
pub(super) struct Memo<'a> {
    catalog: &'a dyn Catalog,
    values: RefCell<HashMap<(String, Vec<String>), RoaringBitmap>>,
    phrases: RefCell<HashMap<(String, bool), Option<RoaringBitmap>>>,
}

impl<'a> Memo<'a> {
    pub fn new(catalog: &'a dyn Catalog) -> Self {
        Self {
            catalog,
            values: RefCell::default(),
            phrases: RefCell::default(),
        }
    }
}

impl Catalog for Memo<'_> {
    fn with_values(&self, field: &str, values: &[String]) -> RoaringBitmap {
        let key = (field.to_owned(), values.to_vec());
        let mut known = self.values.borrow_mut();
        let items = || self.catalog.with_values(field, values);
        known.entry(key).or_insert_with(items).clone()
    }

    fn with_field(&self, field: &str) -> RoaringBitmap {
        self.catalog.with_field(field)
    }

    fn has_within(&self, field: &str, bounds: &PriceRange, items: &RoaringBitmap) -> bool {
        self.catalog.has_within(field, bounds, items)
    }

    fn with_phrase(&self, words: &str, anywhere: bool) -> Option<RoaringBitmap> {
        let key = (words.to_lowercase(), anywhere);
        let mut known = self.phrases.borrow_mut();
        let items = || self.catalog.with_phrase(words, anywhere);
        known.entry(key).or_insert_with(items).clone()
    }

    fn most_common(&self, field: &str, items: &RoaringBitmap) -> Option<(String, u64)> {
        self.catalog.most_common(field, items)
    }

    fn values_of(&self, item: &str, field: &str) -> Vec<String> {
        self.catalog.values_of(item, field)
    }
}
