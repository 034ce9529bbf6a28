//! Behavior data of the item that similar ones are requested for.

use std::{collections::HashMap, sync::Arc};

use roaring::RoaringBitmap;

use crate::{
    behavior::{Log, Model, Popular},
    cf::Scored,
    collection::State,
};

/// Behavior data of the query item.
pub(super) struct ItemBehavior<'a> {
    pub(super) log: &'a Log,
    pub(super) popular: Option<Arc<Popular>>,
    /// Eligible item neighbors by internal id, with similarity and number of users.
    pub(super) neighbors: HashMap<u32, (f32, u32)>,
    /// Number of events with the query item.
    pub(super) evidence: f32,
}

impl<'a> ItemBehavior<'a> {
    pub(super) fn new(
        id: &str,
        state: &State,
        log: &'a Log,
        model: Option<&'a Model>,
        eligible: &RoaringBitmap,
    ) -> Self {
        let (ids, log_id) = (state.item_ids(log), log.number(id));
        let mut neighbors = HashMap::new();
        if let (Some(model), Some(log_id)) = (model, log_id) {
            for neighbor in model.live().item_knn.neighbors(log_id) {
                let other = ids.internal_id(neighbor.item);
                if let Some(other) = other.filter(|id| eligible.contains(*id)) {
                    neighbors.insert(other, (neighbor.similarity, neighbor.users.max(1)));
                }
            }
        }
        Self {
            log,
            popular: model.map(Model::popular),
            neighbors,
            evidence: log_id.map_or(0.0, |id| log.daily.count(id) as f32),
        }
    }

    /// Returns the item neighbors, most similar first.
    pub(super) fn neighbors(&self) -> Vec<Scored> {
        let neighbors = self.neighbors.iter();
        let scored = neighbors.map(|(item, (similarity, _))| Scored {
            item: *item,
            score: *similarity,
        });
        let mut scored: Vec<_> = scored.collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        scored
    }

    /// Returns the `count` most popular eligible items, or `count` of each target if there are
    /// several.
    pub(super) fn popular(
        &self,
        state: &State,
        eligible: &RoaringBitmap,
        targets: &[RoaringBitmap],
        count: usize,
    ) -> Vec<Scored> {
        let Some(popular) = &self.popular else {
            return Vec::new();
        };
        let ids = state.item_ids(self.log);
        let mut left = vec![count; targets.len().max(1)];
        let mut open = left.len();
        let mut found = Vec::new();
        for scored in popular.order() {
            let internal_id = ids.internal_id(scored.item);
            let Some(item) = internal_id.filter(|id| eligible.contains(*id)) else {
                continue;
            };
            let mut is_needed = false;
            for (index, left) in left.iter_mut().enumerate() {
                let target = targets.get(index);
                if *left > 0 && target.is_none_or(|target| target.contains(item)) {
                    is_needed = true;
                    *left -= 1;
                    open -= usize::from(*left == 0);
                }
            }
            if is_needed {
                let score = scored.score;
                found.push(Scored { item, score });
            }
            if open == 0 {
                break;
            }
        }
        found
    }

    /// Returns the popularity of an item; None without events.
    pub(super) fn popularity(&self, state: &State, internal_id: u32) -> Option<f32> {
        let log_id = state.item_ids(self.log).log_id(internal_id)?;
        self.popular.as_ref()?.score(log_id)
    }
}
