//! Consents of users and sessions: records by the hash of the name, so that an erasure of a person
//! leaves a refusal, but not the name.

use chrono::{DateTime, Utc};
use rocksdb::Direction;
use serde::{Deserialize, Serialize};
use vitrine_schemas::ConsentDecisions;

use super::{
    Batch, Store,
    batch::Op,
    codec::{corrupt, to_json},
    keys::{self, SubjectHash},
};
use crate::Result;

const FAMILY: &str = "events";

/// Record of a consent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredConsent {
    pub decisions: ConsentDecisions,
    pub changed_at: DateTime<Utc>,
}

impl Batch {
    /// Puts the consent of a user or session; None removes it.
    pub fn put_consent(
        &mut self,
        collection: u32,
        subject: SubjectHash,
        consent: Option<&StoredConsent>,
    ) -> Result<()> {
        let key = keys::consent(collection, subject);
        self.0.push(match consent {
            Some(consent) => Op::Put(FAMILY, key, to_json(consent)?),
            None => Op::Delete(FAMILY, key),
        });
        Ok(())
    }
}

impl Store {
    /// Returns the consent of a user or session.
    pub fn consent(&self, collection: u32, subject: SubjectHash) -> Result<Option<StoredConsent>> {
        let value = self.get(FAMILY, &keys::consent(collection, subject))?;
        value.map(|value| decode(&value)).transpose()
    }

    /// Calls `each` with all consents of a collection.
    pub fn scan_consents(
        &self,
        collection: u32,
        mut each: impl FnMut(SubjectHash, StoredConsent),
    ) -> Result<()> {
        let rocks = self.rocks()?;
        for prefix in keys::all_consents(collection) {
            for entry in rocks.entries(FAMILY, &prefix, &prefix, Direction::Forward)? {
                let (key, value) = entry?;
                let subject = keys::of_consent(&key);
                let (_, subject) = subject.ok_or_else(|| corrupt(FAMILY, "unknown key"))?;
                each(subject, decode(&value)?);
            }
        }
        Ok(())
    }
}

pub(super) fn decode(value: &[u8]) -> Result<StoredConsent> {
    serde_json::from_slice(value).map_err(|e| corrupt(FAMILY, e))
}
