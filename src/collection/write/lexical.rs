//! The texts of items in the full-text index, and its synchronization with the records.

use std::{path::Path, time::Duration};

use vitrine_schemas::{CollectionConfig, Item};

use crate::{
    Result,
    collection::{Collection, State, Writer, state::item_texts::texts},
    lexical::LexicalIndex,
    storage::{Store, remove_folder},
};

/// Time without a write after which pending texts are committed and the writer's memory is
/// released.
const IDLE_TIME: Duration = Duration::from_millis(500);

/// Items read at once.
const CHUNK_ITEMS: usize = 4096;

impl State {
    /// Adds live items that the index does not cover.
    pub(in crate::collection) fn catch_up(
        &self,
        lexical: &LexicalIndex,
        store: &Store,
        id: u32,
    ) -> Result<()> {
        let covered = lexical.covered();
        let missing: Vec<u32> = self.live.range(covered..).collect();
        for chunk in missing.chunks(CHUNK_ITEMS) {
            let ids = chunk.iter().filter_map(|n| Some(self.ids.get(n)?.as_str()));
            let records = store.items(id, &ids.collect::<Vec<_>>())?;
            let found = records.into_iter().flatten();
            let found: Vec<_> = found
                .filter(|(internal_id, _)| *internal_id >= covered)
                .map(|(internal_id, item)| (internal_id, texts(&self.config, &item)))
                .collect();
            let end = chunk.last().map_or(0, |n| n.saturating_add(1));
            lexical.add(found, end)?;
        }
        Ok(())
    }
}

impl Collection {
    /// Links the committed files of the full-text index into a folder of this folder. Without them,
    /// an opening builds the index from the records.
    pub(crate) fn link_texts(&self, folder: &Path) {
        let (from, to) = (self.store.lexical(self.id), folder);
        let Some(name) = from.file_name() else {
            return;
        };
        let to = to.join(name);
        if let Err(e) = self.lexical.link_files(&from, &to) {
            tracing::warn!(
                collection = self.name,
                "the full-text index is not copied: {e}"
            );
            remove_folder(&to);
        }
    }

    /// Adds the texts of new items; they are found once the items are live. A failure is repaired
    /// by the next search and does not fail the write.
    pub(in crate::collection) fn index_texts(
        &self,
        config: &CollectionConfig,
        fresh: &[(u32, Item)],
    ) {
        let Some((last, _)) = fresh.last() else {
            return;
        };
        let items = fresh.iter().map(|(n, item)| (*n, texts(config, item)));
        if let Err(e) = self.lexical.add(items, last.saturating_add(1)) {
            tracing::warn!(collection = self.name, "full-text index: {e}");
        }
    }

    /// Removes items that are no longer live.
    pub(in crate::collection) fn remove_texts(&self, internal_ids: impl IntoIterator<Item = u32>) {
        if let Err(e) = self.lexical.remove(internal_ids) {
            tracing::warn!(collection = self.name, "full-text index: {e}");
        }
    }

    /// Commits pending texts, so that every acknowledged write is found.
    pub(in crate::collection) fn refresh_texts(&self) -> Result<()> {
        if !self.lexical.has_failed() && self.lexical.refresh().is_ok() {
            return Ok(());
        }
        self.repair_texts(&self.writer.lock())
    }

    /// Adds the uncommitted texts again after a failure. No write may be under way.
    fn repair_texts(&self, _writer: &Writer) -> Result<()> {
        if self.lexical.has_failed() {
            tracing::warn!(
                collection = self.name,
                "full-text index failed: adding uncommitted texts again"
            );
            self.lexical.begin_again();
            let state = self.state.read();
            state.catch_up(&self.lexical, &self.store, self.id)?;
            drop(state);
            self.lexical.refresh()?;
        }
        Ok(())
    }

    /// Commits pending texts of an idle collection and releases the writer.
    pub(crate) fn maintain_lexical(&self) -> Result<()> {
        let is_quiet = match self.writer.try_lock() {
            Some(writer) => !writer.dropped && writer.written.elapsed() >= IDLE_TIME,
            None => false,
        };
        if is_quiet {
            self.refresh_texts()?;
            self.lexical.release_writer()?;
        }
        Ok(())
    }
}
