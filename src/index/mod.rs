//! Nearest-neighbour indexes of one vector space, by internal item number.
//!
//! New vectors are in a *tail*: kept as they are and compared one by one. In the background tails are *sealed* into
//! [`SealedIndex`]es, which are faster, smaller and can be stored, and small sealed ones are merged. Until a tail is worth a seal, an HNSW
//! graph ([`GrowingIndex`]) follows behind it. [`SpaceIndex`] owns them all and plans how a search goes through them.
//!
//! Indexes never forget by themselves: an item that was deleted or replaced is kept out of answers by the `allowed`
//! set, until a merge leaves it out. Ids of items, filters and RocksDB do not belong here.

mod allowed;
mod best;
mod flat;
mod growing;
mod maintain;
mod progress;
mod sealed;
mod search;
mod space;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use self::{
    allowed::Allowed,
    growing::GrowingIndex,
    maintain::{Job, Room, Work},
    progress::Progress,
    sealed::{Codes, SealedIndex},
    search::{Plan, Trace},
    space::{SpaceIndex, SpaceStats},
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
