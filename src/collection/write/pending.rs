//! Pending items, which the encoders take and complete with their vectors.

use vitrine_schemas::{EmbedMode, EmbeddingState, EmbeddingStatus, Item, OtherVectors};

use crate::{
    Error, Result,
    collection::{
        Collection, Writer,
        lifecycle::memory::wanted_bytes,
        schema,
        state::{marks::KEY_PREFIX, space_set::Vectors},
    },
    storage::Batch,
};

/// Items marked at once.
const CHUNK_ITEMS: usize = 4096;

/// Vectors of a pending item.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemVectors {
    /// Encoders of `vectors`.
    pub fingerprint: String,
    /// Vectors by space.
    pub vectors: Vectors,
    /// During a re-embedding: vectors of the other encoders.
    pub other: Option<OtherVectors>,
    /// Hash of the embedded content.
    pub content_hash: Option<String>,
    /// Cause why some of its images are not part of them.
    pub warning: Option<String>,
}

/// A pending item that was embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Version that was embedded.
    pub version: u32,
    /// The item as it was taken.
    pub item: Item,
    /// Its vectors, or why it has none.
    pub result: std::result::Result<ItemVectors, String>,
}

/// Number of completed items by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Completed {
    /// Items with vectors.
    pub embedded: u64,
    /// Items that cannot be embedded.
    pub failed: u64,
    /// Items that were written again or deleted in the meantime.
    pub stale: u64,
}

impl Collection {
    /// Returns pending items with their versions, the oldest first; none if embedding is off.
    ///
    /// # Errors
    /// The store failed.
    pub fn take_pending(&self, limit: usize) -> Result<Vec<(u32, Item)>> {
        let state = self.state.read();
        if state.config.embed == EmbedMode::Off {
            return Ok(Vec::new());
        }
        let pending = state.marks.pending() & &state.live;
        let versions: Vec<u32> = pending.iter().take(limit).collect();
        let ids = versions.iter().filter_map(|n| state.ids.get(n));
        let ids: Vec<_> = ids.map(String::as_str).collect();
        let records = self.load_many(&state, &ids)?;
        let items = versions.into_iter().zip(records);
        Ok(items.filter_map(|(n, item)| Some((n, item?))).collect())
    }

    /// Stores the vectors of pending items. Items that have changed in what is embedded, or are
    /// gone, are skipped.
    ///
    /// # Errors
    /// No room, or the store failed; the items stay pending.
    pub fn complete(&self, embedded: Vec<Embedded>) -> Result<Completed> {
        let mut writer = self.lock()?;
        let ids: Vec<_> = embedded.iter().map(|e| e.item.id.as_str()).collect();
        let stored = self.store.items(self.id, &ids)?;
        let mut completed = Completed::default();
        let (mut replaced, mut filled) = (Vec::new(), Vec::new());
        for (embedded, stored) in embedded.into_iter().zip(stored) {
            let Some(item) = self.completed_item(&embedded, stored)? else {
                completed.stale += 1;
                continue;
            };
            match item.embedding.as_ref().map(|state| state.status) {
                Some(EmbeddingStatus::Failed) => completed.failed += 1,
                _ => completed.embedded += 1,
            }
            // A vector is never replaced in place, so an item with old ones gets a new version.
            let state = self.state.read();
            if state
                .every_space()
                .any(|s| s.vector(embedded.version).is_some())
            {
                replaced.push(item);
            } else {
                filled.push((embedded.version, item));
            }
        }
        self.fill_pending(filled)?;
        self.complete_versions(&mut writer, replaced)?;
        Ok(completed)
    }

    fn complete_versions(&self, writer: &mut Writer, items: Vec<Item>) -> Result<()> {
        match items.is_empty() {
            true => Ok(()),
            false => self.commit(writer, items),
        }
    }

    /// Returns the current record with its vectors and its state; None if it is no longer pending.
    fn completed_item(
        &self,
        embedded: &Embedded,
        stored: Option<(u32, Item)>,
    ) -> Result<Option<Item>> {
        let (is_pending, configs) = {
            let state = self.state.read();
            let is_pending = state.marks.pending().contains(embedded.version);
            (is_pending, state.configs())
        };
        let Some((_, mut item)) = stored.filter(|(n, _)| is_pending && *n == embedded.version)
        else {
            return Ok(None);
        };
        let is_unchanged = item == embedded.item;
        let outcome = match &embedded.result {
            Ok(found) => {
                item.vectors.clone_from(&found.vectors);
                item.other_vectors.clone_from(&found.other);
                item.fingerprint = Some(found.fingerprint.clone());
                item.content_hash = found.content_hash.clone().filter(|_| is_unchanged);
                match schema::check_item(&configs, &mut item) {
                    // The encoders are no longer those of the collection: others will embed it.
                    Err(Error::FingerprintMismatch { .. }) => return Ok(None),
                    Err(error) => Err(error.to_string()),
                    Ok(()) => Ok(found.warning.clone()),
                }
            }
            Err(reason) => Err(reason.clone()),
        };
        let problem = |status, error: String| EmbeddingState {
            status,
            error: Some(error),
        };
        item.embedding = match outcome {
            Ok(warning) => warning.map(|warning| problem(EmbeddingStatus::Partial, warning)),
            Err(reason) => {
                item.vectors.clear();
                item.other_vectors = None;
                item.fingerprint = None;
                item.content_hash = None;
                Some(problem(EmbeddingStatus::Failed, reason))
            }
        };
        Ok(Some(item))
    }

    /// Adds the vectors of versions that have none.
    fn fill_pending(&self, items: Vec<(u32, Item)>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let indexes = self.state.read().indexes();
        let config = self.config();
        let mut batch = Batch::default();
        let (mut rows, mut marks, mut wanted) = (Vec::new(), Vec::new(), 0);
        for (version, mut item) in items {
            let state = item.embedding.take();
            match &state {
                Some(state) => self.put_mark(&mut batch, version, &item.id, state)?,
                None => batch.delete_setting(self.id, KEY_PREFIX, &item.id),
            }
            marks.push((version, state));
            let own = self.state.read().place(&mut item, None);
            wanted += wanted_bytes(&item, &own, &config, &indexes);
            batch.put_item(self.id, version, &item)?;
            for (name, vector) in own {
                batch.put_vector(self.id, version, &name, &vector);
                rows.push((name, version, vector));
            }
        }
        self.admit(&batch, wanted)?;
        self.store.write(batch)?;
        for (name, index) in &indexes {
            let of_it = rows.iter().filter(|(n, ..)| n == name);
            let of_it: Vec<_> = of_it.map(|(_, n, v)| (*n, v.as_slice())).collect();
            if !of_it.is_empty() {
                index.insert(&of_it);
            }
        }
        let mut state = self.state.write();
        for (version, mark) in marks {
            state.marks.set(version, mark);
        }
        drop(state);
        self.report();
        Ok(())
    }

    /// Marks all items without a vector in the active spaces as pending, also those that could not
    /// be embedded; returns the number of those that were not pending.
    ///
    /// # Errors
    /// The store failed.
    pub fn embed_missing(&self) -> Result<u64> {
        let _writer = self.lock()?;
        let missing = {
            let state = self.state.read();
            let spaces = state.spaces.values();
            let embedded = spaces.fold(state.marks.pending().clone(), |all, s| all | s.members());
            &state.live - embedded
        };
        let missing: Vec<u32> = missing.iter().collect();
        for chunk in missing.chunks(CHUNK_ITEMS) {
            let mut batch = Batch::default();
            let pending = EmbeddingState::new(EmbeddingStatus::Pending);
            {
                let state = self.state.read();
                for version in chunk {
                    if let Some(id) = state.ids.get(version) {
                        self.put_mark(&mut batch, *version, id, &pending)?;
                    }
                }
            }
            self.store.write(batch)?;
            let mut state = self.state.write();
            for version in chunk {
                state.marks.set(*version, Some(pending.clone()));
            }
        }
        Ok(missing.len() as u64)
    }
}
