//! Vectors by internal id, for those who read many.

use std::sync::Arc;

use super::{SealedSegment, SpaceIndex, unsealed::UnsealedRows};

/// The vectors of a space at one moment, read without a lock.
pub struct Vectors {
    sealed: Vec<Arc<SealedSegment>>,
    unsealed: UnsealedRows,
}

impl Vectors {
    /// Returns the vector of an item; None without one.
    pub fn get(&self, internal_id: u32) -> Option<&[f32]> {
        let mut sealed = self.sealed.iter().rev();
        let sealed = sealed.find_map(|segment| segment.vector(internal_id));
        sealed.or_else(|| self.unsealed.get(internal_id))
    }
}

impl SpaceIndex {
    /// Returns the present vectors.
    pub fn vectors(&self) -> Vectors {
        // Both under the lock: vectors that are sealed in between leave the rows.
        let segments = self.segments.read();
        Vectors {
            sealed: segments.sealed.clone(),
            unsealed: self.unsealed.rows(),
        }
    }

    /// Returns the vector of an item; None without one. [`SpaceIndex::vectors`] reads many faster.
    pub fn vector(&self, internal_id: u32) -> Option<Vec<f32>> {
        Some(self.vectors().get(internal_id)?.to_vec())
    }
}
