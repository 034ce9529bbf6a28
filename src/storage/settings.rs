//! Settings of a collection: JSON records, by a kind for their kind and their ids.

use rocksdb::Direction;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
    keys,
};
use crate::Result;

const FAMILY: &str = "manifest";

impl Batch {
    pub fn put_setting(
        &mut self,
        collection: u32,
        kind: u8,
        id: &str,
        setting: &impl Serialize,
    ) -> Result<()> {
        let value = to_json(setting)?;
        self.0
            .push(Op::Put(FAMILY, keys::setting(collection, kind, id), value));
        Ok(())
    }

    pub fn delete_setting(&mut self, collection: u32, kind: u8, id: &str) {
        self.0
            .push(Op::Delete(FAMILY, keys::setting(collection, kind, id)));
    }
}

impl Store {
    /// Reads all settings of a kind, in the order of their ids.
    pub fn settings<T: DeserializeOwned>(&self, collection: u32, kind: u8) -> Result<Vec<T>> {
        let prefix = keys::setting(collection, kind, "");
        let mut found = Vec::new();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &prefix, Direction::Forward)? {
            let (_, value) = entry?;
            found.push(serde_json::from_slice(&value).map_err(|e| corrupt(FAMILY, e))?);
        }
        Ok(found)
    }
}
