//! The texts of items in the lexical index, and how it keeps up with the records.

use std::time::Duration;

use serde_json::Value;
use vitrine_schemas::{CollectionConfig, Item};

use super::{Collection, State, Writer};
use crate::{
    Result,
    lexical::{LexicalIndex, Texts},
    storage::Store,
};

/// A collection without a write for so long has its last ones made ready, and the writer's memory given back.
const QUIET: Duration = Duration::from_millis(500);

/// Items read at once.
const CHUNK: usize = 4096;

/// What is searched by words: title, brand, category, id and attributes of words, description.
pub(super) fn texts(config: &CollectionConfig, item: &Item) -> Texts {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut attributes = item.id.clone();
    for (name, value) in &item.attributes {
        if config
            .attributes
            .get(name)
            .is_some_and(|kind| kind.is_words())
        {
            add_words(&mut attributes, value);
        }
    }
    [
        given(&item.title),
        given(&item.brand),
        given(&item.category),
        attributes,
        given(&item.description),
    ]
}

/// Values are apart by a sign, not side by side.
fn add_words(text: &mut String, value: &Value) {
    match value {
        Value::String(word) => {
            text.push_str(" | ");
            text.push_str(word);
        }
        Value::Array(values) => values.iter().for_each(|v| add_words(text, v)),
        _ => {}
    }
}

impl State {
    /// Adds live items that the index does not cover.
    pub(super) fn catch_up(&self, lexical: &LexicalIndex, store: &Store, id: u32) -> Result<()> {
        let covered = lexical.covered();
        let missing: Vec<u32> = self.live.range(covered..).collect();
        for numbers in missing.chunks(CHUNK) {
            let ids = numbers
                .iter()
                .filter_map(|n| Some(self.ids.get(n)?.as_str()));
            let records = store.items(id, &ids.collect::<Vec<_>>())?;
            let found = records.into_iter().flatten();
            let found: Vec<_> = found
                .filter(|(number, _)| *number >= covered)
                .map(|(number, item)| (number, texts(&self.config, &item)))
                .collect();
            let end = numbers.last().map_or(0, |n| n.saturating_add(1));
            lexical.add(found, end)?;
        }
        Ok(())
    }
}

impl Collection {
    /// Puts new items into the index, unseen until they are live. A failure costs time at the next search, no write.
    pub(super) fn index_words(&self, config: &CollectionConfig, fresh: &[(u32, Item)]) {
        let Some((last, _)) = fresh.last() else {
            return;
        };
        let items = fresh.iter().map(|(n, item)| (*n, texts(config, item)));
        if let Err(e) = self.lexical.add(items, last.saturating_add(1)) {
            tracing::warn!(collection = self.name, "lexical index: {e}");
        }
    }

    /// Takes items out of the index that are no longer live.
    pub(super) fn forget_words(&self, numbers: impl IntoIterator<Item = u32>) {
        if let Err(e) = self.lexical.remove(numbers) {
            tracing::warn!(collection = self.name, "lexical index: {e}");
        }
    }

    /// Makes the index have all that was acknowledged before.
    pub(super) fn refresh_words(&self) -> Result<()> {
        if !self.lexical.has_failed() && self.lexical.refresh().is_ok() {
            return Ok(());
        }
        self.mend_words(&self.writer.lock())
    }

    /// After a failure: adds again what was not committed. No write may be under way.
    fn mend_words(&self, _writer: &Writer) -> Result<()> {
        if self.lexical.has_failed() {
            tracing::warn!(
                collection = self.name,
                "lexical index: adding again what it lost"
            );
            self.lexical.begin_again();
            let state = self.state.read();
            state.catch_up(&self.lexical, &self.store, self.id)?;
            drop(state);
            self.lexical.refresh()?;
        }
        Ok(())
    }

    /// Keeps the index at hand where nothing was written for a while.
    pub(crate) fn maintain_words(&self) -> Result<()> {
        let is_quiet = match self.writer.try_lock() {
            Some(writer) => !writer.dropped && writer.written.elapsed() >= QUIET,
            None => false,
        };
        if is_quiet {
            self.refresh_words()?;
            self.lexical.rest()?;
        }
        Ok(())
    }
}
