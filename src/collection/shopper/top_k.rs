//! The top k eligible items of the event log.

use std::{cmp::Ordering, collections::BinaryHeap};

use roaring::RoaringBitmap;

use crate::{cf::Scored, collection::ItemIds};

/// An item in the heap: the highest score on top, equal scores by id.
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

/// Returns the `count` best eligible items of `scored`, whose ids are those of the log, with
/// internal ids. Ids are looked up only until `count` items are found.
pub(in crate::collection) fn top_k_eligible(
    scored: Vec<Scored>,
    count: usize,
    ids: ItemIds<'_>,
    eligible: &RoaringBitmap,
) -> Vec<Scored> {
    let mut heap: BinaryHeap<Entry> = scored.into_iter().map(Entry).collect();
    let mut top = Vec::with_capacity(count.min(heap.len()));
    while let Some(Entry(best)) = heap.pop()
        && top.len() < count
    {
        let internal_id = ids.internal_id(best.item);
        if let Some(internal_id) = internal_id.filter(|id| eligible.contains(*id)) {
            top.push(Scored {
                item: internal_id,
                score: best.score,
            });
        }
    }
    top
}

/// Returns the `count` best of `scored`, best first, equal scores by internal id.
pub(in crate::collection) fn top_k(mut scored: Vec<Scored>, count: usize) -> Vec<Scored> {
    let order = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item));
    if scored.len() > count {
        scored.select_nth_unstable_by(count.max(1) - 1, order);
        scored.truncate(count);
    }
    scored.sort_unstable_by(order);
    scored
}
