//! What a collection takes in memory, by what it is for.

use std::{collections::BTreeMap, sync::Arc};

use vitrine_schemas::Item;

use super::{Collection, State, space_set::Vectors};
use crate::{bounds::Memory, index::SpaceIndex};

/// Bytes of an item beside its id and its values: places in two maps and a few bits.
const ITEM: u64 = 150;

/// Bytes of a value that an item has.
const VALUE: u64 = 4;

impl State {
    /// Bytes of ids, filters and the like, about.
    pub(super) fn records_bytes(&self) -> u64 {
        self.live.len() * ITEM + 2 * self.id_bytes + self.payload.bytes()
    }

    /// Bytes in memory of items and their indexes.
    fn bytes(&self) -> u64 {
        let spaces = self.every_space();
        self.records_bytes() + spaces.map(|s| s.stats().memory_bytes()).sum::<u64>()
    }

    /// The same once everything is sealed and the dead are left out, by merges that may take so many bytes of memory.
    fn settled_bytes(&self, merge: Option<u64>) -> u64 {
        let settled = |space: &Arc<SpaceIndex>| {
            space.settled_bytes(&(space.members() - &self.live), merge_room(space, merge))
        };
        self.records_bytes() + self.every_space().map(settled).sum::<u64>()
    }
}

/// Bytes that an item with its vectors will take, until it is sealed.
pub(super) fn wanted_bytes(
    item: &Item,
    vectors: &Vectors,
    indexes: &BTreeMap<String, Arc<SpaceIndex>>,
) -> u64 {
    let values = item.attributes.len() as u64 + 6;
    let record = ITEM + 2 * item.id.len() as u64 + VALUE * values;
    let spaces = vectors.keys().filter_map(|name| indexes.get(name));
    record + spaces.map(|s| s.unsealed_vector_bytes()).sum::<u64>()
}

/// Vectors that a merge of so many bytes may have.
pub(super) fn merge_room(space: &SpaceIndex, bytes: Option<u64>) -> u64 {
    bytes.map_or(u64::MAX, |bytes| bytes / space.build_vector_bytes())
}

impl Collection {
    /// Bytes in memory: items, indexes, events and the model learned from them, and what builds under way take.
    pub(super) fn bytes(&self) -> u64 {
        let builds: u64 = self.builds.read().iter().map(|b| b.bytes).sum();
        self.state.read().bytes() + self.behaviour.bytes() + self.kinds.bytes() + builds
    }

    /// The same once no more is to be sealed or merged.
    pub(super) fn settled_bytes(&self) -> u64 {
        let merge = self.gauge.bounds().merge_memory_bytes;
        let beside = self.behaviour.bytes() + self.kinds.bytes();
        self.state.read().settled_bytes(merge) + beside
    }

    /// Tells the gauge what the collection takes now.
    pub(super) fn report(&self) {
        let memory = Memory {
            now: self.bytes(),
            settled: self.settled_bytes(),
        };
        self.gauge.report(self.id, memory);
    }
}
