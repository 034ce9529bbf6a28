//! Item neighborhoods that count events after a training as they arrive.

use std::sync::Arc;

use super::{Log, activity::Touch, log::Arrival};
use crate::cf::{ItemKnn, LiveItemKnn};

/// Maximum number of earlier touches, the latest, that a new one is paired with. A training pairs
/// all, but here a writer waits.
const MAX_EARLIER_TOUCHES: usize = 50;

/// Maximum number of counted pairs of items, about 64 MiB. Later events wait for the next training.
const MAX_PAIRS: usize = 2 << 20;

/// Neighborhoods of a training, updated with later events.
pub(crate) struct Live {
    /// Items touched by the same users.
    pub item_knn: LiveItemKnn,
    /// Items bought together.
    pub baskets: LiveItemKnn,
}

impl Live {
    /// Starts from the trained neighborhoods.
    pub fn new(item_knn: ItemKnn, baskets: ItemKnn) -> Self {
        Self {
            item_knn: LiveItemKnn::new(Arc::new(item_knn)),
            baskets: LiveItemKnn::new(Arc::new(baskets)),
        }
    }

    /// Returns the approximate bytes of the counted pairs.
    pub fn memory(&self) -> usize {
        32 * (self.item_knn.pairs() + self.baskets.pairs())
    }

    /// Counts a row of the log.
    pub fn count(&mut self, log: &Log, row: u64) {
        if self.item_knn.pairs() + self.baskets.pairs() >= MAX_PAIRS {
            return;
        }
        let Some(Arrival { touch, before }) = log.arrival(row, MAX_EARLIER_TOUCHES) else {
            return;
        };
        self.item_knn.grow(log.names().len());
        self.baskets.grow(log.names().len());
        // Both the user and the session count, as in a training.
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

/// Counts an event of positive weight, if the model supports counting.
fn add(model: &mut LiveItemKnn, before: &[(u32, f32)], item: u32, weight: f32) {
    if model.counts_events() && weight > 0.0 {
        let counted = model.add(before, item, weight);
        debug_assert!(counted.is_ok(), "{counted:?}");
    }
}
