//! Cold items: random items whose events are hidden from training, as if they were new.

use std::collections::HashMap;

use rand::{SeedableRng, rngs::StdRng, seq::index};
use roaring::RoaringBitmap;
use vitrine::cf::split::Interaction;

/// Items whose events are hidden, and the others.
pub struct ColdItems {
    cold: RoaringBitmap,
    others: RoaringBitmap,
}

/// Cold items with their hidden events.
pub struct HiddenEvents {
    others: RoaringBitmap,
    /// Cold items of each user.
    hidden: HashMap<u32, RoaringBitmap>,
}

impl ColdItems {
    /// Chooses a random share of `items` items, at least one.
    pub fn choose(items: usize, share: f64, seed: u64) -> Self {
        let count = ((items as f64 * share).round() as usize).clamp(1, items);
        let mut rng = StdRng::seed_from_u64(seed);
        let chosen = index::sample(&mut rng, items, count).into_iter();
        let cold: RoaringBitmap = chosen.map(|item| item as u32).collect();
        let all: RoaringBitmap = (0..items as u32).collect();
        Self {
            others: all - &cold,
            cold,
        }
    }

    /// Removes the events with cold items from the training data.
    pub fn hide(self, train: &mut Vec<Interaction>) -> HiddenEvents {
        let mut hidden: HashMap<u32, RoaringBitmap> = HashMap::new();
        train.retain(|i| {
            let is_cold = self.cold.contains(i.item);
            if is_cold {
                hidden.entry(i.user).or_default().insert(i.item);
            }
            !is_cold
        });
        HiddenEvents {
            others: self.others,
            hidden,
        }
    }
}

impl HiddenEvents {
    /// Returns the items that are not ranked for a user: those that are not cold and, if only new
    /// items are relevant, those of their hidden events.
    pub fn unranked(&self, user: u32, new_only: bool) -> RoaringBitmap {
        let hidden = self.hidden.get(&user).filter(|_| new_only);
        match hidden {
            Some(hidden) => &self.others | hidden,
            None => self.others.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_items_is_hidden_by_the_seed() {
        let cold = |share, seed| ColdItems::choose(40, share, seed);
        assert_eq!(cold(0.1, 1).cold.len(), 4);
        assert_eq!(cold(0.1, 1).cold, cold(0.1, 1).cold);
        assert_ne!(cold(0.1, 1).cold, cold(0.1, 2).cold);
        assert_eq!(cold(0.001, 1).cold.len(), 1);
        assert_eq!(cold(0.1, 1).others.len(), 36);
    }
}
