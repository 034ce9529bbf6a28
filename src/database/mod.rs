//! The database: collections by name, aliases and the event store of one data directory.

mod maintainer;
mod reembedding;

use std::{collections::BTreeMap, path::Path, sync::Arc, thread};

use parking_lot::{Mutex, RwLock};
use vitrine_schemas::{
    AliasAction, CollectionConfig, CollectionInfo, CollectionPatch, EraseResponse, Event,
    EventResult,
};

use self::maintainer::Maintainer;
pub use crate::storage::Durability;
use crate::{
    Clock, Collection, Error, Result,
    bounds::{Bounds, Gauge, Usage},
    collection::{check_config, check_name},
    events::{self, Who},
    index::Work,
    storage::{Batch, Manifest, ManifestEntry, Store},
};

/// Bytes of the disk that an event takes, about.
const EVENT_BYTES: u64 = 1_000;

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// When a write counts as done.
    pub durability: Durability,
    /// Make the directory where it is missing.
    pub create: bool,
    /// Threads that a merge of indexes in the background uses, beside one that seals; 0: only [`Database::optimize`] does either.
    pub index_threads: usize,
    /// How much memory and disk it may take.
    pub bounds: Bounds,
    /// Do a few searches again exactly, in the background, to measure recall.
    pub canary: bool,
    /// What time it is for what holds for a while only.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Os,
            create: true,
            // Half of them are left to searches.
            index_threads: thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2)),
            bounds: Bounds::default(),
            canary: true,
            clock: Clock::default(),
        }
    }
}

/// An open data directory.
pub struct Database {
    // First, so that it ends before the store is closed.
    maintainer: Mutex<Option<Maintainer>>,
    store: Arc<Store>,
    gauge: Arc<Gauge>,
    canary: bool,
    clock: Clock,
    /// Serialises changes of the manifest; readers take `view` only.
    change: Mutex<()>,
    view: Arc<RwLock<View>>,
    events: Mutex<()>,
}

struct View {
    manifest: Manifest,
    open: BTreeMap<String, Arc<Collection>>,
}

impl Database {
    /// Opens the directory with its indexes; what was not sealed is sealed in the background.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        let store = Arc::new(Store::open(path, options.durability, options.create)?);
        let seals = options.index_threads > 0;
        let gauge = Arc::new(Gauge::new(options.bounds, path, seals));
        let manifest = store.manifest()?;
        let mut open = BTreeMap::new();
        for (name, entry) in &manifest.collections {
            let (store, gauge) = (store.clone(), gauge.clone());
            let (canary, clock) = (options.canary, options.clock.clone());
            let c = Collection::open(name, entry, store, gauge, canary, clock)?;
            open.insert(name.clone(), Arc::new(c));
        }
        let view = Arc::new(RwLock::new(View { manifest, open }));
        let maintainer = seals
            .then(|| Maintainer::start(&view, options.index_threads))
            .transpose();
        let database = Self {
            maintainer: Mutex::new(
                maintainer.map_err(|e| Error::Storage(format!("no thread: {e}")))?,
            ),
            store,
            gauge,
            canary: options.canary,
            clock: options.clock,
            change: Mutex::new(()),
            view,
            events: Mutex::new(()),
        };
        for collection in database.open_collections() {
            database.collect_garbage(&collection)?;
        }
        Ok(database)
    }

    /// Ends the work in the background, brings everything to disk and keeps what makes the next start fast. It goes on
    /// answering; what is written after counts, but has to be read again at the start.
    pub fn close(&self) -> Result<()> {
        drop(self.maintainer.lock().take());
        self.store.flush()?;
        let open: Vec<_> = self.view.read().open.values().cloned().collect();
        open.iter().try_for_each(|c| c.save_state())
    }

    /// What it takes of memory and disk.
    pub fn usage(&self) -> Result<Usage> {
        self.gauge.usage(&self.store)
    }

    /// What it may take.
    pub fn bounds(&self) -> Bounds {
        self.gauge.bounds()
    }

    /// Creates a collection; the same again is no error.
    pub fn create_collection(
        &self,
        name: &str,
        config: CollectionConfig,
    ) -> Result<Arc<Collection>> {
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
            .ok_or_else(|| Error::Storage("collection numbers are used up".into()))?;
        let entry = ManifestEntry::new(id, config);
        let (store, gauge) = (self.store.clone(), self.gauge.clone());
        let (canary, clock) = (self.canary, self.clock.clone());
        let made = Collection::open(name, &entry, store, gauge, canary, clock)?;
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
        for (n, kind) in patch.attributes {
            if *entry.config.attributes.entry(n.clone()).or_insert(kind) != kind {
                return Err(Error::invalid(
                    format!("/attributes/{n}"),
                    "has another type; add a new attribute",
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
                    "is a space of the re-embedding under way; end that first",
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
                    "is declared otherwise; add a new space",
                ));
            }
        }
        if let Some(changes) = patch.behavior {
            changes.apply(&mut entry.config.behavior);
        }
        check_config(&entry.config)?;
        if let Some(stored) = &mut entry.reembedding {
            stored
                .config
                .attributes
                .clone_from(&entry.config.attributes);
            stored.config.behavior.clone_from(&entry.config.behavior);
        }
        let entry = entry.clone();
        self.save(&manifest, Batch::default())?;
        collection.grow(&entry);
        self.view.write().manifest = manifest;
        Ok(collection)
    }

    /// A collection by name or alias.
    pub fn collection(&self, name_or_alias: &str) -> Result<Arc<Collection>> {
        let view = self.view.read();
        let name = view
            .manifest
            .aliases
            .get(name_or_alias)
            .map_or(name_or_alias, String::as_str);
        view.open
            .get(name)
            .cloned()
            .ok_or_else(|| Error::CollectionNotFound(name_or_alias.into()))
    }

    /// State of a collection.
    pub fn info(&self, name_or_alias: &str) -> Result<CollectionInfo> {
        Ok(self.describe(&*self.collection(name_or_alias)?))
    }

    /// Seals and merges the indexes of a collection until each is one part with nothing dead in it, and gives its state.
    pub fn optimize(&self, name_or_alias: &str) -> Result<CollectionInfo> {
        let collection = self.collection(name_or_alias)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        while collection.maintain(Work::All, threads)? {}
        Ok(self.describe(&collection))
    }

    /// State of all collections.
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
            vector_counts: stats.vector_counts,
            records_bytes: stats.records_bytes,
            indexes: stats.indexes,
            events: c.behaviour_info(),
            reembedding: c.reembedding(),
            aliases,
        }
    }

    /// Drops a collection by its real name, with its aliases.
    pub fn drop_collection(&self, name: &str) -> Result<()> {
        let _change = self.change.lock();
        // No event is stored behind the dropping.
        let _events = self.events.lock();
        let mut manifest = self.view.read().manifest.clone();
        let missing = || Error::CollectionNotFound(name.into());
        let entry = manifest.collections.remove(name).ok_or_else(missing)?;
        manifest.aliases.retain(|_, n| n != name);
        let collection = self
            .view
            .read()
            .open
            .get(name)
            .cloned()
            .ok_or_else(missing)?;
        collection.close(|| {
            let mut batch = Batch::default();
            batch.delete_collection(entry.id);
            self.save(&manifest, batch)
        })?;
        let mut view = self.view.write();
        view.open.remove(name);
        view.manifest = manifest;
        Ok(())
    }

    /// Collection by alias.
    pub fn aliases(&self) -> BTreeMap<String, String> {
        self.view.read().manifest.aliases.clone()
    }

    /// Carries out all actions in one step, or none.
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

    /// Stores events; one outcome each.
    pub fn append_events(&self, events: &[Event]) -> Result<Vec<EventResult>> {
        self.gauge.admit_disk(EVENT_BYTES * events.len() as u64)?;
        let _one = self.events.lock();
        events::append(&self.store, events, |name| self.collection(name).ok())
    }

    /// Erases somebody from collections: the events of a user, and what nobody else did in their visits; of a visit, all
    /// events. It is on the disk when this returns; models forget it with the next training.
    ///
    /// # Errors
    /// The name is empty or too long, or the store failed.
    pub fn erase(&self, who: &Who, from: &[Arc<Collection>]) -> Result<EraseResponse> {
        who.check()?;
        let _one = self.events.lock();
        let mut erased = EraseResponse::default();
        for collection in from {
            let events = collection.erase(who)?;
            if events > 0 {
                erased.events.insert(collection.name().into(), events);
            }
        }
        Ok(erased)
    }

    /// All collections, in the order of their names.
    pub fn open_collections(&self) -> Vec<Arc<Collection>> {
        self.view.read().open.values().cloned().collect()
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Brings everything acknowledged to disk.
    pub fn flush(&self) -> Result<()> {
        self.store.flush()
    }

    fn save(&self, manifest: &Manifest, mut batch: Batch) -> Result<()> {
        batch.put_manifest(manifest)?;
        self.store.write(batch)
    }
}

impl Manifest {
    /// The entry of an open collection.
    fn entry(&mut self, collection: &Collection) -> Result<&mut ManifestEntry> {
        let name = collection.name();
        let entry = self.collections.get_mut(name);
        entry.ok_or_else(|| Error::CollectionNotFound(name.into()))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!("the next start will be slow: {e}");
        }
    }
}
