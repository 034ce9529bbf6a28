//! Cold items: items with few events, whose behavior scores are estimated by those of items with
//! similar vectors.
//!
//! The similar items of a cold item are searched once: in the background after trainings and
//! writes, or before that by the next request. A request then only adds up scores.

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;

use crate::{
    Result,
    behavior::{Log, Model},
    cf::Scored,
    collection::{
        Collection, ItemIds, State,
        shopper::{
            mapped_items::{MappedItems, events},
            neighbors::NeighborScores,
            top_k::top_k,
        },
    },
};

/// Number of items that are mapped at once in the background, where writers wait meanwhile, and by
/// a request.
const BACKGROUND_STEP: usize = 16;
const REQUEST_STEP: usize = 4;

/// Cold items of a collection with their similar items.
#[derive(Default)]
pub(in crate::collection) struct ColdItems {
    mapped: RwLock<Option<MappedItems>>,
    /// Locked while all are mapped.
    refreshing: Mutex<()>,
}

/// Estimated behavior scores of cold items for a history, by internal id.
pub(in crate::collection) struct ColdScores(Vec<Scored>);

impl ColdItems {
    /// Maps some of the items that were written since the last step in the background.
    pub fn extend_for_request(&self, ids: ItemIds<'_>, model: &Model) -> Result<()> {
        self.extend(ids, model, REQUEST_STEP)?;
        Ok(())
    }

    /// Maps at most `limit` items; returns true if there may be more.
    fn extend(&self, ids: ItemIds<'_>, model: &Model, limit: usize) -> Result<bool> {
        let found = match &*self.mapped.read() {
            Some(mapped) if mapped.is_current(ids.state, model) => mapped.find(ids, limit)?,
            _ => return Ok(false),
        };
        if found.is_empty() {
            return Ok(false);
        }
        if let Some(mapped) = &mut *self.mapped.write() {
            mapped.insert(&found);
        }
        Ok(found.has_more)
    }

    fn is_current(&self, state: &State, model: &Model) -> bool {
        let mapped = self.mapped.read();
        mapped.as_ref().is_some_and(|m| m.is_current(state, model))
    }

    /// Returns the estimated scores of the cold items for a history, whose scores of other items
    /// are given.
    pub fn scores(&self, history: &[(u32, f32)], scores: &NeighborScores) -> Option<ColdScores> {
        let mapped = self.mapped.read();
        let mut estimates = mapped.as_ref()?.map.estimates(history, &scores.positive());
        // Nearly in this order already: items are mapped as they are written.
        estimates.sort_unstable_by_key(|scored| scored.item);
        (!estimates.is_empty()).then_some(ColdScores(estimates))
    }

    /// Returns the ids in the log of the items that an item is mapped to, with their shares in its
    /// estimate, the greatest first.
    pub fn similar(&self, item: u32) -> Vec<Scored> {
        let mapped = self.mapped.read();
        mapped
            .as_ref()
            .map_or_else(Vec::new, |m| m.map.similar(item).to_vec())
    }

    /// Returns the evidence for the estimate of an item, in events.
    pub fn evidence(&self, item: u32, log: &Log) -> f32 {
        let mapped = self.mapped.read();
        mapped
            .as_ref()
            .map_or(0.0, |m| m.map.evidence(item, |logged| events(logged, log)))
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        self.mapped.read().as_ref().map_or(0, MappedItems::bytes)
    }
}

impl ColdScores {
    /// Returns the score of an item, if it has one.
    pub fn get(&self, item: u32) -> Option<f32> {
        let offset = self.0.binary_search_by_key(&item, |scored| scored.item);
        offset.ok().map(|offset| self.0[offset].score)
    }

    /// Returns the `count` best eligible items of a list, which holds the best by their `own`
    /// scores, and of the cold items, whose estimates are added to their own scores.
    pub fn added_to(
        &self,
        list: Vec<Scored>,
        own: impl Fn(u32) -> Option<f32>,
        eligible: &RoaringBitmap,
        count: usize,
    ) -> Vec<Scored> {
        let estimates = self.0.iter().filter(|s| eligible.contains(s.item));
        let cold = top_k(estimates.copied().collect(), count);
        let listed: RoaringBitmap = list.iter().map(|s| s.item).collect();
        let cold = cold.into_iter().filter(|s| !listed.contains(s.item));
        let items = list.iter().map(|s| s.item).chain(cold.map(|s| s.item));
        let scored = items.filter_map(|item| {
            let score = sum(own(item), self.get(item))?;
            Some(Scored { item, score })
        });
        top_k(scored.collect(), count)
    }
}

/// Returns the sum of the scores that are known.
pub(in crate::collection) fn sum(own: Option<f32>, estimate: Option<f32>) -> Option<f32> {
    own.into_iter().chain(estimate).reduce(|a, b| a + b)
}

impl Collection {
    /// Maps cold items that were written since the last call, or all after a training; returns
    /// true if there may be more to do.
    ///
    /// # Errors
    /// An index cannot be read.
    pub(crate) fn refresh_cold_items(&self) -> Result<bool> {
        let _refreshing = self.cold_items.refreshing.lock();
        // The tables that a private collection releases have no neighbors to estimate from.
        let model = self.behavior.model();
        let model = model.filter(|model| model.released_pairs().is_none());
        let Some(model) = model else {
            *self.cold_items.mapped.write() = None;
            return Ok(false);
        };
        let state = self.state.read();
        if self.cold_items.is_current(&state, &model) {
            let log = self.behavior.log.read();
            let ids = state.item_ids(&log);
            return self.cold_items.extend(ids, &model, BACKGROUND_STEP);
        }
        drop(state);
        let mapped = self.map_cold_items(&self.behavior.log, &model)?;
        let has_changed = mapped.is_some();
        // The previous map serves until here.
        *self.cold_items.mapped.write() = mapped;
        if has_changed {
            self.report();
        }
        Ok(false)
    }

    /// Returns the cold items by a log and the model fitted to it.
    pub(in crate::collection) fn mapped_cold_items(
        &self,
        log: &RwLock<Log>,
        model: &Model,
    ) -> Result<ColdItems> {
        Ok(ColdItems {
            mapped: RwLock::new(self.map_cold_items(log, model)?),
            refreshing: Mutex::default(),
        })
    }

    /// Maps all cold items, in steps between which items and events may be written.
    fn map_cold_items(&self, log: &RwLock<Log>, model: &Model) -> Result<Option<MappedItems>> {
        let begun = {
            let state = self.state.read();
            MappedItems::new(state.item_ids(&log.read()), model)?
        };
        let Some(mut mapped) = begun else {
            return Ok(None);
        };
        let mut has_more = true;
        while has_more && !self.closing() {
            let state = self.state.read();
            let found = mapped.find(state.item_ids(&log.read()), BACKGROUND_STEP)?;
            drop(state);
            mapped.insert(&found);
            has_more = found.has_more && !mapped.is_full();
        }
        Ok(Some(mapped))
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

    #[test]
    fn estimates_join_a_list_and_are_added_to_own_scores() {
        let cold = ColdScores(scored(&[(2, 3.0), (5, 1.0), (7, 9.0), (8, 2.0)]));
        assert_eq!((cold.get(5), cold.get(6)), (Some(1.0), None));
        let own = |item| {
            [(1, 4.0), (2, 1.5), (8, 0.25)]
                .into_iter()
                .find(|own| own.0 == item)
        };
        let own = |item| own(item).map(|(_, score)| score);
        // Item 7 is not eligible; item 8 is beyond the list by its own score.
        let eligible = RoaringBitmap::from([1, 2, 5, 8]);
        let list = scored(&[(1, 4.0), (2, 1.5)]);
        let joined = cold.added_to(list, own, &eligible, 3);
        assert_eq!(joined, scored(&[(2, 4.5), (1, 4.0), (8, 2.25)]));
    }

    #[test]
    fn a_score_that_nobody_knows_stays_unknown() {
        assert_eq!(sum(None, None), None);
        assert_eq!(sum(Some(1.0), None), Some(1.0));
        assert_eq!(sum(None, Some(2.0)), Some(2.0));
        assert_eq!(sum(Some(1.0), Some(2.0)), Some(3.0));
    }
}
