//! Stored rankers: the list of all, and each ranking function.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vitrine_schemas::{RankerInfo, RankerModel};

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
    keys,
};
use crate::Result;

const FAMILY: &str = "models";

/// Rankers of a collection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RankerList {
    /// Version given last, counted from 1; never reused.
    pub last: u64,
    /// The active ranker, after those that were active before it; empty if none is active.
    pub activated: Vec<u64>,
    /// By version.
    pub rankers: BTreeMap<u64, RankerInfo>,
}

impl Batch {
    pub fn put_ranker_list(&mut self, collection: u32, list: &RankerList) -> Result<()> {
        let value = to_json(list)?;
        self.0
            .push(Op::Put(FAMILY, keys::ranker_list(collection), value));
        Ok(())
    }

    pub fn put_ranker(&mut self, collection: u32, version: u64, model: &RankerModel) -> Result<()> {
        let value = to_json(model)?;
        self.0
            .push(Op::Put(FAMILY, keys::ranker(collection, version), value));
        Ok(())
    }

    pub fn delete_ranker(&mut self, collection: u32, version: u64) {
        self.0
            .push(Op::Delete(FAMILY, keys::ranker(collection, version)));
    }
}

impl Store {
    /// Reads the list of a collection's rankers.
    pub fn ranker_list(&self, collection: u32) -> Result<RankerList> {
        match self.get(FAMILY, &keys::ranker_list(collection))? {
            None => Ok(RankerList::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt(FAMILY, e)),
        }
    }

    /// Reads a ranking function.
    pub fn ranker(&self, collection: u32, version: u64) -> Result<Option<RankerModel>> {
        let bytes = self.get(FAMILY, &keys::ranker(collection, version))?;
        let model = bytes.map(|bytes| serde_json::from_slice(&bytes));
        model.transpose().map_err(|e| corrupt(FAMILY, e))
    }
}
