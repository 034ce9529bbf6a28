//! The database: collections by name, aliases and the event store of one data directory.

mod collection_health;
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
use vitrine_schemas::{
    AliasAction, CollectionConfig, CollectionInfo, CollectionPatch, Event, EventResult, FeedConfig,
};

pub use self::{
    events::StoredEvents,
    health::{Health, StoreHealth, TaskHealth, Verification},
    searches::RecordedSearches,
};
pub use crate::storage::Durability;
use crate::{
    Clock, Collection, Error, Result,
    bounds::{Bounds, ResourceLimiter, Usage},
    collection::{check_config, check_name},
    database::{health::Failures, maintainer::Maintainer},
    index::JobKind,
    storage::{Batch, Manifest, ManifestEntry, Store},
};

/// Approximate bytes of disk of one event.
const EVENT_BYTES: u64 = 1_000;

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

    /// Creates a collection; creating it again with the same configuration succeeds.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// # use vitrine::{Database, Options};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let database = Database::open(folder.path(), Options::default())?;
    /// let config = serde_json::from_value(json!({
    ///     "attributes": {"color": "keyword", "stock": "integer"},
    ///     "vectors": {"shared": {"dim": 384, "metric": "cosine"}},
    /// }))?;
    /// let shop = database.create_collection("shop", config)?;
    /// assert_eq!(shop.config().vectors["shared"].dim, 384);
    ///
    /// let error = database.create_collection("my shop", Default::default()).err();
    /// assert_eq!(error.map(|e| e.code()), Some("invalid_argument"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_collection(
        &self,
        name: &str,
        mut config: CollectionConfig,
    ) -> Result<Arc<Collection>> {
        config.expand_preset();
        check_name("/name", name)?;
        check_config(&config)?;
        let _change = self.change.lock();
        let mut manifest = self.view.read().manifest.clone();
        if let Some(entry) = manifest.collections.get(name)
            && entry.config == config
        {
            return self.collection(name);
        }
        if manifest.collections.contains_key(name) || manifest.aliases.contains_key(name) {
            return Err(Error::AlreadyExists(name.into()));
        }
        let id = manifest.next_id;
        manifest.next_id = id
            .checked_add(1)
            .ok_or_else(|| Error::Storage("collection ids exhausted".into()))?;
        let entry = ManifestEntry::new(id, config);
        let (store, limiter) = (self.store.clone(), self.limiter.clone());
        let (canary, clock) = (self.canary, self.clock.clone());
        let made = Collection::open(name, &entry, store, limiter, canary, clock)?;
        let made = Arc::new(made);
        manifest.collections.insert(name.into(), entry);
        self.save(&manifest, Batch::default())?;
        let mut view = self.view.write();
        view.manifest = manifest;
        view.open.insert(name.into(), made.clone());
        Ok(made)
    }

    /// Adds attributes and spaces; retyping is refused.
    pub fn patch_collection(&self, name: &str, patch: CollectionPatch) -> Result<Arc<Collection>> {
        let _change = self.change.lock();
        let collection = self.collection(name)?;
        let mut manifest = self.view.read().manifest.clone();
        let entry = manifest.entry(&collection)?;
        entry.config.preset = patch.preset;
        entry.config.expand_preset();
        for (n, kind) in patch.attributes {
            if *entry.config.attributes.entry(n.clone()).or_insert(kind) != kind {
                return Err(Error::invalid(
                    format!("/attributes/{n}"),
                    "is already declared with another type; add a new attribute",
                ));
            }
        }
        for (n, space) in patch.vectors {
            let is_new = !entry.config.vectors.contains_key(&n);
            if let Some(stored) = entry.reembedding.as_mut().filter(|_| is_new)
                && stored
                    .config
                    .vectors
                    .insert(n.clone(), space.clone())
                    .is_some()
            {
                return Err(Error::invalid(
                    format!("/vectors/{n}"),
                    "belongs to the re-embedding under way; end that first",
                ));
            }
            if *entry
                .config
                .vectors
                .entry(n.clone())
                .or_insert_with(|| space.clone())
                != space
            {
                return Err(Error::invalid(
                    format!("/vectors/{n}"),
                    "is already declared with different settings; add a new space",
                ));
            }
        }
        if let Some(changes) = patch.behavior {
            changes.apply(&mut entry.config.behavior);
        }
        if let Some(embed) = patch.embed {
            entry.config.embed = embed;
        }
        if let Some(search_log) = patch.search_log {
            entry.config.search_log = search_log;
        }
        if let Some(suggest) = patch.suggest {
            entry.config.suggest = suggest;
        }
        if let Some(feed) = patch.feed {
            entry.config.feed = Some(feed).filter(|feed| *feed != FeedConfig::default());
        }
        if let Some(consent) = patch.consent {
            entry.config.consent = consent;
        }
        if let Some(anonymity) = patch.anonymity {
            entry.config.anonymity = anonymity;
        }
        check_config(&entry.config)?;
        if let Some(stored) = &mut entry.reembedding {
            stored
                .config
                .attributes
                .clone_from(&entry.config.attributes);
            stored.config.behavior.clone_from(&entry.config.behavior);
            stored.config.embed = entry.config.embed;
            stored.config.search_log = entry.config.search_log.clone();
            stored.config.suggest = entry.config.suggest.clone();
            stored.config.feed = entry.config.feed.clone();
            stored.config.consent = entry.config.consent.clone();
            stored.config.anonymity = entry.config.anonymity.clone();
        }
        let entry = entry.clone();
        self.save(&manifest, Batch::default())?;
        collection.grow(&entry);
        self.view.write().manifest = manifest;
        Ok(collection)
    }

    /// Returns a collection by name or alias.
    pub fn collection(&self, name_or_alias: &str) -> Result<Arc<Collection>> {
        let view = self.view.read();
        let name = view
            .manifest
            .aliases
            .get(name_or_alias)
            .map_or(name_or_alias, String::as_str);
        if let Some(open) = view.open.get(name) {
            return Ok(open.clone());
        }
        Err(match view.damaged.get(name) {
            Some(detail) => Error::CollectionDamaged {
                name: name.into(),
                detail: detail.clone(),
            },
            None => Error::CollectionNotFound(name_or_alias.into()),
        })
    }

    /// Returns the state of a collection.
    pub fn info(&self, name_or_alias: &str) -> Result<CollectionInfo> {
        Ok(self.describe(&*self.collection(name_or_alias)?))
    }

    /// Seals and merges the indexes of a collection until each is one segment without deleted
    /// vectors; returns its state.
    pub fn optimize(&self, name_or_alias: &str) -> Result<CollectionInfo> {
        let collection = self.collection(name_or_alias)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        while collection.maintain(JobKind::All, threads)? {}
        Ok(self.describe(&collection))
    }

    /// Returns the state of all collections.
    pub fn collections(&self) -> Vec<CollectionInfo> {
        let open: Vec<_> = self.view.read().open.values().cloned().collect();
        open.iter().map(|c| self.describe(c)).collect()
    }

    fn describe(&self, c: &Collection) -> CollectionInfo {
        let stats = c.stats();
        let aliases = self
            .aliases()
            .into_iter()
            .filter(|(_, n)| n == c.name())
            .map(|(a, _)| a)
            .collect();
        CollectionInfo {
            name: c.name().into(),
            config: (*c.config()).clone(),
            items: stats.items,
            quarantined: stats.quarantined,
            quarantined_ids: stats.quarantined_ids,
            vector_counts: stats.vector_counts,
            records_bytes: stats.records_bytes,
            indexes: stats.indexes,
            events: c.behavior_info(),
            searches: c.search_log_info(),
            embedding: c.embedding_info(),
            reembedding: c.reembedding(),
            aliases,
        }
    }

    /// Drops a collection by its real name, with its aliases.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        let _change = self.change.lock();
        // No event is stored once the collection is dropped.
        let _events = self.events.lock();
        let mut manifest = self.view.read().manifest.clone();
        let missing = || Error::CollectionNotFound(name.into());
        let entry = manifest.collections.remove(name).ok_or_else(missing)?;
        manifest.aliases.retain(|_, n| n != name);
        let forget = || {
            let mut batch = Batch::default();
            batch.delete_collection(entry.id);
            self.save(&manifest, batch)
        };
        let collection = self.view.read().open.get(name).cloned();
        match collection {
            Some(collection) => collection.close(forget)?,
            None => {
                forget()?;
                Collection::remove_derived_files(&self.store, entry.id);
            }
        }
        let mut view = self.view.write();
        view.open.remove(name);
        view.damaged.remove(name);
        view.manifest = manifest;
        Ok(())
    }

    /// Returns the collection of each alias.
    pub fn aliases(&self) -> BTreeMap<String, String> {
        self.view.read().manifest.aliases.clone()
    }

    /// Applies all actions atomically.
    pub fn apply_aliases(&self, actions: &[AliasAction]) -> Result<BTreeMap<String, String>> {
        let _change = self.change.lock();
        let mut manifest = self.view.read().manifest.clone();
        for (i, action) in actions.iter().enumerate() {
            match action {
                AliasAction::Set { alias, collection } => {
                    check_name(&format!("/actions/{i}/alias"), alias)?;
                    if manifest.collections.contains_key(alias) {
                        return Err(Error::AlreadyExists(alias.clone()));
                    }
                    if !manifest.collections.contains_key(collection) {
                        return Err(Error::CollectionNotFound(collection.clone()));
                    }
                    manifest.aliases.insert(alias.clone(), collection.clone());
                }
                AliasAction::Remove { alias } => {
                    manifest.aliases.remove(alias).ok_or_else(|| {
                        Error::invalid(format!("/actions/{i}/alias"), format!("no alias `{alias}`"))
                    })?;
                }
            }
        }
        self.save(&manifest, Batch::default())?;
        let aliases = manifest.aliases.clone();
        self.view.write().manifest = manifest;
        Ok(aliases)
    }

    /// Stores events; returns one result per event.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// # use vitrine::{Database, Options};
    /// use vitrine::schemas::EventStatus;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let database = Database::open(folder.path(), Options::default())?;
    /// # let config = json!({"vectors": {"shared": {"dim": 2}}});
    /// # database.create_collection("shop", serde_json::from_value(config)?)?;
    /// let events = serde_json::from_value::<Vec<_>>(json!([
    ///     {"kind": "view", "collection": "shop", "user": "u1", "items": ["a"]},
    ///     {"kind": "view", "collection": "shop", "items": ["a"]},
    /// ]))?;
    /// let results = database.append_events(&events)?;
    /// assert_eq!(results[0].status, EventStatus::UnknownItems);
    /// assert_eq!(results[1].status, EventStatus::Rejected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_events(&self, events: &[Event]) -> Result<Vec<EventResult>> {
        self.limiter.admit_disk(EVENT_BYTES * events.len() as u64)?;
        let _one = self.events.lock();
        events::append(&self.store, events, |name| self.collection(name).ok())
    }

    /// Returns all collections, in the order of their names.
    pub fn open_collections(&self) -> Vec<Arc<Collection>> {
        self.view.read().open.values().cloned().collect()
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Syncs all acknowledged writes to disk.
    pub fn flush(&self) -> Result<()> {
        self.store.flush()
    }

    fn save(&self, manifest: &Manifest, mut batch: Batch) -> Result<()> {
        batch.put_manifest(manifest)?;
        self.store.write(batch)
    }
}

/// Goes through all results and returns the first failure.
fn all(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    results.fold(Ok(()), Result::and)
}

impl Manifest {
    /// Returns the entry of an open collection.
    fn entry(&mut self, collection: &Collection) -> Result<&mut ManifestEntry> {
        let name = collection.name();
        let entry = self.collections.get_mut(name);
        entry.ok_or_else(|| Error::CollectionNotFound(name.into()))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!("clean shutdown failed, the next start will rebuild state: {e}");
        }
    }
}
