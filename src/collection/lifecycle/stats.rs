//! Statistics of a collection.

use std::collections::BTreeMap;

use vitrine_schemas::{IndexInfo, IndexMemory};

use crate::{collection::Collection, index::SpaceIndex};

/// Maximum number of ids of quarantined items in the statistics.
const MAX_QUARANTINED_IDS: usize = 100;

/// Counts of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Live items, hidden ones included.
    pub items: u64,
    /// Live vectors by space.
    pub vector_counts: BTreeMap<String, u64>,
    /// Stored items that cannot be indexed.
    pub quarantined: u64,
    /// Ids of the first of them.
    pub quarantined_ids: Vec<String>,
    /// Approximate bytes in memory of ids, filters and other columns.
    pub records_bytes: u64,
    /// State of the index by space.
    pub indexes: BTreeMap<String, IndexInfo>,
}

impl Collection {
    /// Counts live items and vectors.
    pub fn stats(&self) -> Stats {
        let state = self.state.read();
        let vector_counts = state.spaces.iter();
        let indexes = state.spaces.iter();
        Stats {
            items: state.live.len(),
            vector_counts: vector_counts
                .map(|(n, s)| (n.clone(), (&state.live & &s.members()).len()))
                .collect(),
            quarantined: state.quarantined.len() as u64,
            quarantined_ids: {
                let ids = state.quarantined.keys().take(MAX_QUARANTINED_IDS);
                ids.cloned().collect()
            },
            records_bytes: state.records_bytes(),
            indexes: indexes
                .map(|(name, space)| {
                    (
                        name.clone(),
                        self.describe(name, state.placement.name(name), space),
                    )
                })
                .collect(),
        }
    }

    fn describe(&self, name: &str, stored_as: &str, space: &SpaceIndex) -> IndexInfo {
        let stats = space.stats();
        let (building, building_bytes) = self.building(stored_as);
        let size = |file: &String| {
            let path = self.store.segments().join(file);
            path.metadata().map_or(0, |m| m.len())
        };
        IndexInfo {
            sealed: stats.sealed,
            unsealed: stats.unsealed,
            segments: stats.segments as u64,
            memory_bytes: stats.memory_bytes() + building_bytes,
            memory: IndexMemory {
                sealed_bytes: stats.sealed_bytes,
                unsealed_bytes: stats.unsealed_bytes,
                growing_bytes: stats.growing_bytes,
                building_bytes,
            },
            mapped_bytes: stats.mapped_bytes,
            file_bytes: space.files().iter().map(size).sum(),
            building,
            unreachable: stats.unreachable,
            recall: self.canary.recall(name),
        }
    }
}
