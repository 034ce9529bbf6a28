//! Nearest-neighbor indexes of one vector space, by internal id.
//!
//! New vectors are in a *growing segment*: stored as they are and compared one by one or, from
//! 2,000 on, searched by an HNSW graph ([`GrowingGraph`]) that is built one batch behind. In the
//! background growing segments are *sealed* into [`SealedSegment`]s, which are faster, smaller and
//! can be stored, and small sealed segments are merged. [`SpaceIndex`] owns all of them and plans
//! how a search goes through them.
//!
//! Deletes are tombstones outside the index: the [`CandidateFilter`] keeps deleted and replaced
//! items out of results; merges drop them. Ids of items, filters and RocksDB do not belong here.

mod candidate_filter;
mod growing;
mod maintain;
mod progress;
mod sealed;
mod search;
mod space;
#[cfg(test)]
mod tests;
mod top_k;
mod unsealed;
mod vectors;

use std::time::Instant;

pub use self::{
    candidate_filter::CandidateFilter,
    growing::GrowingGraph,
    maintain::{Job, JobKind, MemoryBudget},
    progress::Progress,
    sealed::{Codes, SealedSegment, SegmentQuery},
    search::{Plan, SearchParams, SearchStats},
    space::{SpaceIndex, SpaceStats},
    vectors::Vectors,
};
use crate::{Error, Result};

/// A vector found by a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Internal id.
    pub id: u32,
    /// Distance from the query.
    pub distance: f32,
}

/// Order of results: by distance, then by internal id.
fn order(a: &Neighbor, b: &Neighbor) -> std::cmp::Ordering {
    a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id))
}

fn check_deadline(deadline: Option<Instant>) -> Result<()> {
    match deadline {
        Some(d) if Instant::now() >= d => Err(Error::DeadlineExceeded),
        _ => Ok(()),
    }
}
