//! Repeating of the writes of another copy of the collection.

use std::collections::BTreeSet;

use parking_lot::MutexGuard;
use vitrine_schemas::Item;

use crate::{
    Result,
    collection::{Collection, Writer},
    storage::ItemChanges,
};

/// A write that is being repeated: what it replaces is read, and its records are not yet stored.
pub(crate) struct Replay<'c> {
    collection: &'c Collection,
    writer: MutexGuard<'c, Writer>,
    fresh: Vec<(u32, Item)>,
    marks: Vec<(String, Option<Vec<u8>>)>,
}

impl Collection {
    /// Begins to repeat a write. One batch may have items of several collections: all of them begin
    /// before its records are stored.
    pub(crate) fn begin_replay(&self, changes: ItemChanges) -> Result<Replay<'_>> {
        let mut writer = self.lock()?;
        let ids: Vec<_> = changes.records.keys().map(String::as_str).collect();
        let before = self.store.items(self.id, &ids)?.into_iter().flatten();
        let before: Vec<_> = before.collect();
        let mut fresh: Vec<(u32, Item)> = changes.records.into_values().flatten().collect();
        // A record that was rewritten keeps its internal id and its texts.
        let known: BTreeSet<u32> = before.iter().map(|(internal_id, _)| *internal_id).collect();
        fresh.sort_unstable_by_key(|(n, _)| (!known.contains(n), *n));
        let first_new = fresh.partition_point(|(n, _)| known.contains(n));
        for (space, index) in self.state.read().indexes() {
            if let Some(rows) = changes.vectors.get(&space) {
                let rows: Vec<_> = rows.iter().map(|(n, v)| (*n, v.as_slice())).collect();
                index.insert(&rows);
            }
        }
        self.index_texts(&self.config(), &fresh[first_new..]);
        let last = fresh.iter().map(|(internal_id, _)| *internal_id).max();
        writer.next = writer.next.max(last.map_or(0, |n| n.saturating_add(1)));
        self.supersede(before);
        Ok(Replay {
            collection: self,
            writer,
            fresh,
            marks: changes.marks,
        })
    }
}

impl Replay<'_> {
    /// Ends the write: searches see its changes in one step, if its records are stored.
    pub(crate) fn end(mut self, is_stored: bool) -> Result<()> {
        let collection = self.collection;
        collection.publish_superseding(&self.fresh, is_stored);
        if !is_stored {
            return Ok(());
        }
        collection.state.write().replay_marks(self.marks);
        self.writer.writes = collection.store.writes(collection.id)?;
        self.writer.saved = None;
        Ok(())
    }
}
