//! Counts of live things.

use std::collections::BTreeMap;

use super::Collection;

/// Counts of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Live items, hidden ones included.
    pub items: u64,
    /// Live vectors by space.
    pub vector_counts: BTreeMap<String, u64>,
}

impl Collection {
    /// Counts live items and vectors.
    pub fn stats(&self) -> Stats {
        let state = self.state.read();
        let vector_counts = state.spaces.iter();
        Stats {
            items: state.live.len(),
            vector_counts: vector_counts
                .map(|(n, s)| (n.clone(), (&state.live & &s.members()).len()))
                .collect(),
        }
    }
}
