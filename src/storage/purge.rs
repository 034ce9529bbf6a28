//! Purge of deleted records from the files: a deleted record stays in the write-ahead log until its
//! memtable is written, and in tables until they are compacted.

use std::time::{Duration, Instant};

use chrono::Utc;
use rocksdb::{BottommostLevelCompaction, CompactOptions, Direction};

use super::{Batch, Listing, Store, batch::Op, keys};
use crate::Result;

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
        self.write(batch)?;
        *self.purge_due.lock() = Some(Instant::now() + PURGE_DELAY);
        Ok(())
    }

    /// Schedules the purge that an earlier process left.
    pub fn resume_purge(&self) -> Result<()> {
        if self.get("manifest", MARK)?.is_some() {
            *self.purge_due.lock() = Some(Instant::now() + PURGE_DELAY);
        }
        Ok(())
    }

    /// Purges if it is due.
    pub fn purge_if_due(&self) -> Result<()> {
        let is_due = self.purge_due.lock().is_some_and(|at| Instant::now() >= at);
        if is_due { self.purge() } else { Ok(()) }
    }

    /// Rewrites the files without what was deleted.
    pub fn purge(&self) -> Result<()> {
        let (started, erased_before) = (Instant::now(), Utc::now());
        // Records that are erased meanwhile wait for the next purge.
        *self.purge_due.lock() = None;
        self.write(Batch(vec![Op::Delete("manifest", MARK.to_vec())]))?;
        let rocks = self.rocks()?;
        let compacted = (|| {
            rocks.flush()?;
            let mut options = CompactOptions::default();
            options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
            for name in FAMILIES {
                let family = rocks.family(name)?;
                rocks
                    .db
                    .compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
            }
            // The log of the deletions themselves.
            rocks.flush()?;
            self.sequence.follow_manifest(&self.path)?;
            self.complete_erasures(erased_before)
        })();
        if compacted.is_err() {
            self.mark_purge(Batch::default())?;
        }
        tracing::info!(
            seconds = started.elapsed().as_secs_f64(),
            "files rewritten without erased records"
        );
        compacted
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
