//! Trained models: chunks of bytes, and the list of complete models. A model is written before the
//! list names it.

use std::collections::BTreeMap;

use rocksdb::{Direction, ReadOptions};
use serde::{Deserialize, Serialize};
use vitrine_schemas::ModelInfo;

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
    keys,
    rocks::storage,
};
use crate::Result;

const FAMILY: &str = "models";

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 4 << 20;

/// Models of a collection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ModelList {
    /// Version given last, counted from 1; never reused.
    pub last: u64,
    /// The active model.
    pub active: Option<u64>,
    /// By version.
    pub models: BTreeMap<u64, ModelInfo>,
    /// The model being written; after a crash it is removed at the next start.
    pub pending: Option<u64>,
    /// Events were erased since the newest was trained: the next training replaces all.
    pub erased: bool,
    /// Users or sessions withdrew their consent since the newest was trained.
    #[serde(default)]
    pub withdrawn: bool,
    /// Number of stored item ids, which models refer to by position.
    pub items: u32,
}

impl Batch {
    pub fn put_model_list(&mut self, collection: u32, list: &ModelList) -> Result<()> {
        let value = to_json(list)?;
        self.0
            .push(Op::Put(FAMILY, keys::model_list(collection), value));
        Ok(())
    }

    /// Appends item ids to those stored, the first of them at position `first`.
    pub fn put_model_items(&mut self, collection: u32, first: u32, ids: &[String]) -> Result<()> {
        let value = to_json(ids)?;
        self.0
            .push(Op::Put(FAMILY, keys::model_items(collection, first), value));
        Ok(())
    }

    pub fn delete_models(&mut self, collection: u32) {
        let from = keys::models(collection);
        let to = keys::models(collection.saturating_add(1));
        self.0.push(Op::DeleteRange(FAMILY, from, to));
    }
}

impl Store {
    /// Writes the bytes of a model, which is not used until the list names it.
    pub fn write_model(&self, collection: u32, version: u64, bytes: &[u8]) -> Result<()> {
        for (piece, part) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
            let key = keys::model_piece(collection, version, piece);
            self.write(Batch(vec![Op::Put(FAMILY, key, part.to_vec())]))?;
        }
        Ok(())
    }

    /// Adds the deletion of a model to a batch: chunk by chunk, since open copies cannot repeat the
    /// deletion of a range.
    pub fn delete_model(&self, batch: &mut Batch, collection: u32, version: u64) -> Result<()> {
        let prefix = keys::model(collection, version);
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let rocks = self.rocks()?;
        let mut chunks = rocks.db.raw_iterator_cf_opt(rocks.family(FAMILY)?, options);
        chunks.seek(&prefix);
        while let Some(key) = chunks.key().filter(|key| key.starts_with(&prefix)) {
            batch.0.push(Op::Delete(FAMILY, key.to_vec()));
            chunks.next();
        }
        chunks.status().map_err(storage)
    }

    /// Reads the bytes of a model.
    pub fn model(&self, collection: u32, version: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pieces(&keys::model(collection, version), |_, part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Reads the item ids in the order of their positions.
    pub fn model_items(&self, collection: u32) -> Result<Vec<String>> {
        let mut ids: Vec<String> = Vec::new();
        let prefix = [&keys::models(collection)[..], b"i"].concat();
        self.pieces(&prefix, |_, part| {
            let more: Vec<String> = serde_json::from_slice(part).map_err(|e| corrupt(FAMILY, e))?;
            ids.extend(more);
            Ok(())
        })?;
        Ok(ids)
    }

    /// Reads the list of a collection's models.
    pub fn model_list(&self, collection: u32) -> Result<ModelList> {
        match self.get(FAMILY, &keys::model_list(collection))? {
            None => Ok(ModelList::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt(FAMILY, e)),
        }
    }

    fn pieces(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, prefix, prefix, Direction::Forward)? {
            let (key, value) = entry?;
            each(&key, &value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    #[test]
    fn the_deletion_of_a_model_can_be_repeated_in_an_open_copy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::default(), true).unwrap();
        for version in 1..=2 {
            let bytes = vec![version as u8; CHUNK_BYTES + 1];
            store.write_model(7, version, &bytes).unwrap();
        }
        let before = store.operations().unwrap();
        let mut batch = Batch::default();
        store.delete_model(&mut batch, 7, 1).unwrap();
        store.write(batch).unwrap();
        let slice = store.log_since(before).unwrap().expect("all of it");
        assert_eq!(slice.last, before + 2);
        for (version, bytes) in [(1, 0), (2, CHUNK_BYTES + 1)] {
            assert_eq!(store.model(7, version).unwrap().len(), bytes, "{version}");
        }
    }
}
