//! The store: an open data directory.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use parking_lot::{Mutex, RwLock};
use rocksdb::{DBRecoveryMode, WriteOptions};

use super::{
    Batch, Durability,
    clock_guard::ClockGuard,
    directory::{Directory, new_id},
    inspection::{IDENTITY_KEY, inspect},
    reserve::Reserve,
    rocks::{Rocks, storage},
    sequence::SequenceFile,
    store_health::StoreHealth,
    tuning::{FAMILIES, Tuning},
};
use crate::{Error, Result};

/// Memory and disk that RocksDB uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoreSizes {
    /// Bytes of memtables, block cache and table readers.
    pub memory_bytes: u64,
    /// Bytes of its tables, without the write-ahead log.
    pub disk_bytes: u64,
}

/// An open data directory.
pub(crate) struct Store {
    /// None for the moment in which the store is opened again.
    pub(super) rocks: RwLock<Option<Arc<Rocks>>>,
    pub(super) health: Mutex<StoreHealth>,
    pub(super) sequence: SequenceFile,
    pub(super) reserve: Reserve,
    pub(super) tuning: Tuning,
    pub(super) path: PathBuf,
    pub(super) background_errors: Mutex<u64>,
    pub(super) clock_guard: Mutex<ClockGuard>,
    /// Time of the next purge of deleted records, if one is due.
    pub(super) purge_due: Mutex<Option<Instant>>,
    identity: String,
    lost: u64,
    write: WriteOptions,
    /// The last field: unlocked after RocksDB is closed.
    _directory: Directory,
}

impl Store {
    /// Opens the directory, once its format and content are checked: RocksDB changes what it opens.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`], [`Error::Locked`], [`Error::DamagedDirectory`].
    pub fn open(path: &Path, durability: Durability, create: bool) -> Result<Self> {
        let mut directory = Directory::open(path, create)?;
        Self::remove_checkpoints(path);
        let tuning = Tuning::new();
        let known = directory.identity()?;
        let (stored, lost) = match directory.is_new {
            true => (None, 0),
            false => {
                let inspection = inspect(path, &tuning, known.as_deref())?;
                (inspection.identity, inspection.lost)
            }
        };
        if lost > 0 {
            report_loss(path, lost);
        }
        let reserve = Reserve::new(path);
        let mode = DBRecoveryMode::PointInTime;
        let rocks = reserve.with_room(|| Rocks::open(path, &tuning, directory.is_new, mode))?;
        let identity = stored.or(known).unwrap_or_else(new_id);
        let mut sync = WriteOptions::default();
        sync.set_sync(true);
        let family = rocks.family("manifest")?;
        let put = rocks.db.put_cf_opt(family, IDENTITY_KEY, &identity, &sync);
        put.map_err(storage)?;
        for folder in ["segments", "states"] {
            directory.make_folder(folder)?;
        }
        let sequence = SequenceFile::open(path, &rocks)?;
        directory.complete(&identity)?;
        let mut write = WriteOptions::default();
        write.set_sync(durability == Durability::Fsync);
        let store = Self {
            rocks: RwLock::new(Some(Arc::new(rocks))),
            health: Mutex::default(),
            sequence,
            reserve,
            tuning,
            path: path.to_path_buf(),
            background_errors: Mutex::default(),
            clock_guard: Mutex::default(),
            purge_due: Mutex::default(),
            identity,
            lost,
            write,
            _directory: directory,
        };
        store.resume_purge()?;
        Ok(store)
    }

    /// Looks at a directory that no process has open, without a change, and reads every block of
    /// its tables; returns the number of entries.
    pub fn verify_closed(path: &Path) -> Result<u64> {
        let directory = Directory::open(path, false)?;
        if directory.is_new {
            let detail = "expected a data directory, got an empty folder";
            return Err(Error::damaged_directory(path, detail));
        }
        let tuning = Tuning::new();
        let inspection = inspect(path, &tuning, directory.identity()?.as_deref())?;
        if inspection.lost > 0 {
            let detail = format!(
                "{} acknowledged write operations are missing at the end of the write-ahead log",
                inspection.lost
            );
            return Err(Error::damaged_directory(path, detail));
        }
        Rocks::open_read_only(path, &tuning)?.verify()
    }

    /// Returns the id of the database.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns the number of the last write operation, which grows with each write.
    pub fn operations(&self) -> Result<u64> {
        Ok(self.rocks()?.sequence())
    }

    /// Returns the acknowledged write operations that the opening could not find.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the folder of the segment files.
    pub fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// Returns the folder of the state files of collections.
    pub fn states(&self) -> PathBuf {
        self.path.join("states")
    }

    /// Returns the folder of a collection's full-text index.
    pub fn lexical(&self, collection: u32) -> PathBuf {
        self.path.join("lexical").join(format!("{collection:08x}"))
    }

    /// Returns RocksDB. It is not opened again while a caller has it.
    pub(super) fn rocks(&self) -> Result<Arc<Rocks>> {
        let rocks = self.rocks.read().clone();
        rocks.ok_or_else(|| Error::Storage("the store is closed after a failure".into()))
    }

    /// Writes the batch; once this returns `Ok` it may be acknowledged.
    ///
    /// # Errors
    /// [`Error::WritesFail`] while the store is being recovered from a failed write.
    pub fn write(&self, batch: Batch) -> Result<()> {
        self.check_health()?;
        let rocks = self.rocks()?;
        let written = rocks.db.write_opt(batch.encode(&rocks)?, &self.write);
        if let Err(e) = written {
            let e = storage(e);
            self.note_failure(&e);
            return Err(e);
        }
        // The write is in the log, so it is acknowledged whether or not the mark could be set.
        if let Err(e) = self.sequence.advance(&rocks) {
            tracing::warn!("a loss of the last writes would not be noticed: {e}");
        }
        Ok(())
    }

    pub(super) fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rocks()?.get(family, key)
    }

    /// Returns the memory and disk that RocksDB uses.
    pub fn sizes(&self) -> Result<StoreSizes> {
        let rocks = self.rocks()?;
        let sum = |property: &str| -> Result<u64> {
            let of = |name| {
                let value = rocks
                    .db
                    .property_int_value_cf(rocks.family(name)?, property);
                Ok::<_, Error>(value.map_err(storage)?.unwrap_or_default())
            };
            FAMILIES.into_iter().map(of).sum()
        };
        Ok(StoreSizes {
            memory_bytes: self.tuning.memory_bytes() + sum("rocksdb.estimate-table-readers-mem")?,
            disk_bytes: sum("rocksdb.total-sst-files-size")?,
        })
    }

    /// Reads every block of the store and compares its checksum; returns the number of entries.
    pub fn verify(&self) -> Result<u64> {
        self.rocks()?.verify()
    }

    /// Counts keys and values of all column families in which a text occurs.
    #[cfg(test)]
    pub fn mentions(&self, text: &str) -> Result<usize> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        let rocks = self.rocks()?;
        let mut found = 0;
        for family in FAMILIES {
            let family = rocks.family(family)?;
            for entry in rocks.db.iterator_cf(family, rocksdb::IteratorMode::Start) {
                let (key, value) = entry.map_err(storage)?;
                found += usize::from(has(&key)) + usize::from(has(&value));
            }
        }
        Ok(found)
    }

    /// Syncs the write-ahead log to disk.
    pub fn flush(&self) -> Result<()> {
        self.rocks()?.db.flush_wal(true).map_err(storage)?;
        self.sequence.sync()
    }

    /// Writes everything to tables, so that the next start has no log to read.
    pub fn settle(&self) -> Result<()> {
        self.flush()?;
        let rocks = self.rocks()?;
        rocks.flush()?;
        self.sequence.follow_manifest(&self.path)?;
        self.sequence.sync()
    }
}

/// Tells of acknowledged writes that are missing, and keeps the logs: opening the store deletes
/// what is behind the damage.
fn report_loss(path: &Path, lost: u64) {
    let kept = path
        .join("damaged")
        .join(format!("{}", chrono::Utc::now().timestamp()));
    let kept = match keep_logs(path, &kept) {
        Ok(()) => format!("the logs are kept in {}", kept.display()),
        Err(e) => format!("the logs could not be kept: {e}"),
    };
    tracing::error!(
        lost,
        "the write-ahead log is damaged or incomplete: {lost} acknowledged write operations after the damage are missing ({kept}). After a power cut with durability \"os\" this is expected; otherwise check the disk, and restore a backup if the writes are needed"
    );
}

fn keep_logs(from: &Path, to: &Path) -> std::io::Result<()> {
    super::directory::make_private_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|e| e == "log") {
            // A copy: RocksDB writes to the last log again.
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
