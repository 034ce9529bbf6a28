//! Opening: filters are rebuilt from the records, sealed indexes are opened from their files; schemas grow.

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
    maintain::{new_space, open_space, remove_files},
};
use crate::{
    Error, Result,
    behaviour::Behaviour,
    index::SpaceIndex,
    payload::PayloadIndex,
    storage::{Batch, SegmentList, Store},
};

/// Vectors handed to the index at once; bounds the memory of a rebuild.
const CHUNK: usize = 4096;

impl Collection {
    /// Reads the collection's records and builds its indexes.
    pub(crate) fn open(
        name: &str,
        id: u32,
        config: CollectionConfig,
        store: Arc<Store>,
    ) -> Result<Self> {
        let started = Instant::now();
        let mut list = store.segment_list(id)?;
        let spaces: BTreeMap<_, _> = config
            .vectors
            .iter()
            .map(|(n, s)| {
                let files = list.files.get(n).map_or(&[][..], Vec::as_slice);
                (n.clone(), Arc::new(open_space(&store, files, s)))
            })
            .collect();
        forget_damaged(&store, id, &mut list, &spaces)?;
        let mut state = State {
            payload: PayloadIndex::new(&config),
            config: Arc::new(config),
            numbers: BTreeMap::new(),
            ids: HashMap::new(),
            live: RoaringBitmap::new(),
            hidden: RoaringBitmap::new(),
            categories: HashMap::new(),
            spaces,
            filters: Default::default(),
        };
        let mut next = 0;
        store.scan_items(id, |number, item| {
            next = next.max(number.saturating_add(1));
            state.add(number, &item);
            if state.live.len().is_multiple_of(100_000) {
                tracing::info!(collection = name, items = state.live.len(), "reading items");
            }
            Ok(())
        })?;
        for (space, index) in &state.spaces {
            let dim = state.config.vectors.get(space).map_or(0, |s| s.dim);
            let mut chunk = Vec::new();
            // A number that is in a segment must not come again, though its item is gone.
            let sealed = index.members();
            next = next.max(sealed.max().map_or(0, |n| n.saturating_add(1)));
            for number in &state.live - sealed {
                if let Some(vector) = store.vector(id, number, space)? {
                    if vector.len() != dim {
                        return Err(Error::Corrupt {
                            column: "vectors",
                            detail: format!(
                                "number {number} in space `{space}` has {} components, not {dim}",
                                vector.len()
                            ),
                        });
                    }
                    chunk.push((number, vector));
                }
                if chunk.len() == CHUNK {
                    insert(index, &mut chunk);
                }
            }
            insert(index, &mut chunk);
        }
        let behaviour = Behaviour::default();
        store.scan_events(id, |micros, event| {
            behaviour.log.write().add(&event, micros);
        })?;
        tracing::info!(
            collection = name,
            items = state.live.len(),
            seconds = started.elapsed().as_secs_f64(),
            "collection open"
        );
        Ok(Self {
            name: name.to_string(),
            id,
            store,
            state: RwLock::new(state),
            writer: Mutex::new(Writer {
                next,
                dropped: false,
            }),
            segments: Mutex::new(list),
            building: RwLock::default(),
            closing: AtomicBool::new(false),
            behaviour,
        })
    }

    /// Takes a grown schema; the caller has checked and stored it.
    pub(crate) fn grow(&self, config: CollectionConfig) {
        let mut state = self.state.write();
        for (name, kind) in &config.attributes {
            if !state.config.attributes.contains_key(name) {
                state.payload.add_attribute(name, *kind);
            }
        }
        for (name, space) in &config.vectors {
            state
                .spaces
                .entry(name.clone())
                .or_insert_with(|| Arc::new(new_space(space)));
        }
        state.config = Arc::new(config);
    }

    /// Refuses all later writes, then runs `then` while no write is under way.
    pub(crate) fn close<T>(&self, then: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut writer = self.writer.lock();
        let result = then()?;
        writer.dropped = true;
        self.cancel_maintenance();
        if let Err(e) = remove_files(&self.store, self.id, &SegmentList::default()) {
            tracing::warn!(collection = self.name, "segment files stay behind: {e}");
        }
        Ok(result)
    }
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

fn insert(index: &SpaceIndex, chunk: &mut Vec<(u32, Vec<f32>)>) {
    let rows: Vec<_> = chunk.iter().map(|(n, v)| (*n, v.as_slice())).collect();
    index.load(&rows);
    chunk.clear();
}
