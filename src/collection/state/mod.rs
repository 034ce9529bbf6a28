//! The state of a collection that readers see, under one lock.

pub(super) mod filter_cache;
pub(super) mod item_ids;
pub(super) mod item_texts;
pub(super) mod marks;
pub(super) mod read;
pub(super) mod space_set;
mod vocabulary_cache;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{CollectionConfig, Item};

use self::item_ids::ItemIds;
use crate::{Result, behavior::Log, index::SpaceIndex, payload::PayloadIndex, storage::Placement};

/// Everything that readers see: ids, filters, vector spaces and the re-embedding under way.
pub(in crate::collection) struct State {
    pub(super) config: Arc<CollectionConfig>,
    /// Internal id by item id.
    pub(super) internal_ids: BTreeMap<String, u32>,
    /// Item id by internal id.
    pub(super) ids: HashMap<u32, String>,
    pub(super) live: RoaringBitmap,
    pub(super) hidden: RoaringBitmap,
    pub(super) categories: HashMap<String, RoaringBitmap>,
    pub(super) payload: PayloadIndex,
    pub(super) spaces: BTreeMap<String, Arc<SpaceIndex>>,
    /// Names under which the vectors of the spaces are stored.
    pub(super) placement: Placement,
    /// Internal ids of items that cannot be embedded for these spaces, during a re-embedding; some
    /// may not be live.
    pub(super) left_out: RoaringBitmap,
    /// The inactive set of spaces, during a re-embedding.
    pub(super) other: Option<space_set::InactiveSet>,
    pub(super) filters: filter_cache::FilterCache,
    pub(super) vocabulary: vocabulary_cache::VocabularyCache,
    /// Records that are being replaced or deleted, as readers see them until the write is stored.
    pub(super) superseded: HashMap<String, (u32, Item)>,
    /// Items that the server has still to embed, or could not embed, by internal id; some may not
    /// be live.
    pub(super) marks: marks::Marks,
    /// Internal ids of stored items that cannot be indexed, by item id. Readers do not see them; a
    /// delete or a new version ends it.
    pub(super) quarantined: BTreeMap<String, u32>,
    /// Bytes of all ids.
    pub(super) id_bytes: u64,
}

impl State {
    pub(super) fn add(&mut self, internal_id: u32, item: &Item) {
        self.filters.clear();
        self.vocabulary.clear();
        self.id_bytes += item.id.len() as u64;
        self.internal_ids.insert(item.id.clone(), internal_id);
        self.ids.insert(internal_id, item.id.clone());
        self.live.insert(internal_id);
        if item.hidden {
            self.hidden.insert(internal_id);
        }
        if let Some(category) = &item.category {
            let members = self.categories.entry(category.clone()).or_default();
            members.insert(internal_id);
        }
        self.payload.insert(internal_id, item);
    }

    pub(super) fn remove(&mut self, internal_id: u32, item: &Item) {
        self.filters.clear();
        self.vocabulary.clear();
        if self.quarantined.get(&item.id) == Some(&internal_id) {
            self.quarantined.remove(&item.id);
            return;
        }
        self.internal_ids.remove(&item.id);
        if let Some(id) = self.ids.remove(&internal_id) {
            self.id_bytes -= id.len() as u64;
        }
        self.live.remove(internal_id);
        self.hidden.remove(internal_id);
        if let Some(category) = &item.category
            && let Some(members) = self.categories.get_mut(category)
        {
            members.remove(internal_id);
            if members.is_empty() {
                self.categories.remove(category);
            }
        }
        self.payload.remove(internal_id, item);
    }

    /// Returns the ids of the items here and in the event log.
    pub(super) fn item_ids<'a>(&'a self, log: &'a Log) -> ItemIds<'a> {
        ItemIds { state: self, log }
    }

    pub(super) fn space(&self, space: &str) -> Result<&Arc<SpaceIndex>> {
        self.view().space(space)
    }
}
