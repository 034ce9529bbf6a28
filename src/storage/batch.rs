//! Batches: writes that take effect together.

use rocksdb::WriteBatch;
use vitrine_schemas::Item;

use super::{
    codec::{self, Manifest, SegmentList},
    keys,
    rocks::{MANIFEST_KEY, Rocks},
};
use crate::Result;

/// Writes that take effect atomically.
#[derive(Default)]
pub(crate) struct Batch(pub(super) Vec<Op>);

pub(super) enum Op {
    Put(&'static str, Vec<u8>, Vec<u8>),
    Delete(&'static str, Vec<u8>),
    DeleteRange(&'static str, Vec<u8>, Vec<u8>),
}

impl Batch {
    pub fn put_item(&mut self, collection: u32, internal_id: u32, item: &Item) -> Result<()> {
        let value = codec::encode_item(internal_id, item)?;
        let key = keys::item(collection, &item.id);
        self.0.push(Op::Put("items", key, value));
        Ok(())
    }

    pub fn delete_item(&mut self, collection: u32, id: &str) {
        self.0.push(Op::Delete("items", keys::item(collection, id)));
    }

    pub fn put_vector(&mut self, collection: u32, internal_id: u32, space: &str, vector: &[f32]) {
        let key = keys::vector(collection, internal_id, space);
        let value = codec::encode_vector(vector);
        self.0.push(Op::Put("vectors", key, value));
    }

    pub fn delete_vector(&mut self, collection: u32, internal_id: u32, space: &str) {
        let key = keys::vector(collection, internal_id, space);
        self.0.push(Op::Delete("vectors", key));
    }

    pub fn put_manifest(&mut self, manifest: &Manifest) -> Result<()> {
        let value = codec::to_json(manifest)?;
        self.0
            .push(Op::Put("manifest", MANIFEST_KEY.to_vec(), value));
        Ok(())
    }

    pub fn put_segments(&mut self, collection: u32, list: &SegmentList) -> Result<()> {
        let value = codec::to_json(list)?;
        self.0
            .push(Op::Put("manifest", keys::segments(collection), value));
        Ok(())
    }

    /// Puts the number of writes to the collection's items, this one included.
    pub fn put_writes(&mut self, collection: u32, writes: u64) {
        let value = writes.to_be_bytes().to_vec();
        self.0
            .push(Op::Put("manifest", keys::writes(collection), value));
    }

    /// Returns the bytes of keys and values.
    pub fn bytes(&self) -> u64 {
        let bytes = self.0.iter().map(|op| match op {
            Op::Put(_, key, value) => key.len() + value.len(),
            Op::Delete(_, key) => key.len(),
            Op::DeleteRange(_, from, to) => from.len() + to.len(),
        });
        bytes.sum::<usize>() as u64
    }

    pub fn put_blend(&mut self, collection: u32, value: Vec<u8>) {
        self.0
            .push(Op::Put("models", keys::blend(collection), value));
    }

    /// Deletes everything of a collection except its manifest entry.
    pub fn delete_collection(&mut self, collection: u32) {
        self.delete_events(collection);
        self.delete_models(collection);
        for family in ["items", "vectors"] {
            let from = keys::prefix(collection).to_vec();
            let to = keys::prefix(collection.saturating_add(1)).to_vec();
            self.0.push(Op::DeleteRange(family, from, to));
        }
        let from = keys::settings(collection);
        let to = keys::settings(collection.saturating_add(1));
        self.0.push(Op::DeleteRange("manifest", from, to));
        for key in [keys::segments(collection), keys::writes(collection)] {
            self.0.push(Op::Delete("manifest", key));
        }
    }

    /// Returns the batch as RocksDB takes it.
    pub(super) fn encode(self, rocks: &Rocks) -> Result<WriteBatch> {
        let mut out = WriteBatch::default();
        for op in self.0 {
            match op {
                Op::Put(f, k, v) => out.put_cf(rocks.family(f)?, k, v),
                Op::Delete(f, k) => out.delete_cf(rocks.family(f)?, k),
                Op::DeleteRange(f, a, b) => out.delete_range_cf(rocks.family(f)?, a, b),
            }
        }
        Ok(out)
    }
}
