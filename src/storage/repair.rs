//! Repair of a damaged directory: whatever can be read is kept.

use std::{fs, io, path::Path};

use rocksdb::{DB, DBRecoveryMode};

use super::{
    Store,
    directory::{Directory, new_id},
    inspection::IDENTITY_KEY,
    rocks::{Rocks, storage},
    sequence::SequenceFile,
    tuning::Tuning,
};
use crate::{Error, Result};

impl Store {
    /// Makes a directory that is refused open again: RocksDB's manifest is written anew from the
    /// tables and logs that can be read, and others are moved to `lost/`. Returns the number of
    /// entries. Deletions may be undone, and writes in what is damaged are gone.
    ///
    /// # Errors
    /// [`Error::Locked`]; nothing can be read.
    pub fn repair(path: &Path) -> Result<u64> {
        let mut directory = Directory::open(path, false)?;
        let tuning = Tuning::new();
        // A family without a table is created.
        let mut options = tuning.database(false, DBRecoveryMode::SkipAnyCorruptedRecord);
        options.create_missing_column_families(true);
        DB::repair(&options, path).map_err(storage)?;
        let opened = DB::open_cf_descriptors(&options, path, tuning.families());
        let rocks = Rocks {
            db: opened.map_err(storage)?,
        };
        let stored = rocks.get("manifest", IDENTITY_KEY)?;
        let stored = stored.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let identity = match stored.or(directory.identity()?) {
            Some(identity) => identity,
            None => new_id(),
        };
        let family = rocks.family("manifest")?;
        let put = rocks.db.put_cf(family, IDENTITY_KEY, &identity);
        put.map_err(storage)?;
        rocks.flush()?;
        let entries = rocks.verify()?;
        // They describe the store as it was.
        let states = path.join("states");
        match fs::remove_dir_all(&states) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io {
                    path: states,
                    source,
                });
            }
            _ => {}
        }
        SequenceFile::open(path, &rocks)?.sync()?;
        directory.complete(&identity)?;
        Ok(entries)
    }
}
