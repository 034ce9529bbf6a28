//! Storage: a RocksDB store with versioned records. Nothing outside this folder names RocksDB.

mod codec;
mod events;
mod keys;
mod models;
mod rankers;
mod rocks;
mod searches;
mod settings;

pub(crate) use codec::Manifest;
pub(crate) use codec::ManifestEntry;
pub(crate) use codec::Placement;
pub(crate) use codec::SegmentList;
pub(crate) use codec::StoredReembedding;
pub(crate) use keys::{EventRef, Listing};
pub(crate) use models::ModelList;
pub(crate) use rankers::RankerList;
pub(crate) use rocks::{Batch, Store, write_atomic};

/// Durability of an acknowledged write. The write-ahead log is always on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Synced to disk: survives a power cut.
    Fsync,
    /// Handed to the operating system: survives a crash of the process.
    #[default]
    Os,
}
