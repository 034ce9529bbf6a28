//! Records of erasures: when, and whether the files are rewritten. They do not say who was erased.

use chrono::{DateTime, Duration, Utc};
use rocksdb::Direction;
use serde::{Deserialize, Serialize};

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
};
use crate::Result;

const FAMILY: &str = "manifest";

/// Prefix of the keys; the id follows.
const PREFIX: &[u8] = b"erasure/";

/// Days after which a record is removed.
const KEPT_DAYS: i64 = 400;

/// Record of an erasure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredErasure {
    pub at: DateTime<Utc>,
    /// Ids of the collections that had something to erase.
    pub collections: Vec<u32>,
    /// Time at which the files were rewritten; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<DateTime<Utc>>,
}

impl Batch {
    /// Puts the record of an erasure.
    pub fn put_erasure(&mut self, id: &str, erasure: &StoredErasure) -> Result<()> {
        self.0.push(Op::Put(FAMILY, key(id), to_json(erasure)?));
        Ok(())
    }
}

impl Store {
    /// Returns the record of an erasure.
    pub fn erasure(&self, id: &str) -> Result<Option<StoredErasure>> {
        let value = self.get(FAMILY, &key(id))?;
        value.map(|value| decode(&value)).transpose()
    }

    /// Records that the files were rewritten for the erasures before `started`, and removes old
    /// records.
    pub(super) fn complete_erasures(&self, started: DateTime<Utc>) -> Result<()> {
        let mut batch = Batch::default();
        let now = Utc::now();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, PREFIX, PREFIX, Direction::Forward)? {
            let (key, value) = entry?;
            let mut erasure = match decode(&value) {
                Ok(erasure) => erasure,
                // It stays, for the sake of whoever looks into it; the others go on.
                Err(e) => {
                    let id = String::from_utf8_lossy(key.get(PREFIX.len()..).unwrap_or_default());
                    tracing::error!("the record of erasure {id} cannot be read: {e}");
                    continue;
                }
            };
            if now - erasure.at > Duration::days(KEPT_DAYS) {
                batch.0.push(Op::Delete(FAMILY, key.to_vec()));
            } else if erasure.purged_at.is_none() && erasure.at < started {
                erasure.purged_at = Some(now);
                let value = to_json(&erasure)?;
                batch.0.push(Op::Put(FAMILY, key.to_vec(), value));
            }
        }
        self.write(batch)
    }
}

fn key(id: &str) -> Vec<u8> {
    [PREFIX, id.as_bytes()].concat()
}

fn decode(value: &[u8]) -> Result<StoredErasure> {
    serde_json::from_slice(value).map_err(|e| corrupt(FAMILY, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    #[test]
    fn a_damaged_record_costs_that_record_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::default(), true).unwrap();
        let erasure = StoredErasure {
            at: Utc::now() - Duration::minutes(1),
            collections: vec![1],
            purged_at: None,
        };
        let mut batch = Batch::default();
        batch.put_erasure("b", &erasure).unwrap();
        batch
            .0
            .push(Op::Put(FAMILY, key("a"), b"{damaged".to_vec()));
        store.write(batch).unwrap();
        store.complete_erasures(Utc::now()).unwrap();
        assert!(store.erasure("a").is_err());
        assert!(store.erasure("b").unwrap().unwrap().purged_at.is_some());
    }
}
