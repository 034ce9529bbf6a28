//! Opening: the state and the sealed indexes come from their files, the rest from the store; schemas grow.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::CollectionConfig;

use super::{
    Collection, State, Writer,
    canary::Canary,
    maintain::{new_space, open_space, remove_files},
    settings::Settings,
    space_set::{Other, SpaceSet},
    state_file::{self, Stored},
};
use crate::{
    Clock, Error, Result,
    behaviour::Behaviour,
    bounds::Gauge,
    index::SpaceIndex,
    lexical::LexicalIndex,
    payload::PayloadIndex,
    query::blend::BlendModel,
    storage::{Batch, ManifestEntry, Placement, SegmentList, Store},
};

/// Vectors handed to the index at once; bounds the memory of a rebuild.
const CHUNK: usize = 4096;

impl Collection {
    /// Opens the collection's indexes and its state; whichever file of them is missing or stale is made up for from the records.
    pub(crate) fn open(
        name: &str,
        entry: &ManifestEntry,
        store: Arc<Store>,
        gauge: Arc<Gauge>,
        canary: bool,
        clock: Clock,
    ) -> Result<Self> {
        let started = Instant::now();
        let (id, config) = (entry.id, &entry.config);
        let mut list = store.segment_list(id)?;
        let writes = store.writes(id)?;
        let ((spaces, state), (behaviour, lexical)) = rayon::join(
            || {
                rayon::join(
                    || open_spaces(&store, entry, &list),
                    || open_state(name, &store, entry, writes),
                )
            },
            || {
                rayon::join(
                    || Behaviour::open(store.clone(), id, &config.behavior),
                    || LexicalIndex::open(&store.lexical(id)),
                )
            },
        );
        let lexical = lexical?;
        let (mut state, mut next, is_saved) = state?;
        forget_damaged(&store, id, &mut list, &spaces)?;
        for (space, index) in &spaces {
            // A number that is in a segment must not come again, though its item is gone.
            let sealed = index.members();
            next = next.max(sealed.max().map_or(0, |n| n.saturating_add(1)));
            let missing: Vec<_> = (&state.live - sealed).iter().collect();
            for numbers in missing.chunks(CHUNK) {
                read_vectors(&store, id, numbers, space, index)?;
            }
        }
        state.take_sets(&store, entry, &spaces)?;
        next = next.max(lexical.covered());
        state.catch_up(&lexical, &store, id)?;
        lexical.remove(lexical.numbers()? - &state.live)?;
        lexical.refresh()?;
        let blend = read_blend(&store, name, id)?;
        let settings = Settings::open(&store, id)?;
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
            gauge,
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
            behaviour: behaviour?,
            canary: Canary::new(canary),
            lexical,
            kinds: Default::default(),
            settings,
            clock,
            blend: RwLock::new(blend),
        };
        collection.report();
        Ok(collection)
    }

    /// Takes a grown schema, and the other set's where there is one; the caller has checked and stored it.
    pub(crate) fn grow(&self, entry: &ManifestEntry) {
        let config = &entry.config;
        self.writer.lock().saved = None;
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
        self.behaviour.configure(&config.behavior);
        state.config = Arc::new(config.clone());
        if let (Some(other), Some(stored)) = (&mut state.other, &entry.reembedding) {
            other.set.config = Arc::new(stored.config.clone());
        }
    }

    /// Refuses all later writes, then runs `then` while no write is under way.
    pub(crate) fn close<T>(&self, then: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut writer = self.writer.lock();
        self.behaviour.close();
        self.settings.close();
        let result = then()?;
        writer.dropped = true;
        self.cancel_maintenance();
        self.gauge.forget(self.id);
        state_file::remove(&self.store, self.id);
        if let Err(e) = remove_files(&self.store, self.id, &SegmentList::default()) {
            tracing::warn!(collection = self.name, "segment files stay behind: {e}");
        }
        if let Err(e) = self.lexical.drop_files(&self.store.lexical(self.id)) {
            tracing::warn!(collection = self.name, "lexical index stays behind: {e}");
        }
        Ok(result)
    }
}

/// The learned blend. One that cannot be read is no reason not to open: what it was learned from is there.
fn read_blend(store: &Store, name: &str, id: u32) -> Result<Option<Arc<BlendModel>>> {
    let stored = store.blend(id)?;
    let read = stored.map(|bytes| BlendModel::decode(&bytes)).transpose();
    Ok(read
        .inspect_err(|e| tracing::warn!(collection = name, "ranks are fused by default: {e}"))
        .ok()
        .flatten()
        .map(Arc::new))
}

/// Takes the files that could not be opened out of the list and away.
fn forget_damaged(
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

/// The indexes of all sets by the names that their vectors are stored under.
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

impl State {
    /// Takes the indexes in, each where it belongs.
    fn take_sets(
        &mut self,
        store: &Store,
        entry: &ManifestEntry,
        indexes: &BTreeMap<String, Arc<SpaceIndex>>,
    ) -> Result<()> {
        let set = |config: &CollectionConfig, placement: &Placement| {
            let spaces = config.vectors.keys().filter_map(|name| {
                let index = indexes.get(placement.name(name))?;
                Some((name.clone(), index.clone()))
            });
            Ok::<_, Error>(SpaceSet {
                config: Arc::new(config.clone()),
                spaces: spaces.collect(),
                left_out: match &entry.reembedding {
                    Some(_) => self.read_left_out(store, entry.id, placement)?,
                    None => RoaringBitmap::new(),
                },
                placement: placement.clone(),
            })
        };
        let current = set(&entry.config, &entry.placement)?;
        let other = entry.reembedding.as_ref().map(|stored| {
            Ok::<_, Error>(Other {
                set: set(&stored.config, &stored.placement)?,
                started: stored.started.clone(),
                is_switched: stored.is_switched,
                switched: stored.switched.clone(),
            })
        });
        self.other = other.transpose()?;
        self.spaces = current.spaces;
        self.placement = current.placement;
        self.left_out = current.left_out;
        Ok(())
    }

    fn read_left_out(
        &self,
        store: &Store,
        id: u32,
        placement: &Placement,
    ) -> Result<RoaringBitmap> {
        let live: Vec<u32> = self.live.iter().collect();
        let mut left_out = RoaringBitmap::new();
        for numbers in live.chunks(CHUNK) {
            let marks = store.vectors(id, numbers, &placement.left_out())?;
            left_out.extend(marks.into_iter().map(|(number, _)| number));
        }
        Ok(left_out)
    }
}

/// The state without its spaces, the next number, and whether it comes from a file that is up to date.
fn open_state(
    name: &str,
    store: &Store,
    entry: &ManifestEntry,
    writes: u64,
) -> Result<(State, u32, bool)> {
    let (id, config) = (entry.id, &entry.config);
    let mut state = State {
        payload: PayloadIndex::new(config),
        config: Arc::new(config.clone()),
        numbers: BTreeMap::new(),
        ids: HashMap::new(),
        live: RoaringBitmap::new(),
        hidden: RoaringBitmap::new(),
        categories: HashMap::new(),
        spaces: BTreeMap::new(),
        placement: Placement::default(),
        left_out: RoaringBitmap::new(),
        other: None,
        filters: Default::default(),
        words: Default::default(),
        outgoing: HashMap::new(),
        id_bytes: 0,
    };
    if let Some(stored) = Stored::load(store, id, config, writes) {
        let numbers = stored.numbers.iter();
        state.ids = numbers.map(|(id, n)| (*n, id.clone())).collect();
        let numbers = stored.numbers.iter();
        state.id_bytes = numbers.map(|(id, _)| id.len() as u64).sum();
        state.live = stored.numbers.iter().map(|(_, n)| *n).collect();
        state.numbers = stored.numbers.into_iter().collect();
        state.hidden = stored.hidden;
        state.categories = stored.categories;
        state.payload = stored.payload;
        return Ok((state, stored.next, true));
    }
    let mut next = 0;
    store.scan_items(id, |number, item| {
        next = next.max(number.saturating_add(1));
        state.add(number, &item);
        if state.live.len().is_multiple_of(100_000) {
            tracing::info!(collection = name, items = state.live.len(), "reading items");
        }
        Ok(())
    })?;
    Ok((state, next, false))
}

/// Vectors that are in no segment.
fn read_vectors(
    store: &Store,
    id: u32,
    numbers: &[u32],
    space: &str,
    index: &SpaceIndex,
) -> Result<()> {
    let dim = index.dim();
    let vectors = store.vectors(id, numbers, space)?;
    if let Some((number, wrong)) = vectors.iter().find(|(_, v)| v.len() != dim) {
        let detail = format!(
            "number {number} in space `{space}` has {} components, not {dim}",
            wrong.len()
        );
        let column = "vectors";
        return Err(Error::Corrupt { column, detail });
    }
    let rows: Vec<_> = vectors.iter().map(|(n, v)| (*n, v.as_slice())).collect();
    index.insert(&rows);
    Ok(())
}
