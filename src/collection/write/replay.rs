//! Repeating of the writes of another copy of the collection.

use std::collections::BTreeSet;

use vitrine_schemas::Item;

use crate::{Result, collection::Collection, storage::ItemChanges};

impl Collection {
    /// Repeats a write: `store` writes its records, and searches see the changes in one step.
    pub(crate) fn replay(
        &self,
        changes: ItemChanges,
        store: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
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
        self.publish_stored(before, &fresh, store)?;
        self.state.write().replay_marks(changes.marks);
        writer.writes = self.store.writes(self.id)?;
        writer.saved = None;
        Ok(())
    }
}
