//! Content-to-behavior map: scores of items with few events, estimated by those of items with
//! similar content (k-nearest-neighbor mapping of attributes, Gantner et al. 2010).
//!
//! Items with few events and items with enough of them may be numbered differently. How similar
//! they are is the caller's business.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Scored, rank};

/// Number of events from which an item's own events are used instead of the estimate: items with
/// fewer are mapped to items with more.
pub const ENOUGH_EVENTS: u64 = 16;

/// Options of a content-to-behavior map. The defaults were chosen on one set of hidden items of
/// Online Retail and of MovieLens 100k; `make bench-blend` measures others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentMapOptions {
    /// Maximum number of similar items that an item is mapped to.
    pub neighbors: usize,
    /// Power of the cosines: above 1, very similar items count more than several that are slightly
    /// similar.
    pub power: i32,
    /// Added to the sum of these powers: an item without very similar ones has a lower score.
    pub shrinkage: f32,
    /// Score of the items of the history themselves, relative to the best other score: what is
    /// similar to them is estimated to be chosen with them.
    pub own: f32,
}

impl Default for ContentMapOptions {
    fn default() -> Self {
        Self {
            neighbors: 20,
            power: 4,
            shrinkage: 1.0,
            own: 1.0,
        }
    }
}

/// Similar items with enough events of each item with few.
///
/// # Examples
///
/// ```
/// use vitrine::cf::{ContentMap, ContentMapOptions, Scored};
///
/// let options = ContentMapOptions { shrinkage: 0.0, ..Default::default() };
/// let mut map = ContentMap::new(options);
/// // The new item 7 is similar to item 1.
/// map.insert(7, &[Scored { item: 1, score: 0.9 }]);
/// let estimates = map.estimates(&[], &[Scored { item: 1, score: 3.0 }]);
/// assert_eq!(estimates, [Scored { item: 7, score: 3.0 }]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ContentMap {
    options: ContentMapOptions,
    /// Mapped items by slot, and their slots.
    items: Vec<u32>,
    slots: HashMap<u32, u32>,
    /// Similar items of each slot with their shares, the greatest first.
    similar: Vec<Box<[Scored]>>,
    /// Slots with shares by similar item.
    mapped_to: HashMap<u32, Vec<(u32, f32)>>,
}

impl ContentMap {
    /// Creates an empty map.
    pub fn new(options: ContentMapOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Maps an item to similar ones, which are given with their cosines; does nothing if it is
    /// mapped already.
    pub fn insert(&mut self, item: u32, cosines: &[Scored]) {
        if self.slots.contains_key(&item) {
            return;
        }
        let shares = self.shares(cosines);
        let slot = self.items.len() as u32;
        self.items.push(item);
        self.slots.insert(item, slot);
        for share in &shares {
            let targets = self.mapped_to.entry(share.item).or_default();
            targets.push((slot, share.score));
        }
        self.similar.push(shares);
    }

    /// Returns the share of each of the nearest items in the estimate, the greatest first; their
    /// sum is below 1.
    fn shares(&self, cosines: &[Scored]) -> Box<[Scored]> {
        let near = cosines.iter().filter(|near| near.score > 0.0);
        let mut near: Vec<Scored> = near
            .map(|near| Scored {
                item: near.item,
                score: near.score.powi(self.options.power),
            })
            .collect();
        near.sort_unstable_by(rank::order);
        near.truncate(self.options.neighbors);
        let total: f32 = near.iter().map(|near| near.score).sum();
        let total = total + self.options.shrinkage;
        near.iter_mut().for_each(|near| near.score /= total);
        near.into()
    }

    /// Returns the number of mapped items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns true if no item is mapped.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the similar items of a mapped item with their shares, the greatest first.
    pub fn similar(&self, item: u32) -> &[Scored] {
        let slot = self.slots.get(&item);
        slot.map_or(&[], |slot| &self.similar[*slot as usize])
    }

    /// Returns the approximate bytes of memory.
    pub fn memory(&self) -> usize {
        let pairs: usize = self.similar.iter().map(|similar| similar.len()).sum();
        16 * pairs + 48 * self.items.len() + 48 * self.mapped_to.len()
    }

    /// Returns the estimated scores of mapped items that are above 0, in the order of their
    /// insertion: the mean of the scores of similar items, weighted by their shares. `scores` are
    /// those of a history, each item once.
    pub fn estimates(&self, history: &[(u32, f32)], scores: &[Scored]) -> Vec<Scored> {
        let mut sums = vec![0.0_f32; self.items.len()];
        let mut add = |item: u32, score: f32| {
            for (slot, share) in self.mapped_to.get(&item).into_iter().flatten() {
                sums[*slot as usize] += share * score;
            }
        };
        let scores = || scores.iter().filter(|scored| scored.score > 0.0);
        scores().for_each(|scored| add(scored.item, scored.score));
        let best = scores().map(|scored| scored.score).fold(0.0, f32::max);
        let greatest = history.iter().map(|(_, weight)| *weight);
        let greatest = greatest.fold(0.0, f32::max);
        for (item, weight) in history.iter().filter(|(_, weight)| *weight > 0.0) {
            add(*item, self.options.own * best * weight / greatest);
        }
        let sums = self.items.iter().zip(sums).filter(|(_, sum)| *sum > 0.0);
        sums.map(|(item, score)| Scored { item: *item, score })
            .collect()
    }

    /// Returns the evidence for the estimate of an item: the number of events with the similar
    /// items, as `events` has it, weighted by their shares.
    pub fn evidence(&self, item: u32, events: impl Fn(u32) -> f32) -> f32 {
        let similar = self.similar(item).iter();
        similar.map(|share| share.score * events(share.item)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(pairs: &[(u32, f32)]) -> Vec<Scored> {
        let scored = pairs.iter().map(|(item, score)| Scored {
            item: *item,
            score: *score,
        });
        scored.collect()
    }

    fn map(options: ContentMapOptions) -> ContentMap {
        let mut map = ContentMap::new(ContentMapOptions {
            power: 2,
            ..options
        });
        map.insert(90, &scored(&[(1, 0.5), (2, 1.0), (3, -0.9)]));
        map.insert(80, &scored(&[(3, 1.0)]));
        map
    }

    #[test]
    fn an_estimate_is_the_shrunk_mean_of_similar_items() {
        let map = map(ContentMapOptions {
            shrinkage: 0.75,
            ..Default::default()
        });
        // Shares of 0.25 and 1 in 1.25 + 0.75.
        assert_eq!(map.similar(90), scored(&[(2, 0.5), (1, 0.125)]));
        let scores = scored(&[(1, 8.0), (2, 2.0), (4, 100.0)]);
        assert_eq!(map.estimates(&[], &scores), scored(&[(90, 2.0)]));
        let evidence = map.evidence(90, |item| if item == 1 { 16.0 } else { 4.0 });
        assert_eq!(evidence, 4.0);
        assert_eq!(map.evidence(1, |_| 9.0), 0.0, "not mapped");
    }

    #[test]
    fn items_of_the_history_count_by_their_weight_as_much_as_the_best_score() {
        let options = ContentMapOptions {
            shrinkage: 0.0,
            own: 0.5,
            ..Default::default()
        };
        let history = [(3, 2.0), (2, -1.0), (5, 4.0)];
        // Item 2 is disliked and has a score below 0: neither counts.
        let estimates = map(options).estimates(&history, &scored(&[(1, 10.0), (2, -3.0)]));
        assert_eq!(estimates, scored(&[(90, 2.0), (80, 2.5)]));
        assert!(map(options).estimates(&history, &[]).is_empty());
    }

    #[test]
    fn only_the_nearest_items_are_kept_and_the_first_map_of_an_item_holds() {
        let mut map = map(ContentMapOptions {
            neighbors: 1,
            shrinkage: 0.0,
            ..Default::default()
        });
        assert_eq!(map.similar(90), scored(&[(2, 1.0)]));
        let before = map.memory();
        map.insert(90, &scored(&[(7, 1.0)]));
        assert_eq!(map.similar(90), scored(&[(2, 1.0)]));
        assert_eq!((map.len(), map.memory()), (2, before));
    }
}
