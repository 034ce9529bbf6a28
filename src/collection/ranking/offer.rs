//! Offer of a hit: the price that is asked now, and the variant that matched.

use std::{collections::HashSet, sync::Arc};

use roaring::RoaringBitmap;
use serde_json::Value;
use vitrine_schemas::{Availability, FilterSpec, Hit, Item, Offer, SortOrder, SortSpec, Variant};

use crate::{Result, collection::State, lexical::matching_words, payload::float_key};

/// Offers of the items that match a request.
pub(in crate::collection) struct Offers<'a> {
    state: &'a State,
    /// Rows that match; None for all.
    rows: Option<Arc<RoaringBitmap>>,
    /// Order of prices, where the hits are sorted by price.
    price_order: Option<SortOrder>,
}

impl State {
    /// Returns the offers of the items that match a filter.
    pub(in crate::collection) fn offers(&self, filter: Option<&FilterSpec>) -> Result<Offers<'_>> {
        Ok(Offers::among(self, self.filtered(filter)?.rows))
    }
}

impl<'a> Offers<'a> {
    /// Returns the offers of the variants among `rows`; None: all.
    pub fn among(state: &'a State, rows: Option<Arc<RoaringBitmap>>) -> Self {
        Self {
            state,
            rows,
            price_order: None,
        }
    }

    /// Offers the variants that hits are sorted by.
    pub fn sorted_by(mut self, sort: &[SortSpec]) -> Self {
        let first = sort.first().and_then(|spec| spec.key().ok());
        let by_price = first.filter(|key| key.field == "price");
        self.price_order = by_price.map(|key| key.order.unwrap_or(SortOrder::Asc));
        self
    }

    /// Returns the offer of an item; None if it has no price and no variants.
    pub fn of(&self, item: &Item) -> Option<Offer> {
        self.of_terms(item, &HashSet::new())
    }

    /// Sets the offers of hits that were found by the terms of a query.
    pub fn add_to(&self, hits: &mut [Hit], terms: &HashSet<&str>) {
        for hit in hits {
            hit.offer = self.of_terms(&hit.item, terms);
        }
    }

    fn of_terms(&self, item: &Item, terms: &HashSet<&str>) -> Option<Offer> {
        let internal_id = *self.state.internal_ids.get(&item.id)?;
        let payload = &self.state.payload;
        let mut positions = payload.matching_variants(internal_id, self.rows.as_deref());
        if positions.is_empty() {
            // A pinned item is shown although it does not match.
            positions = (0..item.variants.len()).collect();
        }
        let variants = positions.into_iter().filter_map(|position| {
            let variant = item.variants.get(position)?;
            let sold_out = variant.availability == Some(Availability::OutOfStock);
            let price = self.price_key(internal_id, item, position);
            let unmatched = usize::MAX - matched_length(variant, terms);
            Some((price, unmatched, sold_out, position))
        });
        let position = variants.min().map(|(.., position)| position);
        let offer = Offer {
            variant: position.and_then(|position| item.variants.get(position).cloned()),
            price: payload.asked_price(internal_id, item, position),
        };
        (offer != Offer::default()).then_some(offer)
    }

    /// Returns a key that is least for the variant that an item is sorted by; equal for all
    /// variants if hits are not sorted by price.
    fn price_key(&self, internal_id: u32, item: &Item, position: usize) -> Option<i128> {
        let order = self.price_order?;
        let payload = &self.state.payload;
        let price = payload.asked_price(internal_id, item, Some(position));
        let key = price.map_or(i128::MAX, |price| float_key(price.amount));
        Some(match order {
            SortOrder::Asc => key,
            SortOrder::Desc => -key,
        })
    }
}

/// Returns the length of the words of a variant that are among the terms, in bytes. It is greater
/// for a whole code than for a part of it that other variants share.
fn matched_length(variant: &Variant, terms: &HashSet<&str>) -> usize {
    if terms.is_empty() {
        return 0;
    }
    let strings = variant.attributes.values().filter_map(Value::as_str);
    let texts = strings
        .chain([variant.id.as_str()])
        .chain(variant.title.as_deref());
    let words: HashSet<String> = texts.flat_map(|text| matching_words(text, terms)).collect();
    words.iter().map(String::len).sum()
}
