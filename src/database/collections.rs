//! Collections and aliases: the changes of the manifest, one at a time, and its readers.

use std::{collections::BTreeMap, sync::Arc, thread};

use vitrine_schemas::{AliasAction, CollectionConfig, CollectionInfo, CollectionPatch, FeedConfig};

use super::Database;
use crate::{
    Collection, Error, Result,
    collection::{check_config, check_name},
    index::JobKind,
    storage::{Batch, Manifest, ManifestEntry},
};

impl Database {
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
        collection.prepare(&entry);
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

    /// Returns all collections, in the order of their names.
    pub fn open_collections(&self) -> Vec<Arc<Collection>> {
        self.view.read().open.values().cloned().collect()
    }

    /// Stores the manifest with a batch, in one write.
    pub(super) fn save(&self, manifest: &Manifest, mut batch: Batch) -> Result<()> {
        batch.put_manifest(manifest)?;
        self.store.write(batch)
    }
}

impl Manifest {
    /// Returns the entry of an open collection.
    pub(super) fn entry(&mut self, collection: &Collection) -> Result<&mut ManifestEntry> {
        let name = collection.name();
        let entry = self.collections.get_mut(name);
        entry.ok_or_else(|| Error::CollectionNotFound(name.into()))
    }
}
