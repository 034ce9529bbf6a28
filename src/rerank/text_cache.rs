//! Cache of the analyzed texts of items. The texts of an internal id never change, so an entry is
//! never stale.

use std::{collections::HashMap, mem::take, sync::Arc};

use parking_lot::RwLock;

use super::ItemText;

/// Bytes of a generation; there are at most two.
const GENERATION_BYTES: usize = 32 << 20;

/// Analyzed texts by internal id, in two generations: the older one is dropped when the younger one
/// is full, without the items that were used since.
#[derive(Default)]
pub(crate) struct TextCache(RwLock<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<u32, Arc<ItemText>>,
    old: HashMap<u32, Arc<ItemText>>,
    young_bytes: usize,
    old_bytes: usize,
}

impl TextCache {
    /// Returns the texts of these items, None for those that are not in the cache.
    pub fn get(&self, internal_ids: &[u32]) -> Vec<Option<Arc<ItemText>>> {
        let (texts, aged): (Vec<_>, bool) = {
            let cache = self.0.read();
            let find = |id: &u32| cache.young.get(id).or_else(|| cache.old.get(id)).cloned();
            let is_aged = |id: &u32| !cache.young.contains_key(id) && cache.old.contains_key(id);
            (
                internal_ids.iter().map(find).collect(),
                internal_ids.iter().any(is_aged),
            )
        };
        if aged {
            let mut cache = self.0.write();
            for id in internal_ids {
                if let Some(text) = cache.old.remove(id) {
                    let bytes = text.bytes();
                    cache.old_bytes = cache.old_bytes.saturating_sub(bytes);
                    cache.insert(*id, text);
                }
            }
        }
        texts
    }

    /// Adds the texts of an item.
    pub fn insert(&self, internal_id: u32, text: Arc<ItemText>) {
        self.0.write().insert(internal_id, text);
    }

    /// Returns the approximate memory, in bytes.
    pub fn bytes(&self) -> u64 {
        let cache = self.0.read();
        (cache.young_bytes + cache.old_bytes) as u64
    }
}

impl Generations {
    fn insert(&mut self, internal_id: u32, text: Arc<ItemText>) {
        let bytes = text.bytes();
        if self.young.insert(internal_id, text).is_some() {
            return;
        }
        self.young_bytes += bytes;
        if self.young_bytes > GENERATION_BYTES {
            self.old = take(&mut self.young);
            self.old_bytes = take(&mut self.young_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_recent_items_stay() {
        let cache = TextCache::default();
        let text = Arc::new(ItemText {
            description: vec![0; 1 << 18],
            ..ItemText::default()
        });
        for id in 0..200 {
            cache.insert(id, text.clone());
            cache.get(&[0]);
        }
        assert!(cache.bytes() as usize <= 2 * GENERATION_BYTES + text.bytes());
        assert!(cache.get(&[0, 199]).iter().all(Option::is_some));
        assert!(cache.get(&[1]) == [None]);
    }
}
