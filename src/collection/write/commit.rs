//! Commits: a write is one batch of the store, published in one step.

use std::{collections::HashMap, time::Instant};

use vitrine_schemas::Item;

use crate::{
    Error, Result,
    collection::{
        Collection, Writer,
        lifecycle::memory::{record_bytes, wanted_bytes},
        state::space_set::Vectors,
    },
    payload::FIRST_VARIANT_ROW,
    storage::Batch,
};

impl Collection {
    /// Writes checked items as new versions; they replace those of the same ids.
    pub(super) fn commit(&self, writer: &mut Writer, items: Vec<Item>) -> Result<()> {
        let mut batch = Batch::default();
        let mut fresh: Vec<(u32, Item)> = Vec::with_capacity(items.len());
        let mut vectors: Vec<Vectors> = Vec::with_capacity(items.len());
        let mut replaced = Vec::new();
        let mut marks = Vec::new();
        let mut wanted = 0;
        let mut next = writer.next;
        let indexes = self.state.read().indexes();
        let config = self.config();
        for mut item in items {
            let (before, own, is_quarantined) = {
                let state = self.state.read();
                let before = state.internal_ids.get(&item.id).copied();
                let is_quarantined = state.quarantined.contains_key(&item.id);
                (before, state.place(&mut item, before), is_quarantined)
            };
            wanted += wanted_bytes(&item, &own, &config, &indexes);
            let internal_id = next;
            if internal_id >= FIRST_VARIANT_ROW {
                let detail = "internal ids exhausted; copy the items into a new collection";
                return Err(Error::Storage(detail.into()));
            }
            self.mark(&mut batch, &mut marks, internal_id, before, &mut item)?;
            next = internal_id + 1;
            if (before.is_some() || is_quarantined)
                && let Some(old) = self.store.item(self.id, &item.id)?
            {
                self.delete_vectors(&mut batch, old.0);
                replaced.push(old);
            }
            batch.put_item(self.id, internal_id, &item)?;
            for (space, vector) in &own {
                batch.put_vector(self.id, internal_id, space, vector);
            }
            fresh.push((internal_id, item));
            vectors.push(own);
        }
        self.admit(&batch, wanted)?;
        writer.next = next;
        let mut state = self.state.write();
        for (internal_id, mark) in marks {
            state.marks.set(internal_id, Some(mark));
        }
        drop(state);
        for (space, index) in &indexes {
            let rows: Vec<_> = fresh
                .iter()
                .zip(&vectors)
                .filter_map(|((n, _), v)| v.get(space).map(|v| (*n, v.as_slice())))
                .collect();
            if !rows.is_empty() {
                index.insert(&rows);
            }
        }
        self.index_texts(&config, &fresh);
        self.publish(writer, batch, replaced, &fresh)
    }

    /// Rewrites a record whose vectors and texts did not change; it keeps its internal id.
    pub(super) fn rewrite(&self, writer: &mut Writer, mut old: Item, item: &Item) -> Result<()> {
        old.vectors.clear();
        let mut record = item.clone();
        record.vectors.clear();
        record.embedding = None;
        let internal_id = self.state.read().internal_ids.get(&item.id).copied();
        let internal_id = internal_id.ok_or_else(|| Error::ItemNotFound(item.id.clone()))?;
        let mut batch = Batch::default();
        batch.put_item(self.id, internal_id, &record)?;
        self.admit(&batch, record_bytes(&self.config(), &record))?;
        self.publish(
            writer,
            batch,
            vec![(internal_id, old)],
            &[(internal_id, record)],
        )
    }

    /// Deletes items; returns the number of those that existed.
    pub(super) fn remove(&self, writer: &mut Writer, ids: &[String]) -> Result<u64> {
        let mut batch = Batch::default();
        let mut gone: HashMap<u32, Item> = HashMap::new();
        for id in ids {
            if let Some((internal_id, item)) = self.store.item(self.id, id)? {
                batch.delete_item(self.id, id);
                self.delete_vectors(&mut batch, internal_id);
                self.unmark(&mut batch, internal_id, id);
                gone.insert(internal_id, item);
            }
        }
        let count = gone.len() as u64;
        self.publish(writer, batch, gone.into_iter().collect(), &[])?;
        Ok(count)
    }

    /// Refuses a write that exceeds the limits on memory or disk.
    pub(in crate::collection) fn admit(&self, batch: &Batch, wanted: u64) -> Result<()> {
        // Once in the write-ahead log, once in the tables, and once more while tables are
        // compacted.
        self.limiter.admit_disk(3 * batch.bytes())?;
        let settled = || self.settled_bytes();
        self.limiter
            .admit_memory(self.id, self.bytes(), settled, wanted)
    }

    /// Stores a batch, then publishes it in one step: the internal ids of `old` leave the live set,
    /// those of `new` enter it. Until then concurrent searches see the old records.
    pub(super) fn publish(
        &self,
        writer: &mut Writer,
        mut batch: Batch,
        old: Vec<(u32, Item)>,
        new: &[(u32, Item)],
    ) -> Result<()> {
        writer.writes += 1;
        writer.written = Instant::now();
        batch.put_writes(self.id, writer.writes);
        self.publish_stored(old, new, || self.store.write(batch))
    }

    /// Runs `store`, which writes the records, then publishes as [`Self::publish`].
    pub(super) fn publish_stored(
        &self,
        old: Vec<(u32, Item)>,
        new: &[(u32, Item)],
        store: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.supersede(old);
        let stored = store();
        self.publish_superseding(new, stored.is_ok());
        stored
    }

    /// Begins a publication: searches read these records from memory until it ends.
    pub(super) fn supersede(&self, old: Vec<(u32, Item)>) {
        if !old.is_empty() {
            let superseded = old
                .into_iter()
                .map(|(n, item)| (item.id.clone(), (n, item)));
            self.state.write().superseded = superseded.collect();
        }
    }

    /// Ends a publication: the superseded records go and `new` comes, if that is stored.
    pub(super) fn publish_superseding(&self, new: &[(u32, Item)], is_stored: bool) {
        let mut state = self.state.write();
        let superseded = std::mem::take(&mut state.superseded);
        if !is_stored {
            return;
        }
        for (internal_id, item) in superseded.values() {
            state.remove(*internal_id, item);
        }
        for (internal_id, item) in new {
            state.add(*internal_id, item);
        }
        state.payload.advance_sales(self.clock.now());
        let gone = superseded.values().map(|(internal_id, _)| *internal_id);
        let gone: Vec<_> = gone.filter(|n| !state.live.contains(*n)).collect();
        for internal_id in &gone {
            state.marks.remove(*internal_id);
        }
        drop(state);
        self.remove_texts(gone);
        self.report();
    }

    /// Adds the deletion of the vectors of a version in all spaces to the batch.
    pub(super) fn delete_vectors(&self, batch: &mut Batch, internal_id: u32) {
        for name in self.state.read().stored_names() {
            batch.delete_vector(self.id, internal_id, &name);
        }
    }
}
