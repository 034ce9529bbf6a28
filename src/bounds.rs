//! Bounds on what the collections of a database take together. A write that would pass one is refused before anything of it is
//! stored; reads and deletes never are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{Error, Result, storage::Store};

/// How long after a refusal the indexes are made as small as can be.
const SHORT: Duration = Duration::from_secs(30);

/// How much a database may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of memory for what collections hold there: vector indexes and the builds of them under way, ids, filters, events
    /// and the model learned from them; None: as much as there is.
    pub memory_bytes: Option<u64>,
    /// Bytes of memory that one merge of index parts may take while it runs; parts stay apart where it would take more.
    pub merge_memory_bytes: Option<u64>,
    /// Bytes of the disk that writes leave free, for RocksDB and the indexes to put themselves in order.
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

/// What is taken, and what was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory that count for the bound.
    pub memory_bytes: u64,
    /// Bytes of memory that RocksDB has for itself, which are bounded by its own settings.
    pub store_memory_bytes: u64,
    /// Bytes of RocksDB's tables on disk; its log is beside them.
    pub store_disk_bytes: u64,
    /// Bytes free on the disk of the data directory; None where the system does not say.
    pub disk_free_bytes: Option<u64>,
    /// Writes refused for memory.
    pub refused_memory: u64,
    /// Writes refused for disk.
    pub refused_disk: u64,
}

/// Memory of a collection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Bytes now.
    pub now: u64,
    /// Bytes once everything is sealed and the dead are left out.
    pub settled: u64,
}

/// Keeps the bounds.
pub(crate) struct Gauge {
    bounds: Bounds,
    folder: PathBuf,
    /// Whether anything seals in the background.
    settles: bool,
    memory: Mutex<BTreeMap<u32, Memory>>,
    /// When a write was refused for memory last.
    short: Mutex<Option<Instant>>,
    refused_memory: AtomicU64,
    refused_disk: AtomicU64,
}

impl Gauge {
    /// Of a data directory.
    pub fn new(bounds: Bounds, folder: &Path, settles: bool) -> Self {
        Self {
            bounds,
            folder: folder.to_path_buf(),
            settles,
            memory: Mutex::default(),
            short: Mutex::default(),
            refused_memory: AtomicU64::new(0),
            refused_disk: AtomicU64::new(0),
        }
    }

    /// The bounds.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Takes what a collection has now.
    pub fn report(&self, collection: u32, memory: Memory) {
        self.memory.lock().insert(collection, memory);
    }

    /// A collection is gone.
    pub fn forget(&self, collection: u32) {
        self.memory.lock().remove(&collection);
    }

    /// Whether a write was refused for memory lately.
    pub fn is_short(&self) -> bool {
        self.short.lock().is_some_and(|at| at.elapsed() < SHORT)
    }

    /// Whether so many bytes of memory more would be in bounds.
    pub fn has_memory(&self, bytes: u64) -> bool {
        self.bounds.memory_bytes.is_none_or(|limit| {
            let used = self.memory.lock().values().map(|m| m.now).sum::<u64>();
            used.saturating_add(bytes) <= limit
        })
    }

    /// What is taken.
    pub fn usage(&self, store: &Store) -> Result<Usage> {
        let sizes = store.sizes()?;
        Ok(Usage {
            memory_bytes: self.memory.lock().values().map(|m| m.now).sum(),
            store_memory_bytes: sizes.memory_bytes,
            store_disk_bytes: sizes.disk_bytes,
            disk_free_bytes: free(&self.folder),
            refused_memory: self.refused_memory.load(Relaxed),
            refused_disk: self.refused_disk.load(Relaxed),
        })
    }

    /// Refuses a write of so many bytes where too little of the disk would be left.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn admit_disk(&self, bytes: u64) -> Result<()> {
        let reserve = self.bounds.disk_reserve_bytes;
        match free(&self.folder) {
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

    /// Refuses a write that would take more memory than there may be. `now` is what its collection has, `settled` tells
    /// what it will have once it is sealed.
    ///
    /// # Errors
    /// [`Error::MemoryFull`]; [`Error::Unsettled`] where it is enough to wait.
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
        if self.settles && settled.saturating_add(wanted) <= limit {
            return Err(Error::Unsettled {
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

/// Bytes free for this process on the disk of a folder.
fn free(folder: &Path) -> Option<u64> {
    match rustix::fs::statvfs(folder) {
        Ok(stat) => Some(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(e) => {
            tracing::debug!(folder = %folder.display(), "free disk is not known: {e}");
            None
        }
    }
}
