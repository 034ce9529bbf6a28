//! Room on the disk for an opening after the disk was full.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use rustix::fs::FallocateFlags;

use super::directory::free_bytes;
use crate::{Error, Result};

/// Bytes that must be free, besides those of the log, before the store is opened again.
pub(super) const SLACK_BYTES: u64 = 16 << 20;

/// Bytes of a log below which no room is kept for it.
const SMALL_LOG_BYTES: u64 = 4 << 20;

/// A file that takes room on the disk, which is given back when RocksDB needs it: an opening writes
/// the log to tables first, so without room a full disk could not even be read after a restart.
pub(super) struct Reserve {
    path: PathBuf,
    folder: PathBuf,
    bytes: Mutex<u64>,
}

impl Reserve {
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("VITRINE_RESERVE");
        let bytes = fs::metadata(&path).map_or(0, |m| m.len());
        Self {
            path,
            folder: folder.to_path_buf(),
            bytes: Mutex::new(bytes),
        }
    }

    /// Runs an opening, again without the reserve if it fails.
    pub fn with_room<T>(&self, open: impl Fn() -> Result<T>) -> Result<T> {
        match open() {
            Err(Error::Storage(e)) if e.contains("No space left") && *self.bytes.lock() > 0 => {
                self.release();
                open()
            }
            other => other,
        }
    }

    /// Keeps room to write a log of so many bytes to tables, if the disk has it.
    pub fn keep(&self, log_bytes: u64) {
        if log_bytes < SMALL_LOG_BYTES {
            return;
        }
        let wanted = (log_bytes + log_bytes / 4).next_multiple_of(SLACK_BYTES);
        let mut bytes = self.bytes.lock();
        let has_room = free_bytes(&self.folder).is_some_and(|free| free > 2 * wanted);
        if wanted <= *bytes || !has_room {
            return;
        }
        match self.allocate(wanted) {
            Ok(()) => *bytes = wanted,
            Err(e) => tracing::debug!("no room is kept for the log: {e}"),
        }
    }

    fn allocate(&self, bytes: u64) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path)?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        Ok(())
    }

    /// Gives the room back.
    pub fn release(&self) {
        let mut bytes = self.bytes.lock();
        if let Err(e) = fs::remove_file(&self.path)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{}: {e}", self.path.display());
        }
        *bytes = 0;
    }
}
