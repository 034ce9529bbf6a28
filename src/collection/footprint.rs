//! What a collection takes in memory, by what it is for.

use vitrine_schemas::Item;

use super::{Collection, State};
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

    /// Bytes in memory of everything, graphs being built aside.
    pub(super) fn bytes(&self) -> u64 {
        let spaces = self.spaces.values();
        self.records_bytes() + spaces.map(|s| s.stats().memory_bytes()).sum::<u64>()
    }

    /// The same once everything is sealed and the dead are left out.
    pub(super) fn settled_bytes(&self) -> u64 {
        let settled = |space: &std::sync::Arc<SpaceIndex>| {
            let members = space.members();
            let dead = members.len() - members.intersection_len(&self.live);
            space.settled_bytes(dead)
        };
        self.records_bytes() + self.spaces.values().map(settled).sum::<u64>()
    }

    /// Bytes that an item with its vectors will take, until it is sealed.
    pub(super) fn wanted(&self, item: &Item) -> u64 {
        let values = item.attributes.len() as u64 + 6;
        let record = ITEM + 2 * item.id.len() as u64 + VALUE * values;
        let spaces = item.vectors.keys().filter_map(|s| self.spaces.get(s));
        record + spaces.map(|s| s.unsealed_vector_bytes()).sum::<u64>()
    }
}

impl Collection {
    /// Tells the gauge what the collection takes now.
    pub(super) fn report(&self) {
        let state = self.state.read();
        let memory = Memory {
            now: state.bytes(),
            settled: state.settled_bytes(),
        };
        drop(state);
        self.gauge.report(self.id, memory);
    }
}
