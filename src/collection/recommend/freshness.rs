//! Decay of recommendations with the age of the items.

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Condition, Filter, FilterSpec, Freshness, Range,
    filter::{RangeCondition, Scalar},
};

use crate::{Result, collection::State, events::rfc3339, query::feed::AgeDecay};

/// Age of the items of a collection at the time of a request.
#[derive(Clone, Copy)]
pub(super) struct ItemAges<'a> {
    state: &'a State,
    freshness: &'a Freshness,
    decay: AgeDecay,
}

impl<'a> ItemAges<'a> {
    /// Reads ages at a time, in microseconds since 1970.
    pub fn new(state: &'a State, freshness: &'a Freshness, now: i64) -> Self {
        Self {
            state,
            freshness,
            decay: AgeDecay::new(freshness, now),
        }
    }

    /// Returns the factor of the score of an item, 0 to 1.
    pub fn factor(&self, item: u32) -> f32 {
        let time = self.state.payload.number(&self.freshness.field, item);
        self.decay.factor(time)
    }

    /// Returns the newest `count` of some items, those for which `is_last` holds after the others.
    /// Items of the same age keep their order.
    pub fn newest(
        &self,
        items: impl Iterator<Item = u32>,
        is_last: impl Fn(u32) -> bool,
        count: usize,
    ) -> Vec<u32> {
        let aged = items.map(|item| (is_last(item), self.factor(item), item));
        let mut aged: Vec<_> = aged.collect();
        aged.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        aged.truncate(count);
        aged.into_iter().map(|(.., item)| item).collect()
    }
}

/// Returns the items that are too old at a time, in microseconds since 1970.
pub(super) fn too_old(state: &State, freshness: &Freshness, now: i64) -> Result<RoaringBitmap> {
    let Some(hours) = freshness.max_age_hours else {
        return Ok(RoaringBitmap::new());
    };
    let first = now.saturating_sub((hours * 3.6e9) as i64);
    let older = Condition::Range(RangeCondition {
        key: freshness.field.clone(),
        range: Range {
            lt: Some(Scalar::Str(rfc3339(first))),
            ..Range::default()
        },
    });
    state.matching(Some(&FilterSpec::Tree(Filter {
        must: vec![older],
        ..Filter::default()
    })))
}
