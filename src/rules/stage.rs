//! What rules do to a ranking.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::{index::CandidateFilter, query::blend::Ranked};

/// An item at a fixed place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Number of the item.
    pub number: u32,
    /// Place among all hits, from 1.
    pub position: usize,
    /// Which of the acting rules says so.
    pub rule: usize,
}

/// What the acting rules do to a ranking.
#[derive(Default)]
pub struct Stage {
    /// By position, then by rule; each item once.
    pub pins: Vec<Pinned>,
    /// Items, what their scores are multiplied by, and by which rule.
    pub boosts: Vec<(Arc<CandidateFilter>, f32, usize)>,
    /// Items that come last, and by which rule.
    pub buried: Vec<(Arc<CandidateFilter>, usize)>,
}

impl Stage {
    /// Whether a ranking stays as it is.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty() && self.boosts.is_empty() && self.buried.is_empty()
    }

    /// Sorts pins, and leaves of those of one item the first.
    pub fn settle(&mut self) {
        self.pins.sort_by_key(|pin| (pin.position, pin.rule));
        let mut seen = RoaringBitmap::new();
        self.pins.retain(|pin| seen.insert(pin.number));
    }

    /// Whether an item has a place of its own.
    pub fn is_pinned(&self, number: u32) -> bool {
        self.pins.iter().any(|pin| pin.number == number)
    }

    /// Whether an item comes after all others.
    pub fn is_buried(&self, number: u32) -> bool {
        let mut buried = self.buried.iter();
        buried.any(|(items, _)| items.internal_ids().contains(number))
    }

    /// What the score of an item is multiplied by.
    pub fn factor(&self, number: u32) -> f32 {
        let boosts = self.boosts.iter();
        let of = boosts.filter(|(items, ..)| items.internal_ids().contains(number));
        of.map(|(_, factor, _)| factor).product()
    }

    /// The ranking with multiplied scores, what is buried at the end, and behind it the pins that are missing, as `unfound` makes
    /// them. Equals stay in their order.
    pub fn applied(&self, mut ranked: Vec<Ranked>, unfound: impl Fn(u32) -> Ranked) -> Vec<Ranked> {
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
            if ranked.iter().all(|one| one.candidate.item != pin.number) {
                ranked.push(unfound(pin.number));
            }
        }
        ranked
    }
}

/// How many of the pins are on the page of `limit` hits that follows `offset` others. `pins` are the positions of those that were
/// not shown, rising.
pub fn places(pins: &[usize], offset: usize, limit: usize) -> usize {
    let mut next = pins.iter().peekable();
    let slots = offset + 1..=offset + limit;
    slots
        .filter(|slot| next.next_if(|p| **p <= *slot).is_some())
        .count()
}

/// The page of at most `limit` hits that follows `offset` others: each pin at its position, or at the next free place where that is
/// taken or behind; where nothing else is left, those that remain follow. `pins` are those not shown, by their positions.
pub fn placed<T>(
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
