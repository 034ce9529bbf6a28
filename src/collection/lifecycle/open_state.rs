//! The state of a collection at its opening: from its file or the records, with its sets of vector
//! spaces.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use roaring::RoaringBitmap;
use vitrine_schemas::CollectionConfig;

use super::state_file::Stored;
use crate::{
    Error, Result,
    collection::{
        State,
        state::space_set::{InactiveSet, SpaceSet},
    },
    index::SpaceIndex,
    payload::PayloadIndex,
    storage::{ManifestEntry, Placement, Store},
};

/// Vectors read at once; limits the memory of a rebuild.
pub(super) const CHUNK_VECTORS: usize = 4096;

/// Returns the state without its spaces, the next internal id, and true if it was read from a
/// current file.
pub(super) fn open_state(
    name: &str,
    store: &Store,
    entry: &ManifestEntry,
    writes: u64,
) -> Result<(State, u32, bool)> {
    let (id, config) = (entry.id, &entry.config);
    let mut state = State {
        payload: PayloadIndex::new(config),
        config: Arc::new(config.clone()),
        internal_ids: BTreeMap::new(),
        ids: HashMap::new(),
        live: RoaringBitmap::new(),
        hidden: RoaringBitmap::new(),
        categories: HashMap::new(),
        spaces: BTreeMap::new(),
        placement: Placement::default(),
        left_out: RoaringBitmap::new(),
        other: None,
        filters: Default::default(),
        vocabulary: Default::default(),
        superseded: HashMap::new(),
        marks: Default::default(),
        quarantined: BTreeMap::new(),
        id_bytes: 0,
    };
    if let Some(stored) = Stored::load(store, id, config, writes) {
        let entries = stored.internal_ids.iter();
        state.ids = entries.map(|(id, n)| (*n, id.clone())).collect();
        let entries = stored.internal_ids.iter();
        state.id_bytes = entries.map(|(id, _)| id.len() as u64).sum();
        state.live = stored.internal_ids.iter().map(|(_, n)| *n).collect();
        state.internal_ids = stored.internal_ids.into_iter().collect();
        state.hidden = stored.hidden;
        state.categories = stored.categories;
        state.quarantined = stored.quarantined;
        state.payload = stored.payload;
        return Ok((state, stored.next, true));
    }
    let mut next = 0;
    store.scan_items(id, |internal_id, item| {
        next = next.max(internal_id.saturating_add(1));
        state.add_stored(name, internal_id, item);
        if state.live.len().is_multiple_of(100_000) {
            tracing::info!(collection = name, items = state.live.len(), "reading items");
        }
        Ok(())
    })?;
    if !state.quarantined.is_empty() {
        let items = state.quarantined.len();
        tracing::warn!(
            collection = name,
            items,
            "stored items that cannot be indexed"
        );
    }
    Ok((state, next, false))
}

impl State {
    /// Assigns the indexes to the sets.
    pub(super) fn take_sets(
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
            Ok::<_, Error>(InactiveSet {
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
        for chunk in live.chunks(CHUNK_VECTORS) {
            let marks = store.vectors(id, chunk, &placement.left_out())?;
            left_out.extend(marks.into_iter().map(|(number, _)| number));
        }
        Ok(left_out)
    }
}
