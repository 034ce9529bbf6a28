//! Memory of a collection, by purpose.

use std::{collections::BTreeMap, sync::Arc};

use vitrine_schemas::{CollectionConfig, Item};

use crate::{
    bounds::Memory,
    collection::{Collection, State, state::space_set::Vectors},
    index::SpaceIndex,
    payload,
};

/// Bytes of an item besides its id and its values: entries of two maps and a few bits.
const ITEM_BYTES: u64 = 150;

impl State {
    /// Returns the approximate bytes of ids, filters and other columns.
    pub(in crate::collection) fn records_bytes(&self) -> u64 {
        self.live.len() * ITEM_BYTES
            + 2 * self.id_bytes
            + self.payload.bytes()
            + self.filters.bytes()
    }

    /// Returns the bytes in memory of items and their indexes.
    fn bytes(&self) -> u64 {
        let spaces = self.every_space();
        self.records_bytes() + spaces.map(|s| s.stats().memory_bytes()).sum::<u64>()
    }

    /// Returns these bytes once everything is sealed and deleted vectors are dropped, by merges of
    /// at most `merge` bytes.
    fn settled_bytes(&self, merge: Option<u64>) -> u64 {
        let settled = |space: &Arc<SpaceIndex>| {
            space.settled_bytes(&(space.members() - &self.live), merge_room(space, merge))
        };
        self.records_bytes() + self.every_space().map(settled).sum::<u64>()
    }
}

/// Returns the bytes of the ids and filterable values of an item, as if no other item had them.
pub(in crate::collection) fn record_bytes(config: &CollectionConfig, item: &Item) -> u64 {
    ITEM_BYTES + 2 * item.id.len() as u64 + payload::column_bytes(config, item)
}

/// Returns the bytes of an item with its vectors before they are sealed.
pub(in crate::collection) fn wanted_bytes(
    item: &Item,
    vectors: &Vectors,
    config: &CollectionConfig,
    indexes: &BTreeMap<String, Arc<SpaceIndex>>,
) -> u64 {
    let record = record_bytes(config, item);
    let spaces = vectors.keys().filter_map(|name| indexes.get(name));
    record + spaces.map(|s| s.unsealed_vector_bytes()).sum::<u64>()
}

/// Returns the maximum number of vectors of a merge of `bytes`.
pub(in crate::collection) fn merge_room(space: &SpaceIndex, bytes: Option<u64>) -> u64 {
    bytes.map_or(u64::MAX, |bytes| bytes / space.build_vector_bytes())
}

impl Collection {
    /// Returns the bytes in memory: items, indexes, events, the models learned from them, running
    /// builds.
    pub(in crate::collection) fn bytes(&self) -> u64 {
        let builds: u64 = self.builds.read().iter().map(|b| b.bytes).sum();
        self.state.read().bytes() + self.learned_bytes() + builds
    }

    /// Returns these bytes once nothing is left to seal or merge.
    pub(in crate::collection) fn settled_bytes(&self) -> u64 {
        let merge = self.limiter.bounds().merge_memory_bytes;
        self.state.read().settled_bytes(merge) + self.learned_bytes()
    }

    /// Returns the bytes of events, models, statistics, the ranker, settings and pending texts.
    fn learned_bytes(&self) -> u64 {
        self.behavior.bytes()
            + self.category_stats.bytes()
            + self.cold_items.bytes()
            + self.rankers.bytes()
            + self.suggestions.bytes()
            + self.settings.now().bytes()
            + self.lexical.memory_bytes()
    }

    /// Reports the memory of the collection to the limiter.
    pub(in crate::collection) fn report(&self) {
        let memory = Memory {
            now: self.bytes(),
            settled: self.settled_bytes(),
        };
        self.limiter.report(self.id, memory);
    }
}
