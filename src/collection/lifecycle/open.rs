//! Opening and closing. The state and the segments are read from their files, everything else from
//! the store. Schema changes.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use parking_lot::{Mutex, RwLock};

use crate::{
    Clock, Error, Result,
    behavior::Behavior,
    bounds::ResourceLimiter,
    collection::{
        Collection, Writer,
        lifecycle::{
            maintain::{new_space, open_space, remove_files},
            open_state::{CHUNK_VECTORS, open_state},
            rankers::Rankers,
            recall_canary::RecallCanary,
            state_file,
        },
        settings::Settings,
    },
    index::SpaceIndex,
    lexical::LexicalIndex,
    query::blend::BlendModel,
    search_log::SearchLog,
    storage::{Batch, ManifestEntry, SegmentList, Store},
};

impl Collection {
    /// Opens the indexes and the state of a collection; a missing or outdated file is rebuilt from
    /// the records.
    pub(crate) fn open(
        name: &str,
        entry: &ManifestEntry,
        store: Arc<Store>,
        limiter: Arc<ResourceLimiter>,
        canary: bool,
        clock: Clock,
    ) -> Result<Self> {
        let started = Instant::now();
        let (id, config) = (entry.id, &entry.config);
        let mut list = store.segment_list(id)?;
        let writes = store.writes(id)?;
        let ((spaces, state), (behavior, lexical)) = rayon::join(
            || {
                rayon::join(
                    || open_spaces(&store, entry, &list),
                    || open_state(name, &store, entry, writes),
                )
            },
            || {
                rayon::join(
                    || Behavior::open(store.clone(), id, config, clock.clone()),
                    || LexicalIndex::open(&store.lexical(id), limiter.writers()),
                )
            },
        );
        let (lexical, behavior) = (lexical?, behavior?);
        let (mut state, mut next, is_saved) = state?;
        remove_damaged(&store, id, &mut list, &spaces)?;
        for (space, index) in &spaces {
            // An internal id in a segment must not be used again, though its item is deleted.
            let sealed = index.members();
            next = next.max(sealed.max().map_or(0, |n| n.saturating_add(1)));
            let missing: Vec<_> = (&state.live - sealed).iter().collect();
            for chunk in missing.chunks(CHUNK_VECTORS) {
                read_vectors(&store, id, chunk, space, index)?;
            }
        }
        state.take_sets(&store, entry, &spaces)?;
        state.read_marks(&store, id)?;
        next = next.max(lexical.covered());
        state.catch_up(&lexical, &store, id)?;
        lexical.remove(lexical.internal_ids()? - &state.live)?;
        lexical.refresh()?;
        let blend = read_blend(&store, name, id)?;
        let rankers = Rankers::open(&store, id, name)?;
        let settings = Settings::open(&store, id)?;
        let search_log = SearchLog::open(store.clone(), limiter.clone(), id, &config.search_log);
        tracing::info!(
            collection = name,
            items = state.live.len(),
            seconds = started.elapsed().as_secs_f64(),
            "collection open"
        );
        let collection = Self {
            name: name.to_string(),
            id,
            store,
            limiter,
            state: RwLock::new(state),
            writer: Mutex::new(Writer {
                next,
                writes,
                written: Instant::now(),
                saved: is_saved.then_some(writes),
                dropped: false,
            }),
            segments: Mutex::new(list),
            sealing: Mutex::default(),
            merging: Mutex::default(),
            builds: RwLock::default(),
            closing: AtomicBool::new(false),
            behavior,
            search_log,
            suggestions: Default::default(),
            canary: RecallCanary::new(canary),
            lexical,
            category_stats: Default::default(),
            cold_items: Default::default(),
            settings,
            clock,
            blend: RwLock::new(blend),
            rankers,
        };
        collection.advance_sales();
        collection.report();
        Ok(collection)
    }

    /// Prepares for an extended schema that is stored next.
    pub(crate) fn prepare(&self, entry: &ManifestEntry) {
        self.behavior.prepare_consent(&entry.config.consent);
    }

    /// Applies an extended schema, also to the inactive set. The caller has validated and stored
    /// it.
    pub(crate) fn grow(&self, entry: &ManifestEntry) {
        let config = &entry.config;
        self.writer.lock().saved = None;
        self.search_log.configure(&config.search_log);
        // Before the state is locked, since it may wait for a training that reads the log.
        self.behavior.configure_consent(&config.consent);
        let mut state = self.state.write();
        for (name, kind) in &config.attributes {
            if !state.config.attributes.contains_key(name) {
                state.payload.add_attribute(name, *kind);
            }
        }
        for (name, space) in &config.vectors {
            if !state.spaces.contains_key(name) {
                let index = Arc::new(new_space(space));
                state.spaces.insert(name.clone(), index.clone());
                if let Some(other) = &mut state.other {
                    other.set.spaces.insert(name.clone(), index);
                }
            }
        }
        self.behavior.configure(&config.behavior);
        state.config = Arc::new(config.clone());
        if let (Some(other), Some(stored)) = (&mut state.other, &entry.reembedding) {
            other.set.config = Arc::new(stored.config.clone());
        }
    }

    /// Removes the files of a dropped collection that was not open.
    pub(crate) fn remove_derived_files(store: &Store, id: u32) {
        state_file::remove(store, id);
        if let Err(e) = remove_files(store, id, &SegmentList::default()) {
            tracing::warn!(id, "segment files were not removed: {e}");
        }
        let lexical = store.lexical(id);
        match std::fs::remove_dir_all(&lexical) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(folder = %lexical.display(), "cannot be removed: {e}");
            }
            _ => {}
        }
    }

    /// Refuses all later writes, then runs `then` while no write is under way.
    pub(crate) fn close<T>(&self, then: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut writer = self.writer.lock();
        self.behavior.close();
        self.search_log.close();
        self.settings.close();
        self.rankers.close();
        let result = then()?;
        writer.dropped = true;
        self.cancel_maintenance();
        self.limiter.forget(self.id);
        state_file::remove(&self.store, self.id);
        if let Err(e) = remove_files(&self.store, self.id, &SegmentList::default()) {
            tracing::warn!(
                collection = self.name,
                "segment files were not removed: {e}"
            );
        }
        if let Err(e) = self.lexical.drop_files(&self.store.lexical(self.id)) {
            tracing::warn!(
                collection = self.name,
                "full-text index was not removed: {e}"
            );
        }
        Ok(result)
    }
}

/// Returns the learned blend. An unreadable one does not fail the opening, since it can be learned
/// again.
fn read_blend(store: &Store, name: &str, id: u32) -> Result<Option<Arc<BlendModel>>> {
    let stored = store.blend(id)?;
    let read = stored.map(|bytes| BlendModel::decode(&bytes)).transpose();
    Ok(read
        .inspect_err(|e| {
            tracing::warn!(
                collection = name,
                "the learned blend is unreadable, using rank fusion: {e}"
            )
        })
        .ok()
        .flatten()
        .map(Arc::new))
}

/// Removes files that could not be opened, from the list and from disk.
fn remove_damaged(
    store: &Store,
    collection: u32,
    list: &mut SegmentList,
    spaces: &BTreeMap<String, Arc<SpaceIndex>>,
) -> Result<()> {
    let opened: BTreeMap<_, _> = spaces
        .iter()
        .map(|(name, index)| (name.clone(), index.files()))
        .filter(|(_, files)| !files.is_empty())
        .collect();
    list.files.retain(|_, files| !files.is_empty());
    if opened != list.files {
        list.files = opened;
        let mut batch = Batch::default();
        batch.put_segments(collection, list)?;
        store.write(batch)?;
    }
    remove_files(store, collection, list)
}

/// Opens the indexes of all sets, by stored name.
fn open_spaces(
    store: &Store,
    entry: &ManifestEntry,
    list: &SegmentList,
) -> BTreeMap<String, Arc<SpaceIndex>> {
    let other = entry.reembedding.iter().map(|r| (&r.config, &r.placement));
    let sets = std::iter::once((&entry.config, &entry.placement)).chain(other);
    let spaces = sets.flat_map(|(config, placement)| {
        let spaces = config.vectors.iter();
        spaces.map(|(name, space)| (placement.name(name), space))
    });
    let spaces: BTreeMap<_, _> = spaces.collect();
    let open = |(name, space): (&str, _)| {
        let files = list.files.get(name).map_or(&[][..], Vec::as_slice);
        (name.to_owned(), Arc::new(open_space(store, files, space)))
    };
    spaces.into_iter().map(open).collect()
}

/// Reads vectors that are in no segment into the index.
fn read_vectors(
    store: &Store,
    id: u32,
    internal_ids: &[u32],
    space: &str,
    index: &SpaceIndex,
) -> Result<()> {
    let dim = index.dim();
    let vectors = store.vectors(id, internal_ids, space)?;
    if let Some((internal_id, wrong)) = vectors.iter().find(|(_, v)| v.len() != dim) {
        let detail = format!(
            "internal id {internal_id} in space `{space}`: expected {dim} components, got {}",
            wrong.len()
        );
        let column = "vectors";
        return Err(Error::Corrupt { column, detail });
    }
    let rows: Vec<_> = vectors.iter().map(|(n, v)| (*n, v.as_slice())).collect();
    index.insert(&rows);
    Ok(())
}
