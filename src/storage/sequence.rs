//! The sequence file: what the log and RocksDB's manifest held when the last write was
//! acknowledged, so that an opening notices what is missing.
//!
//! RocksDB cannot tell a log or a manifest that was cut short from one whose last record was being
//! written when the process died. This file can: it is written after each write, to the page cache
//! of the system, so it survives the process as the log does. A power cut may keep it and lose the
//! end of the log; those writes are then reported as missing, which they are.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use super::rocks::Rocks;
use crate::{Error, Result};

const FILE: &str = "VITRINE_SEQUENCE";
const MAGIC: &[u8; 8] = b"VITSEQ\x00\x01";
const BYTES: usize = 36;

/// Number and size of RocksDB's manifest (`MANIFEST-<number>`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RocksManifest {
    pub number: u64,
    pub bytes: u64,
}

impl RocksManifest {
    /// Returns the manifest in use; None if there is none, or no such file.
    pub fn current(folder: &Path) -> Option<Self> {
        let current = fs::read_to_string(folder.join("CURRENT")).ok()?;
        let name = current.trim();
        let number = name.strip_prefix("MANIFEST-")?.parse().ok()?;
        let bytes = fs::metadata(folder.join(name)).ok()?.len();
        Some(Self { number, bytes })
    }
}

/// State of a store as of the last acknowledged write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the last write operation.
    pub sequence: u64,
    /// RocksDB's manifest, as last seen.
    pub manifest: RocksManifest,
}

impl Mark {
    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        let numbers = [self.sequence, self.manifest.number, self.manifest.bytes];
        for (i, number) in numbers.into_iter().enumerate() {
            bytes[8 + 8 * i..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if body.len() != BYTES - 4 || !body.starts_with(MAGIC) {
            return None;
        }
        let number = |i: usize| body[8 + 8 * i..].first_chunk::<8>().copied();
        let mark = Self {
            sequence: u64::from_le_bytes(number(0)?),
            manifest: RocksManifest {
                number: u64::from_le_bytes(number(1)?),
                bytes: u64::from_le_bytes(number(2)?),
            },
        };
        (crc32fast::hash(body) == u32::from_le_bytes(*checksum)).then_some(mark)
    }
}

/// The file, open for updates.
pub(super) struct SequenceFile {
    path: PathBuf,
    file: File,
    last: Mutex<Mark>,
}

impl SequenceFile {
    /// Reads the mark of a directory; None if the file is missing or unreadable.
    pub fn read(folder: &Path) -> Option<Mark> {
        let mark = fs::read(folder.join(FILE)).ok();
        mark.and_then(|bytes| Mark::decode(&bytes))
    }

    /// Opens the file of a directory and sets it to the state of a store.
    pub fn open(folder: &Path, rocks: &Rocks) -> Result<Self> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        let last = Mutex::default();
        let opened = Self { path, file, last };
        opened.set(Mark {
            sequence: rocks.sequence(),
            manifest: RocksManifest::current(folder).unwrap_or_default(),
        })?;
        Ok(opened)
    }

    /// Returns the number of the last write operation that was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.last.lock().sequence
    }

    /// Records an acknowledged write.
    pub fn advance(&self, rocks: &Rocks) -> Result<()> {
        let mut last = self.last.lock();
        let sequence = rocks.sequence();
        if sequence > last.sequence {
            last.sequence = sequence;
            self.store(*last)?;
        }
        Ok(())
    }

    /// Records the size of RocksDB's manifest.
    pub fn follow_manifest(&self, folder: &Path) -> Result<()> {
        let manifest = RocksManifest::current(folder).unwrap_or_default();
        let mut last = self.last.lock();
        if manifest != last.manifest {
            last.manifest = manifest;
            self.store(*last)?;
        }
        Ok(())
    }

    /// Sets the file to a mark.
    pub fn set(&self, mark: Mark) -> Result<()> {
        *self.last.lock() = mark;
        self.store(mark)
    }

    /// Syncs the file to disk.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| self.io(e))
    }

    fn store(&self, mark: Mark) -> Result<()> {
        let written = self.file.write_all_at(&mark.encode(), 0);
        written.map_err(|e| self.io(e))
    }

    fn io(&self, source: io::Error) -> Error {
        let path = self.path.clone();
        Error::Io { path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_written_and_damage_is_noticed() {
        let mark = Mark {
            sequence: 7,
            manifest: RocksManifest {
                number: 5,
                bytes: 1 << 40,
            },
        };
        let mut bytes = mark.encode();
        assert_eq!(Mark::decode(&bytes), Some(mark));
        bytes[9] ^= 1;
        assert_eq!(Mark::decode(&bytes), None);
        assert_eq!(Mark::decode(&bytes[..20]), None);
    }
}
