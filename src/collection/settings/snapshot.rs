//! The stored settings of a collection, and the snapshot of them that searches read.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::Serialize;

use super::kinds::{Setting, Stored};
use crate::{
    Result,
    lexical::{self, QueryRewrite, Synonyms},
    rules::RuleSet,
    storage::Store,
};

/// Bytes of memory of the settings and what is prepared of them, as a multiple of their JSON.
pub(super) const MEMORY_FACTOR: u64 = 4;

/// Key prefix of the stop words; they are one record, with an empty id.
pub(super) const STOP_WORDS: u8 = b'w';

/// Prepared settings that searches read.
#[derive(Default)]
pub(in crate::collection) struct Snapshot {
    pub(super) stored: Stored,
    pub rules: RuleSet,
    pub query_rewrite: QueryRewrite,
    /// Groups of synonyms, those of one direction included.
    pub synonym_groups: Arc<Vec<Vec<String>>>,
    /// Bytes of all settings as JSON.
    pub(super) json_bytes: u64,
}

impl Snapshot {
    pub(super) fn of(stored: Stored) -> Self {
        let json_bytes = stored.json_bytes();
        let words = stored.stop_words.words.iter().map(String::as_str);
        let stop_words = lexical::StopWords::new(words, stored.stop_words.keep_common);
        let mut synonyms = Synonyms::default();
        for synonym in stored.synonyms.values() {
            match synonym.to.as_slice() {
                [] => synonyms.add_equal(&synonym.words),
                to => synonyms.add_one_way(&synonym.words, to),
            }
        }
        let groups = stored.synonyms.values();
        let groups = groups.map(|s| [&s.words[..], &s.to[..]].concat());
        Self {
            synonym_groups: Arc::new(groups.collect()),
            rules: RuleSet::new(stored.rules.values(), stop_words.clone()),
            query_rewrite: QueryRewrite {
                synonyms,
                stop_words,
            },
            json_bytes,
            stored,
        }
    }

    /// Returns the approximate bytes of memory.
    pub fn bytes(&self) -> u64 {
        MEMORY_FACTOR * self.json_bytes
    }

    pub(super) fn read(store: &Store, collection: u32) -> Result<Self> {
        let stored = Stored {
            rules: read(store, collection)?,
            synonyms: read(store, collection)?,
            presets: read(store, collection)?,
            experiments: read(store, collection)?,
            stop_words: store
                .settings(collection, STOP_WORDS)?
                .pop()
                .unwrap_or_default(),
        };
        Ok(Self::of(stored))
    }
}

fn read<S: Setting>(store: &Store, collection: u32) -> Result<BTreeMap<String, S>> {
    let stored = store.settings::<S>(collection, S::KEY_PREFIX)?;
    let named = stored.into_iter().map(|s| (s.id().to_owned(), s));
    Ok(named.collect())
}

/// Counts what is written to it.
struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Stored {
    /// Returns the bytes of all settings as JSON.
    pub(super) fn json_bytes(&self) -> u64 {
        fn of(settings: &impl Serialize) -> u64 {
            let mut count = Count(0);
            // Settings have been JSON, and a counter takes all bytes.
            serde_json::to_writer(&mut count, settings).map_or(0, |()| count.0)
        }
        let lists = of(&self.rules) + of(&self.synonyms) + of(&self.stop_words);
        lists + of(&self.presets) + of(&self.experiments)
    }
}

/// The settings of a collection.
pub(in crate::collection) struct Settings {
    pub(super) now: ArcSwap<Snapshot>,
    /// Held during a change; true once the collection is dropped.
    pub(super) change: Mutex<bool>,
}

impl Settings {
    /// Reads the settings from the store.
    pub fn open(store: &Store, collection: u32) -> Result<Self> {
        Ok(Self {
            now: ArcSwap::from_pointee(Snapshot::read(store, collection)?),
            change: Mutex::default(),
        })
    }

    /// Returns the current snapshot.
    pub fn now(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    /// Refuses later changes; none is under way when it returns.
    pub fn close(&self) {
        *self.change.lock() = true;
    }
}
