//! Bounds on the memory and disk that the collections of a database take together. A write that
//! would exceed one is refused before any part of it is stored; reads and deletes are never
//! refused.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    Error, Result,
    lexical::WriterPool,
    storage::{Store, free_bytes},
};

/// Time after a refusal during which indexes are sealed and merged to save memory.
const SHORTAGE: Duration = Duration::from_secs(30);

/// Limits of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum bytes of memory of all collections: vector indexes and their running builds, ids,
    /// filters, events and the model learned from them; None for no limit.
    pub memory_bytes: Option<u64>,
    /// Maximum bytes of memory of one running merge of segments; segments whose merge would take
    /// more are not merged.
    pub merge_memory_bytes: Option<u64>,
    /// Bytes of disk that writes leave free, for compactions and merges.
    pub disk_reserve_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            memory_bytes: None,
            merge_memory_bytes: None,
            disk_reserve_bytes: 256 << 20,
        }
    }
}

/// Resources in use, and the writes refused for lack of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory that count towards the limit.
    pub memory_bytes: u64,
    /// Bytes of memory used by RocksDB, which are limited by its own settings.
    pub store_memory_bytes: u64,
    /// Bytes of RocksDB's tables on disk, without its write-ahead log.
    pub store_disk_bytes: u64,
    /// Bytes free on the disk of the data directory; None if the system does not report it.
    pub disk_free_bytes: Option<u64>,
    /// Writes refused for lack of memory.
    pub refused_memory: u64,
    /// Writes refused for lack of disk.
    pub refused_disk: u64,
}

/// Memory of a collection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Bytes now.
    pub now: u64,
    /// Bytes once everything is sealed and deleted vectors are dropped.
    pub settled: u64,
}

/// Enforces the bounds.
pub(crate) struct ResourceLimiter {
    bounds: Bounds,
    folder: PathBuf,
    /// True if maintenance seals growing segments in the background.
    seals_in_background: bool,
    memory: Mutex<BTreeMap<u32, Memory>>,
    /// Time of the last write refused for lack of memory.
    short: Mutex<Option<Instant>>,
    refused_memory: AtomicU64,
    refused_disk: AtomicU64,
    writers: Arc<WriterPool>,
}

impl ResourceLimiter {
    /// Returns the limiter of a data directory.
    pub fn new(bounds: Bounds, folder: &Path, seals_in_background: bool) -> Self {
        Self {
            bounds,
            folder: folder.to_path_buf(),
            seals_in_background,
            memory: Mutex::default(),
            short: Mutex::default(),
            refused_memory: AtomicU64::new(0),
            refused_disk: AtomicU64::new(0),
            writers: Arc::default(),
        }
    }

    /// The open writers of full-text indexes.
    pub fn writers(&self) -> &Arc<WriterPool> {
        &self.writers
    }

    /// The data directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bounds.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Records the memory that a collection uses now.
    pub fn report(&self, collection: u32, memory: Memory) {
        self.memory.lock().insert(collection, memory);
    }

    /// Removes a dropped collection.
    pub fn forget(&self, collection: u32) {
        self.memory.lock().remove(&collection);
    }

    /// Returns true if a write was refused for lack of memory recently.
    pub fn is_short(&self) -> bool {
        self.short.lock().is_some_and(|at| at.elapsed() < SHORTAGE)
    }

    /// Returns true if `bytes` more of memory are within the limit.
    pub fn has_memory(&self, bytes: u64) -> bool {
        self.bounds.memory_bytes.is_none_or(|limit| {
            let used = self.memory.lock().values().map(|m| m.now).sum::<u64>();
            used.saturating_add(bytes) <= limit
        })
    }

    /// Returns the resources in use.
    pub fn usage(&self, store: &Store) -> Result<Usage> {
        let sizes = store.sizes()?;
        Ok(Usage {
            memory_bytes: self.memory.lock().values().map(|m| m.now).sum(),
            store_memory_bytes: sizes.memory_bytes,
            store_disk_bytes: sizes.disk_bytes,
            disk_free_bytes: free_bytes(&self.folder),
            refused_memory: self.refused_memory.load(Relaxed),
            refused_disk: self.refused_disk.load(Relaxed),
        })
    }

    /// Refuses a write of `bytes` that would leave less of the disk free than the reserve.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn admit_disk(&self, bytes: u64) -> Result<()> {
        let reserve = self.bounds.disk_reserve_bytes;
        match free_bytes(&self.folder) {
            Some(free) if free < reserve.saturating_add(bytes) => {
                self.refused_disk.fetch_add(1, Relaxed);
                Err(Error::DiskFull {
                    reserve,
                    free,
                    wanted: bytes,
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a write of `wanted` bytes that would exceed the memory limit. `now` is the memory of
    /// its collection, `settled` computes its memory once everything is sealed.
    ///
    /// # Errors
    /// [`Error::MemoryFull`]; [`Error::MemoryFullUntilSealed`] if waiting for a seal is enough.
    pub fn admit_memory(
        &self,
        collection: u32,
        now: u64,
        settled: impl FnOnce() -> u64,
        wanted: u64,
    ) -> Result<()> {
        let Some(limit) = self.bounds.memory_bytes else {
            return Ok(());
        };
        let mut all = self.memory.lock();
        let own = all.entry(collection).or_default();
        own.now = now;
        let used = all.values().map(|m| m.now).sum::<u64>();
        if used.saturating_add(wanted) <= limit {
            return Ok(());
        }
        all.entry(collection).or_default().settled = settled();
        let settled = all.values().map(|m| m.settled).sum::<u64>();
        drop(all);
        *self.short.lock() = Some(Instant::now());
        self.refused_memory.fetch_add(1, Relaxed);
        if self.seals_in_background && settled.saturating_add(wanted) <= limit {
            return Err(Error::MemoryFullUntilSealed {
                limit,
                used,
                settled,
                wanted,
            });
        }
        Err(Error::MemoryFull {
            limit,
            used,
            wanted,
        })
    }
}
