//! Storage: a RocksDB store with versioned records. Nothing outside this folder names RocksDB.

mod batch;
mod checkpoint;
mod clock_guard;
mod codec;
mod consents;
mod directory;
mod erasures;
mod events;
mod expiry;
mod inspection;
mod keys;
mod log_slice;
mod models;
mod privacy;
mod purge;
mod rankers;
mod records;
mod recovery;
mod repair;
mod reserve;
mod rocks;
mod searches;
mod sequence;
mod settings;
mod store;
mod store_health;
mod tuning;

pub(crate) use batch::Batch;
pub(crate) use codec::Manifest;
pub(crate) use codec::ManifestEntry;
pub(crate) use codec::Placement;
pub(crate) use codec::SegmentList;
pub(crate) use codec::StoredReembedding;
pub(crate) use consents::StoredConsent;
pub(crate) use directory::{free_bytes, new_id, remove_folder, write_atomic};
pub(crate) use erasures::StoredErasure;
pub(crate) use keys::{EventRef, Listing, NameHash, SubjectHash, hash_of};
pub(crate) use log_slice::ItemChanges;
pub use log_slice::LogSlice;
pub(crate) use models::ModelList;
pub(crate) use privacy::ReleasedTables;
pub(crate) use purge::PURGE_DELAY;
pub(crate) use rankers::RankerList;
pub(crate) use store::Store;
pub use store_health::StoreHealth;

use serde::{Deserialize, Serialize};

/// Durability of an acknowledged write. The write-ahead log is always on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Synced to disk: survives a power cut.
    Fsync,
    /// Handed to the operating system: survives a crash of the process.
    #[default]
    Os,
}
