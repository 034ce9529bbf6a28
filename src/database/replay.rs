//! Repeating of write operations in a copy of a database that is open: records are written, and
//! what is in memory changes as it did in the database itself.

use std::sync::Arc;

use super::Database;
use crate::{Collection, Result, storage::LogSlice};

impl Database {
    /// Returns the write operations after a number, see [`Database::operations`]; None if the log
    /// has no longer all of them, or a copy that is open cannot repeat one. Then the copy must be
    /// replaced by another [`Database::checkpoint`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log_since(&self, operations: u64) -> Result<Option<LogSlice>> {
        self.store.log_since(operations)
    }

    /// Repeats write operations of the database that this one is a copy of. They must follow those
    /// that the copy has, each of which must be there.
    ///
    /// # Errors
    /// The slice is damaged, or the store failed. The copy may then have a part of it, and must be
    /// replaced.
    pub fn replay(&self, slice: &[u8]) -> Result<()> {
        self.store.each_batch(slice, |data, changes| {
            let items = changes.items.into_iter();
            let items = items.filter_map(|(id, items)| Some((self.collection_of(id)?, items)));
            let (collections, items): (Vec<_>, Vec<_>) = items.unzip();
            // Concurrent writes of several collections may be one batch of the log.
            let replays = collections.iter().zip(items);
            let replays = replays.map(|(collection, items)| collection.begin_replay(items));
            let replays = replays.collect::<Result<Vec<_>>>()?;
            let written = self.store.write_raw(data);
            for replay in replays {
                replay.end(written.is_ok())?;
            }
            written?;
            for (id, micros, event) in changes.events {
                if let Some(collection) = self.collection_of(id) {
                    collection.ingest_event(&event, micros);
                }
            }
            for (id, subject, consent) in changes.consents {
                if let Some(collection) = self.collection_of(id) {
                    collection.replay_consent(subject, consent.as_ref());
                }
            }
            for id in changes.settings {
                if let Some(collection) = self.collection_of(id) {
                    collection.reload_settings()?;
                }
            }
            Ok(())
        })
    }

    fn collection_of(&self, id: u32) -> Option<Arc<Collection>> {
        let view = self.view.read();
        view.open.values().find(|c| c.id() == id).cloned()
    }
}
