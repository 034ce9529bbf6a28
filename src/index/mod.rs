//! Nearest-neighbour indexes of one vector space, by internal item number.
//!
//! [`FlatIndex`] keeps the vectors and searches them one by one: exact, the best there is while few vectors
//! are candidates. [`GrowingIndex`] is an HNSW graph: it looks at a small part of the vectors and finds nearly
//! all of the nearest. [`SealedIndex`] is such a graph that no longer grows: faster, and smaller beside the vectors.
//! [`SpaceIndex`] owns them and plans which ones answer.
//!
//! Indexes never forget: an item that was deleted or replaced stays in them and is kept out of answers by the
//! `allowed` set, until the collection builds a new index without the dead. Ids of items, filters and storage
//! do not belong here.

mod flat;
mod growing;
mod sealed;
mod space;
#[cfg(test)]
mod tests;

use std::time::Instant;

use roaring::RoaringBitmap;

pub use self::{
    flat::FlatIndex,
    growing::GrowingIndex,
    sealed::SealedIndex,
    space::{Plan, SpaceIndex},
};
use crate::{Error, Result};

/// A found vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Internal item number.
    pub id: u32,
    /// Distance from the query.
    pub distance: f32,
}

/// Finds the vectors nearest to a query.
pub trait VectorSearcher: Send + Sync {
    /// Number of vectors, dead ones included.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `k` of the `allowed` vectors, nearest first, equal distances by number, none twice.
    /// `ef` is how widely an approximate index looks.
    fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>>;
}

/// A searcher that takes vectors, also while it is searched.
pub trait VectorIndex: VectorSearcher {
    /// Adds vectors; no number may come twice in an index's life.
    fn insert(&self, batch: &[(u32, &[f32])]);
}

/// The order of answers: by distance, then by number.
fn order(a: &Neighbor, b: &Neighbor) -> std::cmp::Ordering {
    a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id))
}

fn check_deadline(deadline: Option<Instant>) -> Result<()> {
    match deadline {
        Some(d) if Instant::now() >= d => Err(Error::DeadlineExceeded),
        _ => Ok(()),
    }
}
