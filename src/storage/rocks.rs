//! RocksDB while it is open: column families, reads, scans.

use std::path::Path;

use rocksdb::{
    ColumnFamily, DB, DBRecoveryMode, Direction, ErrorKind, FlushOptions, IteratorMode, ReadOptions,
};

use super::{
    codec::{Manifest, corrupt},
    tuning::{FAMILIES, Tuning},
};
use crate::{Error, Result};

/// A key and its value.
type Entry = (Box<[u8]>, Box<[u8]>);

pub(super) const MANIFEST_KEY: &[u8] = b"manifest";

/// RocksDB, open.
pub(super) struct Rocks {
    pub db: DB,
}

impl Rocks {
    /// Opens the database for reads and writes; this replays its log and may delete files.
    pub fn open(path: &Path, tuning: &Tuning, is_new: bool, mode: DBRecoveryMode) -> Result<Self> {
        let options = tuning.database(is_new, mode);
        let db = DB::open_cf_descriptors(&options, path, tuning.families());
        db.map(|db| Self { db }).map_err(|e| opening(path, e))
    }

    /// Opens the database for reads; no file is changed.
    pub fn open_read_only(path: &Path, tuning: &Tuning) -> Result<Self> {
        let options = tuning.database(false, DBRecoveryMode::PointInTime);
        let db = DB::open_cf_descriptors_read_only(&options, path, tuning.families(), false);
        db.map(|db| Self { db }).map_err(|e| opening(path, e))
    }

    pub fn family(&self, name: &'static str) -> Result<&ColumnFamily> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| corrupt(name, "the column family is missing"))
    }

    /// Returns the entries whose keys begin with `prefix`, from `start` on in a direction.
    pub fn entries<'a>(
        &'a self,
        family: &'static str,
        prefix: &'a [u8],
        start: &[u8],
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<Entry>> + 'a> {
        let mode = IteratorMode::From(start, direction);
        let all = self.db.iterator_cf(self.family(family)?, mode);
        let all = all.map(|entry| entry.map_err(storage));
        let has_prefix = move |entry: &Result<Entry>| match entry {
            Ok((key, _)) => key.starts_with(prefix),
            Err(_) => true,
        };
        Ok(all.take_while(has_prefix))
    }

    pub fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.family(family)?, key).map_err(storage)
    }

    /// Reads the manifest; a new directory has an empty one.
    pub fn manifest(&self) -> Result<Manifest> {
        match self.get("manifest", MANIFEST_KEY)? {
            None => Ok(Manifest::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt("manifest", e)),
        }
    }

    /// Returns the number of the last write operation.
    pub fn sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    /// Writes all memtables to tables, so that the log is empty.
    pub fn flush(&self) -> Result<()> {
        let families = FAMILIES.map(|name| self.family(name));
        let families = families.into_iter().collect::<Result<Vec<_>>>()?;
        let wait = FlushOptions::default();
        self.db.flush_cfs_opt(&families, &wait).map_err(storage)
    }

    /// Reads every block of every table and compares its checksum; returns the number of entries.
    pub fn verify(&self) -> Result<u64> {
        let mut entries = 0;
        for name in FAMILIES {
            let mut options = ReadOptions::default();
            options.set_verify_checksums(true);
            options.fill_cache(false);
            // Deleted ranges are read too: a table below one may be damaged.
            #[allow(deprecated)]
            options.set_ignore_range_deletions(true);
            let family = self.family(name)?;
            let all = self
                .db
                .iterator_cf_opt(family, options, IteratorMode::Start);
            for entry in all {
                entry.map_err(storage)?;
                entries += 1;
            }
        }
        Ok(entries)
    }
}

/// Returns the error of an operation.
pub(super) fn storage(error: rocksdb::Error) -> Error {
    match error.kind() {
        ErrorKind::Corruption => Error::Damaged(error.to_string()),
        _ => Error::Storage(error.to_string()),
    }
}

/// Returns the error of an opening. Only an I/O error that names the file `LOCK` is a lock: other
/// messages contain "lock" as a part of "block".
fn opening(path: &Path, error: rocksdb::Error) -> Error {
    let text = error.to_string();
    let is_lock = text.contains("lock hold by current process") || text.contains("/LOCK:");
    match error.kind() {
        ErrorKind::IOError if is_lock => Error::Locked(path.to_path_buf()),
        ErrorKind::Corruption => Error::damaged_directory(path, text),
        // A missing or empty CURRENT, or missing column families.
        ErrorKind::InvalidArgument => Error::damaged_directory(path, text),
        ErrorKind::IOError if text.contains("No such file") => Error::damaged_directory(path, text),
        _ => Error::Storage(text),
    }
}
