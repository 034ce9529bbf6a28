//! Failed writes: detected, reported, and recovered from by reopening RocksDB inside the process.
//!
//! After a write has failed (a full disk, an I/O error), RocksDB refuses all later writes, and
//! `Resume` does not clear every such error (facebook/rocksdb#11643). Opening it again does. Memory
//! holds what was acknowledged; if the store then holds anything else, only a restart makes the two
//! agree.

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rocksdb::{DBRecoveryMode, WriteOptions};

use super::{
    Store,
    directory::free_bytes,
    inspection::IDENTITY_KEY,
    reserve::SLACK_BYTES,
    rocks::{Rocks, storage},
    store_health::StoreHealth,
};
use crate::{Error, Result};

/// Time that an opening waits for reads under way; they hold RocksDB open.
const DRAIN: Duration = Duration::from_secs(2);
const DRAIN_STEP: Duration = Duration::from_millis(5);

impl Store {
    /// Returns whether the store takes writes.
    pub fn health(&self) -> StoreHealth {
        self.health.lock().clone()
    }

    /// # Errors
    /// [`Error::WritesFail`].
    pub(super) fn check_health(&self) -> Result<()> {
        match &*self.health.lock() {
            StoreHealth::Writable => Ok(()),
            StoreHealth::WritesFail { reason, since } => Err(Error::WritesFail {
                reason: reason.clone(),
                since: since.clone(),
            }),
            StoreHealth::RestartNeeded { reason } => Err(Error::Storage(reason.clone())),
        }
    }

    /// Records that a write failed.
    pub(super) fn note_failure(&self, error: &Error) {
        let mut health = self.health.lock();
        if *health == StoreHealth::Writable {
            tracing::error!("writes fail until the store is opened again: {error}");
            *health = StoreHealth::WritesFail {
                reason: error.to_string(),
                since: chrono::Utc::now().to_rfc3339(),
            };
            self.reserve.release();
        }
    }

    /// Notices background errors, keeps room for the log, and recovers from failed writes; to be
    /// called every second.
    pub fn watch(&self) -> Result<()> {
        self.sequence.follow_manifest(&self.path)?;
        match self.health() {
            StoreHealth::Writable => {
                self.notice_background_errors()?;
                self.reserve.keep(log_bytes(&self.path));
                Ok(())
            }
            StoreHealth::WritesFail { reason, .. } => self.recover(&reason),
            StoreHealth::RestartNeeded { .. } => Ok(()),
        }
    }

    fn notice_background_errors(&self) -> Result<()> {
        let rocks = self.rocks()?;
        let property = rocksdb::properties::BACKGROUND_ERRORS;
        let found = rocks.db.property_int_value(property).map_err(storage)?;
        let found = found.unwrap_or_default();
        let mut seen = self.background_errors.lock();
        if found > *seen {
            let error = Error::Storage(format!(
                "RocksDB reported {} errors of flushes or compactions; its log file LOG has them",
                found - *seen
            ));
            self.note_failure(&error);
        }
        *seen = found;
        Ok(())
    }

    /// Tries a write, then to open the store again.
    fn recover(&self, reason: &str) -> Result<()> {
        if self.probe().is_err() {
            let wanted = log_bytes(&self.path).saturating_add(SLACK_BYTES);
            if free_bytes(&self.path).is_some_and(|free| free < wanted) {
                return Ok(());
            }
            if !self.reopen()? {
                return Ok(());
            }
            self.probe()?;
        }
        let mut health = self.health.lock();
        if matches!(*health, StoreHealth::WritesFail { .. }) {
            *health = StoreHealth::Writable;
            tracing::warn!("writes work again; they had failed: {reason}");
        }
        Ok(())
    }

    /// Writes a record that is there already.
    fn probe(&self) -> Result<()> {
        let rocks = self.rocks()?;
        let family = rocks.family("manifest")?;
        let mut sync = WriteOptions::default();
        sync.set_sync(true);
        let put = rocks
            .db
            .put_cf_opt(family, IDENTITY_KEY, self.identity(), &sync);
        put.map_err(storage)?;
        self.sequence.advance(&rocks)
    }

    /// Opens RocksDB again; returns false if reads under way, or a lack of room, prevented it.
    fn reopen(&self) -> Result<bool> {
        let mut slot = self.rocks.write();
        if let Some(rocks) = slot.take()
            && let Err(busy) = close(rocks)
        {
            *slot = Some(busy);
            return Ok(false);
        }
        let opened = Rocks::open(&self.path, &self.tuning, false, DBRecoveryMode::PointInTime);
        let rocks = match opened {
            Ok(rocks) => rocks,
            Err(e) => {
                // Reads go on.
                *slot = Some(Arc::new(Rocks::open_read_only(&self.path, &self.tuning)?));
                return Err(e);
            }
        };
        let (expected, found) = (self.sequence.acknowledged(), rocks.sequence());
        *slot = Some(Arc::new(rocks));
        drop(slot);
        *self.background_errors.lock() = 0;
        if found != expected {
            let reason = format!(
                "after a failed write the store has {found} write operations and {expected} were acknowledged; restart the server"
            );
            tracing::error!("{reason}");
            *self.health.lock() = StoreHealth::RestartNeeded { reason };
            return Ok(false);
        }
        Ok(true)
    }
}

/// Closes RocksDB once no read uses it; returns it if some do for longer.
fn close(mut rocks: Arc<Rocks>) -> Result<(), Arc<Rocks>> {
    let started = Instant::now();
    loop {
        match Arc::try_unwrap(rocks) {
            Ok(rocks) => {
                drop(rocks);
                return Ok(());
            }
            Err(shared) if started.elapsed() > DRAIN => return Err(shared),
            Err(shared) => rocks = shared,
        }
        thread::sleep(DRAIN_STEP);
    }
}

/// Returns the bytes of the write-ahead log.
fn log_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else {
        return 0;
    };
    let logs = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "log"));
    logs.filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}
