//! Purge of deleted records from the files: a deleted record stays in the write-ahead log until its
//! memtable is written, and in tables until they are compacted.

use std::time::{Duration, Instant};

use chrono::Utc;
use rocksdb::{
    BottommostLevelCompaction, CompactOptions, Direction, properties::BACKGROUND_ERRORS,
};

use super::{Batch, Listing, Store, batch::Op, keys, rocks::storage};
use crate::{Error, Result};

/// Column families with records of users.
const FAMILIES: [&str; 2] = ["events", "models"];

/// Key of the mark that a purge is due.
const MARK: &[u8] = b"purge";

/// Time from an erasure to the purge, so that one purge serves several; at least the time in which
/// models are trained anew.
pub(crate) const PURGE_DELAY: Duration = Duration::from_secs(120);

impl Store {
    /// Writes a batch that also makes a purge due, even if the process ends before it.
    pub fn mark_purge(&self, mut batch: Batch) -> Result<()> {
        let value = Utc::now().to_rfc3339().into_bytes();
        batch.0.push(Op::Put("manifest", MARK.to_vec(), value));
        // Locked meanwhile, so that a purge that ends now leaves the mark.
        let mut due = self.purge_due.lock();
        self.write(batch)?;
        *due = Some(Instant::now() + PURGE_DELAY);
        Ok(())
    }

    /// Schedules the purge that an earlier process left.
    pub fn resume_purge(&self) -> Result<()> {
        if self.get("manifest", MARK)?.is_some() {
            *self.purge_due.lock() = Some(Instant::now() + PURGE_DELAY);
        }
        Ok(())
    }

    /// Returns true if a purge is scheduled.
    #[cfg(test)]
    pub fn is_purge_due(&self) -> bool {
        self.purge_due.lock().is_some()
    }

    /// Purges if it is due.
    pub fn purge_if_due(&self) -> Result<()> {
        let is_due = self.purge_due.lock().is_some_and(|at| Instant::now() >= at);
        if is_due { self.purge() } else { Ok(()) }
    }

    /// Rewrites the files without what was deleted.
    ///
    /// # Errors
    /// The store failed; the purge is then due again.
    pub fn purge(&self) -> Result<()> {
        self.purge_by(Self::rewrite)
    }

    /// Purges by `rewrite`. The mark stays until it is done, so that the next process purges if
    /// this one ends before.
    fn purge_by(&self, rewrite: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let (started, erased_before) = (Instant::now(), Utc::now());
        // Records that are erased meanwhile wait for the next purge.
        *self.purge_due.lock() = None;
        let purged = rewrite(self)
            .and_then(|()| self.complete_erasures(erased_before))
            .and_then(|()| self.unmark_purge());
        if let Err(e) = purged {
            let mut due = self.purge_due.lock();
            due.get_or_insert_with(|| Instant::now() + PURGE_DELAY);
            return Err(e);
        }
        tracing::info!(
            seconds = started.elapsed().as_secs_f64(),
            "files rewritten without erased records"
        );
        Ok(())
    }

    /// Deletes the mark, unless another purge was made due meanwhile.
    fn unmark_purge(&self) -> Result<()> {
        let due = self.purge_due.lock();
        if due.is_some() {
            return Ok(());
        }
        self.write(Batch(vec![Op::Delete("manifest", MARK.to_vec())]))
    }

    fn rewrite(&self) -> Result<()> {
        let rocks = self.rocks()?;
        let errors = || {
            let found = rocks.db.property_int_value(BACKGROUND_ERRORS);
            found.map_err(storage).map(Option::unwrap_or_default)
        };
        let before = errors()?;
        rocks.flush()?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for name in FAMILIES {
            let family = rocks.family(name)?;
            rocks
                .db
                .compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
        }
        // A compaction returns no result.
        let failed = errors()?.saturating_sub(before);
        if failed > 0 {
            return Err(Error::Storage(format!(
                "the files could not be rewritten without erased records, and will be again: \
                 RocksDB reported {failed} errors of flushes or compactions; its log file LOG has \
                 them"
            )));
        }
        // The log of the deletions themselves.
        rocks.flush()?;
        self.sequence.follow_manifest(&self.path)
    }

    /// Calls `each` with every user (or session) of a collection's events and searches.
    pub fn scan_subjects(
        &self,
        collection: u32,
        listing: Listing,
        mut each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let prefix = keys::listing(collection, listing);
        let rocks = self.rocks()?;
        let mut last: Vec<u8> = Vec::new();
        let entries = rocks.entries("events", &prefix, &prefix, Direction::Forward)?;
        for entry in entries {
            let (key, _) = entry?;
            let Some(name) = keys::listed_name(&key) else {
                continue;
            };
            if name != last.as_slice() {
                last = name.to_vec();
                if let Ok(name) = std::str::from_utf8(name) {
                    each(name)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    #[test]
    fn the_mark_stays_until_the_files_are_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::default(), true).unwrap();
        let is_marked = |store: &Store| store.get("manifest", MARK).unwrap().is_some();
        store.mark_purge(Batch::default()).unwrap();
        let failed = store.purge_by(|store| {
            assert!(is_marked(store), "a kill would lose the purge");
            Err(Error::Storage("no room".into()))
        });
        assert!(failed.is_err() && is_marked(&store) && store.is_purge_due());
        // An erasure while the files are rewritten.
        store
            .purge_by(|store| store.mark_purge(Batch::default()))
            .unwrap();
        assert!(is_marked(&store) && store.is_purge_due());
        store.purge().unwrap();
        assert!(!is_marked(&store) && !store.is_purge_due());
    }
}
