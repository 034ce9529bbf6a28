//! Ranking stage of merchandising rules.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::{index::CandidateFilter, query::blend::Ranked};

/// An item at a fixed position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Internal id of the item.
    pub internal_id: u32,
    /// Position among all hits, from 1.
    pub position: usize,
    /// Index of the rule among the applicable rules.
    pub rule: usize,
}

/// Effects of the applicable rules on a ranking.
#[derive(Default)]
pub struct RuleEffects {
    /// Pins by position, then by rule; each item once.
    pub pins: Vec<Pinned>,
    /// Items with the factor of their scores and the index of the rule; `usize::MAX` for boosts
    /// that no rule made (preferences of query understanding).
    pub boosts: Vec<(Arc<CandidateFilter>, f32, usize)>,
    /// Items placed last, with the rule.
    pub buried: Vec<(Arc<CandidateFilter>, usize)>,
}

impl RuleEffects {
    /// Returns true if the ranking stays the same.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty() && self.boosts.is_empty() && self.buried.is_empty()
    }

    /// Sorts the pins and keeps the first one of each item.
    pub fn finish_pins(&mut self) {
        self.pins.sort_by_key(|pin| (pin.position, pin.rule));
        let mut seen = RoaringBitmap::new();
        self.pins.retain(|pin| seen.insert(pin.internal_id));
    }

    /// Returns true if the item is pinned.
    pub fn is_pinned(&self, internal_id: u32) -> bool {
        self.pins.iter().any(|pin| pin.internal_id == internal_id)
    }

    /// Returns true if the item is buried.
    pub fn is_buried(&self, internal_id: u32) -> bool {
        let mut buried = self.buried.iter();
        buried.any(|(items, _)| items.internal_ids().contains(internal_id))
    }

    /// Returns the factor of the score of an item.
    pub fn factor(&self, internal_id: u32) -> f32 {
        let boosts = self.boosts.iter();
        let of = boosts.filter(|(items, ..)| items.internal_ids().contains(internal_id));
        of.map(|(_, factor, _)| factor).product()
    }

    /// Returns the eligible items whose scores rise; None if there are none, or if all do.
    pub fn boosted_items(&self, eligible: &RoaringBitmap) -> Option<RoaringBitmap> {
        let boosts = self.boosts.iter().filter(|(_, factor, _)| *factor > 1.0);
        let mut boosted = RoaringBitmap::new();
        for (items, ..) in boosts {
            boosted |= items.internal_ids() & eligible;
        }
        (!boosted.is_empty() && boosted.len() < eligible.len()).then_some(boosted)
    }

    /// Returns the ranking with multiplied scores and buried items at the end, followed by the
    /// missing pins, made by `unfound`. Ties keep their order.
    pub fn apply(&self, mut ranked: Vec<Ranked>, unfound: impl Fn(u32) -> Ranked) -> Vec<Ranked> {
        if !self.boosts.is_empty() {
            for one in &mut ranked {
                one.multiply(self.factor(one.candidate.item));
            }
            ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        if !self.buried.is_empty() {
            let is_kept = |one: &Ranked| !self.is_buried(one.candidate.item);
            let (kept, buried): (Vec<_>, Vec<_>) = ranked.into_iter().partition(is_kept);
            ranked = kept.into_iter().chain(buried).collect();
        }
        for pin in &self.pins {
            if ranked
                .iter()
                .all(|one| one.candidate.item != pin.internal_id)
            {
                ranked.push(unfound(pin.internal_id));
            }
        }
        ranked
    }
}

/// Returns the number of pins on the page of `limit` hits after the first `offset`. `pins` are the
/// positions of those not shown yet, ascending.
pub fn count_pins_on_page(pins: &[usize], offset: usize, limit: usize) -> usize {
    let mut next = pins.iter().peekable();
    let slots = offset + 1..=offset + limit;
    slots
        .filter(|slot| next.next_if(|p| **p <= *slot).is_some())
        .count()
}

/// Returns the page of at most `limit` hits after the first `offset`: each pin at its position, or
/// at the next free one if that is taken or on an earlier page; once there are no other hits, the
/// remaining pins follow. `pins` are those not shown yet, by position.
pub fn interleave_pins<T>(
    pins: Vec<(usize, T)>,
    others: impl IntoIterator<Item = T>,
    offset: usize,
    limit: usize,
) -> Vec<T> {
    let (mut pins, mut others) = (pins.into_iter().peekable(), others.into_iter());
    let slots = offset + 1..=offset + limit;
    let one = |slot: usize| {
        let due = pins.next_if(|(position, _)| *position <= slot);
        let due = due.map(|(_, pin)| pin);
        due.or_else(|| others.next())
            .or_else(|| pins.next().map(|(_, pin)| pin))
    };
    slots.map_while(one).collect()
}
