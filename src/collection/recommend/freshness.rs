//! Decay of recommendations with the age of the items.

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Condition, Filter, FilterSpec, Freshness, Range, Source,
    filter::{RangeCondition, Scalar},
};

use crate::{
    Result,
    collection::State,
    events::rfc3339,
    query::{blend::Ranked, feed::AgeDecay},
};

/// Age of the items of a collection at the time of a request.
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

    /// Multiplies the scores by the factors of the items, and sorts again.
    pub fn apply(&self, ranked: &mut [Ranked]) {
        for hit in ranked.iter_mut() {
            hit.multiply(Source::Freshness, self.factor(hit.candidate.item));
        }
        ranked.sort_by(|a, b| {
            let by_score = b.score.total_cmp(&a.score);
            by_score.then(a.candidate.item.cmp(&b.candidate.item))
        });
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
