//! Privacy ledger and released tables of a collection. An entry is written together with its
//! table, and neither is changed or removed before the collection is dropped.

use rocksdb::Direction;
use serde::{Deserialize, Serialize};
use vitrine_schemas::LedgerEntry;

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
    keys,
};
use crate::Result;

const FAMILY: &str = "models";

/// Tables of a period as released last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReleasedTables {
    /// Number of users by item id.
    pub popularity: Vec<(String, u32)>,
    /// Number of users by pair of category paths, each pair once.
    pub category_pairs: Vec<(String, String, u32)>,
}

impl Batch {
    pub fn put_ledger_entry(&mut self, collection: u32, entry: &LedgerEntry) -> Result<()> {
        let key = keys::ledger_entry(collection, entry.number);
        self.0.push(Op::Put(FAMILY, key, to_json(entry)?));
        Ok(())
    }

    /// Puts the tables of a period, in the place of earlier ones about it.
    pub fn put_released(
        &mut self,
        collection: u32,
        period: i64,
        tables: &ReleasedTables,
    ) -> Result<()> {
        let key = keys::released(collection, period);
        self.0.push(Op::Put(FAMILY, key, to_json(tables)?));
        Ok(())
    }
}

impl Store {
    /// Reads the entries of a ledger, the oldest first.
    pub fn ledger(&self, collection: u32) -> Result<Vec<LedgerEntry>> {
        let prefix = keys::ledger(collection);
        let rocks = self.rocks()?;
        let entries = rocks.entries(FAMILY, &prefix, &prefix, Direction::Forward)?;
        let decoded =
            entries.map(|entry| serde_json::from_slice(&entry?.1).map_err(|e| corrupt(FAMILY, e)));
        decoded.collect()
    }

    /// Reads the tables released about a period; empty ones if there are none.
    pub fn released(&self, collection: u32, period: i64) -> Result<ReleasedTables> {
        match self.get(FAMILY, &keys::released(collection, period))? {
            None => Ok(ReleasedTables::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt(FAMILY, e)),
        }
    }
}
