//! The database: collections by name, aliases and the event store of one data directory.

mod collection_health;
mod collections;
mod erasures;
mod events;
mod experiments;
mod health;
mod maintainer;
mod privacy;
mod reembedding;
mod replay;
mod searches;
mod suggestions;
mod uploads;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use parking_lot::{Mutex, RwLock};

pub use self::{
    events::StoredEvents,
    health::{Health, StoreHealth, TaskHealth, Verification},
    searches::RecordedSearches,
};
pub use crate::storage::Durability;
use crate::{
    Clock, Collection, Error, Result,
    bounds::{Bounds, ResourceLimiter, Usage},
    collection::check_name,
    database::{health::Failures, maintainer::Maintainer},
    storage::{Manifest, Store},
};

/// Options for opening a data directory.
#[derive(Debug, Clone)]
pub struct Options {
    /// Durability of an acknowledged write.
    pub durability: Durability,
    /// Create the directory if it does not exist.
    pub create: bool,
    /// Threads of a background merge, besides one that seals; 0 leaves both to
    /// [`Database::optimize`].
    pub index_threads: usize,
    /// Limits on memory and disk.
    pub bounds: Bounds,
    /// Repeat a sample of searches exactly, in the background, to measure recall.
    pub canary: bool,
    /// Source of the current time, for anything that expires.
    pub clock: Clock,
    /// Open a copy of another database that is only read: nothing is trained, sealed or removed by
    /// its age, and nothing is saved when it is closed. Sales and suggestions are kept up to date.
    pub replica: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Os,
            create: true,
            // The other half is left to searches.
            index_threads: thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
            bounds: Bounds::default(),
            canary: true,
            clock: Clock::default(),
            replica: false,
        }
    }
}

/// An open data directory.
pub struct Database {
    // The first field, so that it stops before the store is closed.
    maintainer: Mutex<Option<Maintainer>>,
    store: Arc<Store>,
    limiter: Arc<ResourceLimiter>,
    canary: bool,
    replica: bool,
    clock: Clock,
    /// Serializes changes of the manifest; readers take `view` only.
    change: Mutex<()>,
    view: Arc<RwLock<View>>,
    failures: Arc<Failures>,
    events: Mutex<()>,
}

struct View {
    manifest: Manifest,
    open: BTreeMap<String, Arc<Collection>>,
    /// Collections that are not open because of damaged data, with the cause.
    damaged: BTreeMap<String, String>,
}

impl Database {
    /// Opens the directory with its indexes; vectors in no segment are sealed in the background. A
    /// collection whose data is damaged is not opened, see [`Database::health`].
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// use vitrine::{Database, Durability, Options};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let options = Options { durability: Durability::Fsync, ..Options::default() };
    /// let database = Database::open(folder.path(), options.clone())?;
    /// let config = json!({"vectors": {"shared": {"dim": 2}}});
    /// database.create_collection("shop", serde_json::from_value(config)?)?;
    /// database.close()?;
    /// drop(database);
    ///
    /// let again = Database::open(folder.path(), options)?;
    /// assert_eq!(again.collection("shop")?.name(), "shop");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        let store = Arc::new(Store::open(path, options.durability, options.create)?);
        if options.replica {
            store.never_expire();
        }
        let seals = options.index_threads > 0 && !options.replica;
        let limiter = Arc::new(ResourceLimiter::new(options.bounds, path, seals));
        let manifest = store.manifest()?;
        let (mut open, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in &manifest.collections {
            let (store, limiter) = (store.clone(), limiter.clone());
            let (canary, clock) = (options.canary, options.clock.clone());
            match Collection::open(name, entry, store, limiter, canary, clock) {
                Ok(c) => {
                    open.insert(name.clone(), Arc::new(c));
                }
                Err(e) if e.is_damage() => {
                    tracing::error!(collection = name, "not opened, its data is damaged: {e}");
                    damaged.insert(name.clone(), e.to_string());
                }
                Err(e) => return Err(e),
            }
        }
        let view = Arc::new(RwLock::new(View {
            manifest,
            open,
            damaged,
        }));
        let failures = Arc::default();
        let maintainer = match options.replica {
            true => Maintainer::start_for_replica(&view, &failures).map(Some),
            false if seals => {
                let threads = options.index_threads;
                Maintainer::start(&view, &store, &failures, threads).map(Some)
            }
            false => Ok(None),
        };
        let database = Self {
            maintainer: Mutex::new(maintainer.map_err(|e| {
                Error::Storage(format!("cannot start the maintenance threads: {e}"))
            })?),
            store,
            limiter,
            canary: options.canary,
            replica: options.replica,
            clock: options.clock,
            change: Mutex::new(()),
            view,
            failures,
            events: Mutex::new(()),
        };
        database.remove_uploads();
        for collection in database.open_collections() {
            database.collect_garbage(&collection)?;
        }
        Ok(database)
    }

    /// Stops background work, syncs everything to disk and saves state files for a fast start. The
    /// database goes on answering; later writes are durable, but slow down the next start.
    pub fn close(&self) -> Result<()> {
        drop(self.maintainer.lock().take());
        if self.replica {
            return Ok(());
        }
        let open: Vec<_> = self.view.read().open.values().cloned().collect();
        // One failure does not skip the rest: each saves something of its own.
        let searches = all(open.iter().map(|c| c.maintain_searches()));
        let settled = self.store.settle();
        let states = all(open.iter().map(|c| c.save_state()));
        searches.and(settled).and(states)
    }

    /// Returns what the database can and cannot do at the moment.
    pub fn health(&self) -> Health {
        Health {
            store: self.store.health(),
            lost_operations: self.store.lost(),
            damaged: self.view.read().damaged.clone(),
            tasks: self.failures.tasks(),
        }
    }

    /// Returns the id of the database, which never changes.
    pub fn id(&self) -> &str {
        self.store.identity()
    }

    /// Returns the number of write operations of the store. It grows with each write, also of a
    /// database that was copied from this one.
    ///
    /// # Errors
    /// The store is closed after a failure.
    pub fn operations(&self) -> Result<u64> {
        self.store.operations()
    }

    /// Makes a data directory with the content of this one as of a moment, below the data directory
    /// and by hard links, and returns its path. Writes go on. It holds every write that was
    /// acknowledged before the call, and none in part. The caller removes it. The number is that of
    /// the last write operation of the copy.
    ///
    /// # Errors
    /// The store failed, or `name` is taken.
    pub fn checkpoint(&self, name: &str) -> Result<(PathBuf, u64)> {
        check_name("/name", name)?;
        self.store.checkpoint(name, |folder| {
            for collection in self.open_collections() {
                collection.link_texts(folder);
            }
            Ok(())
        })
    }

    /// Reads every block of the store and compares its checksum; returns the number of entries.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first damaged file.
    pub fn verify(&self) -> Result<u64> {
        self.store.verify()
    }

    /// Takes over from an earlier copy of this database what is built in the background, so that
    /// there is no pause without it.
    pub fn inherit(&self, earlier: &Self) {
        for collection in self.open_collections() {
            if let Ok(before) = earlier.collection(collection.name())
                && before.id() == collection.id()
            {
                collection.inherit_suggestions(&before);
            }
        }
    }

    /// Returns the memory and disk in use.
    pub fn usage(&self) -> Result<Usage> {
        self.limiter.usage(&self.store)
    }

    /// Returns the limits.
    pub fn bounds(&self) -> Bounds {
        self.limiter.bounds()
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Syncs all acknowledged writes to disk.
    pub fn flush(&self) -> Result<()> {
        self.store.flush()
    }
}

/// Goes through all results and returns the first failure.
fn all(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    results.fold(Ok(()), Result::and)
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!("clean shutdown failed, the next start will rebuild state: {e}");
        }
    }
}
