//! Reads of items, vectors and the records of a collection.

use rocksdb::Direction;
use vitrine_schemas::Item;

use super::{
    Store,
    codec::{self, Manifest, SegmentList, corrupt},
    keys,
    rocks::storage,
};
use crate::Result;

impl Store {
    /// Reads an item's record, without vectors.
    pub fn item(&self, collection: u32, id: &str) -> Result<Option<(u32, Item)>> {
        let bytes = self.get("items", &keys::item(collection, id))?;
        bytes.map(|b| codec::decode_item(&b)).transpose()
    }

    /// Reads the records of several items at once, in the order of the ids.
    pub fn items(&self, collection: u32, ids: &[&str]) -> Result<Vec<Option<(u32, Item)>>> {
        let rocks = self.rocks()?;
        let family = rocks.family("items")?;
        let keys: Vec<_> = ids.iter().map(|id| keys::item(collection, id)).collect();
        let found = rocks.db.batched_multi_get_cf(family, &keys, false);
        let decode = |bytes: std::result::Result<Option<rocksdb::DBPinnableSlice<'_>>, _>| {
            let bytes = bytes.map_err(storage)?;
            bytes.map(|b| codec::decode_item(&b)).transpose()
        };
        found.into_iter().map(decode).collect()
    }

    /// Reads the learned blend of a collection.
    pub fn blend(&self, collection: u32) -> Result<Option<Vec<u8>>> {
        self.get("models", &keys::blend(collection))
    }

    /// Calls `each` for every item of a collection in the order of ids.
    pub fn scan_items(
        &self,
        collection: u32,
        mut each: impl FnMut(u32, Item) -> Result<()>,
    ) -> Result<()> {
        let prefix = keys::prefix(collection);
        let rocks = self.rocks()?;
        for entry in rocks.entries("items", &prefix, &prefix, Direction::Forward)? {
            let (_, value) = entry?;
            let (internal_id, item) = codec::decode_item(&value)?;
            each(internal_id, item)?;
        }
        Ok(())
    }

    /// Reads the list of a collection's segment files.
    pub fn segment_list(&self, collection: u32) -> Result<SegmentList> {
        match self.get("manifest", &keys::segments(collection))? {
            None => Ok(SegmentList::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt("manifest", e)),
        }
    }

    /// Returns the number of writes to a collection's items.
    pub fn writes(&self, collection: u32) -> Result<u64> {
        match self.get("manifest", &keys::writes(collection))? {
            None => Ok(0),
            Some(bytes) => match bytes.try_into() {
                Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
                Err(_) => Err(corrupt("manifest", "the write count is truncated")),
            },
        }
    }

    /// Reads vectors of a space by internal id, in order; missing ones are skipped.
    pub fn vectors(
        &self,
        collection: u32,
        internal_ids: &[u32],
        space: &str,
    ) -> Result<Vec<(u32, Vec<f32>)>> {
        let rocks = self.rocks()?;
        let family = rocks.family("vectors")?;
        let keys = internal_ids
            .iter()
            .map(|n| keys::vector(collection, *n, space));
        let keys: Vec<_> = keys.collect();
        let sorted = true;
        let found = rocks.db.batched_multi_get_cf(family, &keys, sorted);
        let mut vectors = Vec::with_capacity(internal_ids.len());
        for (internal_id, value) in internal_ids.iter().zip(found) {
            if let Some(bytes) = value.map_err(storage)? {
                vectors.push((*internal_id, codec::decode_vector(&bytes)?));
            }
        }
        Ok(vectors)
    }

    /// Reads the manifest; a new directory has an empty one.
    pub fn manifest(&self) -> Result<Manifest> {
        self.rocks()?.manifest()
    }
}
