//! Erasures: their records, and what of them is done.

use chrono::Utc;
use vitrine_schemas::{ErasureStatus, ErasureStep, ErasureSteps};

use super::Database;
use crate::{
    Result,
    storage::{Batch, PURGE_DELAY, StoredErasure},
};

impl Database {
    /// Records an erasure from collections, and makes the rewriting of the files due. Returns its
    /// id.
    pub(super) fn record_erasure(&self, collections: Vec<u32>) -> Result<String> {
        let id = format!("{:032x}", rand::random::<u128>());
        let erasure = StoredErasure {
            at: Utc::now(),
            collections,
            purged_at: None,
        };
        let mut batch = Batch::default();
        batch.put_erasure(&id, &erasure)?;
        self.store.mark_purge(batch)?;
        Ok(id)
    }

    /// Returns what of an erasure is done and what is due; `None` if there is none with this id.
    ///
    /// # Errors
    /// The store failed.
    pub fn erasure(&self, id: &str) -> Result<Option<ErasureStatus>> {
        let Some(stored) = self.store.erasure(id)? else {
            return Ok(None);
        };
        let collections = self.open_collections().into_iter();
        let is_due = |id: u32, has_erased: bool| has_erased && stored.collections.contains(&id);
        let training_due = collections
            .filter(|c| is_due(c.id(), c.has_erased_events_in_models()))
            .map(|c| c.name().to_owned())
            .collect::<Vec<_>>();
        let files = match stored.purged_at {
            Some(at) => ErasureStep::done(at.to_rfc3339()),
            None => ErasureStep::due((stored.at + PURGE_DELAY).to_rfc3339()),
        };
        let erased_at = stored.at.to_rfc3339();
        Ok(Some(ErasureStatus {
            id: id.to_owned(),
            is_done: training_due.is_empty() && stored.purged_at.is_some(),
            steps: ErasureSteps {
                records: ErasureStep::done(erased_at.clone()),
                training_due,
                files,
            },
            erased_at,
            snapshots: None,
        }))
    }
}
