//! Counts of live things.

use std::collections::BTreeMap;

use vitrine_schemas::IndexInfo;

use super::Collection;

/// Counts of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Live items, hidden ones included.
    pub items: u64,
    /// Live vectors by space.
    pub vector_counts: BTreeMap<String, u64>,
    /// State of the index by space.
    pub indexes: BTreeMap<String, IndexInfo>,
}

impl Collection {
    /// Counts live items and vectors.
    pub fn stats(&self) -> Stats {
        let state = self.state.read();
        let vector_counts = state.spaces.iter();
        let indexes = state.spaces.iter().map(|(name, space)| {
            let stats = space.stats();
            let info = IndexInfo {
                sealed: stats.sealed,
                unsealed: stats.unsealed,
                parts: stats.parts as u64,
                memory_bytes: stats.memory_bytes,
                mapped_bytes: stats.mapped_bytes,
                building: self.building(name),
            };
            (name.clone(), info)
        });
        Stats {
            items: state.live.len(),
            vector_counts: vector_counts
                .map(|(n, s)| (n.clone(), (&state.live & &s.members()).len()))
                .collect(),
            indexes: indexes.collect(),
        }
    }
}
