//! The best of the log's items that may be shown.

use std::{cmp::Ordering, collections::BinaryHeap};

use roaring::RoaringBitmap;

use super::super::State;
use crate::{behaviour::Log, cf::Scored};

/// Items of the log, the best on top, then by number.
struct Entry(Scored);

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = self.0.score.total_cmp(&other.0.score);
        by_score.then(other.0.item.cmp(&self.0.item))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

/// The `count` best of `scored`, numbers of the log, that are allowed, in the numbers of the collection. Ids are only
/// looked up for as many as it takes.
pub(super) fn best_allowed(
    scored: Vec<Scored>,
    count: usize,
    state: &State,
    log: &Log,
    allowed: &RoaringBitmap,
) -> Vec<Scored> {
    let mut heap: BinaryHeap<Entry> = scored.into_iter().map(Entry).collect();
    let mut found = Vec::with_capacity(count.min(heap.len()));
    while let Some(Entry(one)) = heap.pop()
        && found.len() < count
    {
        let number = state.numbers.get(log.name(one.item));
        if let Some(number) = number.filter(|n| allowed.contains(**n)) {
            found.push(Scored {
                item: *number,
                score: one.score,
            });
        }
    }
    found
}

/// Allowed items with their numbers in the log, those that anybody touched.
pub(super) fn known<'a>(
    state: &'a State,
    log: &'a Log,
    allowed: &'a RoaringBitmap,
) -> impl Iterator<Item = (u32, u32)> + 'a {
    let ids = allowed.iter().filter_map(|n| Some((n, state.ids.get(&n)?)));
    ids.filter_map(|(number, id)| Some((number, log.number(id)?)))
}

/// The `count` best of `scored`, numbers of the collection, the best first, then by number.
pub(super) fn best(mut scored: Vec<Scored>, count: usize) -> Vec<Scored> {
    let order = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item));
    if scored.len() > count {
        scored.select_nth_unstable_by(count.max(1) - 1, order);
        scored.truncate(count);
    }
    scored.sort_unstable_by(order);
    scored
}
