//! What happened after a training, counted as it comes.

use std::sync::Arc;

use super::{Log, log::Arrival, person::Touch};
use crate::cf::{ItemKnn, LiveItemKnn};

/// Touches of a person that a new one is counted with, the latest: in a training these are all, but here a writer waits.
const BEFORE: usize = 50;

/// Pairs of items counted at most, about 64 MiB. What comes when they are reached waits for the next training.
const MOST_PAIRS: usize = 2 << 20;

/// Neighbourhoods of a training with what happened since.
pub(crate) struct Live {
    /// Items that the same people touched.
    pub item_knn: LiveItemKnn,
    /// Items bought together.
    pub baskets: LiveItemKnn,
}

impl Live {
    /// As they were learned.
    pub fn new(item_knn: ItemKnn, baskets: ItemKnn) -> Self {
        Self {
            item_knn: LiveItemKnn::new(Arc::new(item_knn)),
            baskets: LiveItemKnn::new(Arc::new(baskets)),
        }
    }

    /// Bytes of what was counted, about.
    pub fn memory(&self) -> usize {
        32 * (self.item_knn.pairs() + self.baskets.pairs())
    }

    /// Counts a row of the log.
    pub fn count(&mut self, log: &Log, row: u64) {
        if self.item_knn.pairs() + self.baskets.pairs() >= MOST_PAIRS {
            return;
        }
        let Some(Arrival { touch, before }) = log.arrival(row, BEFORE) else {
            return;
        };
        self.item_knn.grow(log.names().len());
        self.baskets.grow(log.names().len());
        // A visit tells once more what goes with what, as in a training.
        for before in &before {
            let before: Vec<_> = before.iter().map(|t| (t.item, t.weight)).collect();
            add(&mut self.item_knn, &before, touch.item, touch.weight);
        }
        if let (true, Some(before)) = (touch.bought, before.first()) {
            let same = |t: &&Touch| t.bought && t.basket() == touch.basket();
            let before: Vec<_> = before.iter().filter(same).map(|t| (t.item, 1.0)).collect();
            add(&mut self.baskets, &before, touch.item, 1.0);
        }
    }
}

/// Counts an event where the model can, and where it says anything.
fn add(model: &mut LiveItemKnn, before: &[(u32, f32)], item: u32, weight: f32) {
    if model.counts() && weight > 0.0 {
        let counted = model.add(before, item, weight);
        debug_assert!(counted.is_ok(), "{counted:?}");
    }
}
