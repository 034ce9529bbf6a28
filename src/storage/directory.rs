//! The data directory around RocksDB: its format version, its lock, its identity, and the
//! permissions of what is in it.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use crate::{Error, Result};

/// Version of the data directory.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "VITRINE_FORMAT";

/// File with the id of the database, which is also a record of the store.
const IDENTITY_FILE: &str = "VITRINE_ID";

/// File that exists while a new directory is being made.
const UNFINISHED_FILE: &str = "VITRINE_NEW";

/// A data directory that this process has locked.
pub(super) struct Directory {
    path: PathBuf,
    /// True while the store has yet to be created.
    pub is_new: bool,
    /// Holds the lock until it is closed.
    _lock: File,
}

impl Directory {
    /// Locks a directory after a check of its format, before RocksDB touches it.
    pub fn open(path: &Path, create: bool) -> Result<Self> {
        let is_known = check_format(path, create)?;
        let lock = lock(path)?;
        let is_new = !is_known || path.join(UNFINISHED_FILE).exists();
        if !is_known {
            write_atomic(&path.join(UNFINISHED_FILE), b"")?;
            let version = format!("{FORMAT}\n");
            write_atomic(&path.join(FORMAT_FILE), version.as_bytes())?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            is_new,
            _lock: lock,
        })
    }

    /// Returns the id of the database in the directory; None in a directory that an earlier version
    /// wrote.
    pub fn identity(&self) -> Result<Option<String>> {
        let path = self.path.join(IDENTITY_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Records the id of the database, and that the directory is complete.
    pub fn complete(&mut self, identity: &str) -> Result<()> {
        if self.identity()?.as_deref() != Some(identity) {
            let line = format!("{identity}\n");
            write_atomic(&self.path.join(IDENTITY_FILE), line.as_bytes())?;
        }
        self.is_new = false;
        match fs::remove_file(self.path.join(UNFINISHED_FILE)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(&self.path, e)),
            _ => Ok(()),
        }
    }

    /// Makes a copy of a store a data directory of a database.
    pub fn write_identity(path: &Path, identity: &str) -> Result<()> {
        let files = [
            (IDENTITY_FILE, identity.to_owned()),
            (FORMAT_FILE, FORMAT.to_string()),
        ];
        for (name, line) in files {
            write_atomic(&path.join(name), format!("{line}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Makes a folder of the directory, for this user only.
    pub fn make_folder(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        make_private_folder(&path).map_err(|source| Error::Io { path, source })
    }
}

/// Returns a random id, as of a new database.
pub(crate) fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Writes a file atomically: under a temporary name, synced, then renamed.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), sync_folder)
    };
    write().map_err(|source| Error::Io {
        path: path.to_path_buf(),
        source,
    })
}

/// Syncs the entries of a folder to disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a folder, if it is there; a failure is logged.
pub(crate) fn remove_folder(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %path.display(), "cannot be removed: {e}");
        }
        _ => {}
    }
}

/// Makes a folder and its parents, for this user only.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Returns the bytes free for this process on the disk of a folder; None if they are unknown.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    match rustix::fs::statvfs(folder) {
        Ok(stat) => Some(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(e) => {
            tracing::debug!(folder = %folder.display(), "free disk space is unknown: {e}");
            None
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_path_buf();
    Error::Io { path, source }
}

/// Returns true for a data directory of this version, false for an empty folder, which is made if
/// it is missing and may be created.
fn check_format(path: &Path, create: bool) -> Result<bool> {
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(found) => check_version(path, &found).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(unreadable_version(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make_empty(path, create)?;
            Ok(false)
        }
        Err(e) => Err(io_error(path, e)),
    }
}

fn check_version(path: &Path, found: &str) -> Result<()> {
    match found.trim().parse() {
        Ok(FORMAT) => warn_if_readable(path),
        Ok(found) => Err(Error::UnsupportedFormat {
            path: path.to_path_buf(),
            found,
            supported: FORMAT,
        }),
        Err(_) => Err(unreadable_version(path)),
    }
}

fn unreadable_version(path: &Path) -> Error {
    let detail = format!(
        "{FORMAT_FILE}: expected a line with a format version, got something else; if this version of Vitrine wrote the directory, write \"{FORMAT}\" and a newline to that file"
    );
    Error::damaged_directory(path, detail)
}

fn make_empty(path: &Path, create: bool) -> Result<()> {
    if path.exists() {
        let ours = [FORMAT_FILE, UNFINISHED_FILE].map(|name| {
            let name = Path::new(name);
            [name.to_path_buf(), name.with_extension("new")]
        });
        let foreign = |entry: &fs::DirEntry| {
            let name = PathBuf::from(entry.file_name());
            !ours.as_flattened().contains(&name)
        };
        let entries = fs::read_dir(path).map_err(|e| io_error(path, e))?;
        if entries.flatten().any(|entry| foreign(&entry)) {
            return Err(Error::Storage(format!(
                "expected an empty folder or a Vitrine data directory, got {}, which is not empty and has no {FORMAT_FILE}; choose another folder",
                path.display()
            )));
        }
    } else if !create {
        return Err(io_error(path, io::ErrorKind::NotFound.into()));
    }
    make_private_folder(path).map_err(|e| io_error(path, e))
}

/// Locks the folder itself, which no one can remove by hand as they can RocksDB's `LOCK`.
fn lock(path: &Path) -> Result<File> {
    let folder = File::open(path).map_err(|e| io_error(path, e))?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked(path.to_path_buf())),
        // Some network file systems have no such locks; RocksDB's own remains.
        Err(e) => {
            tracing::debug!(folder = %path.display(), "the folder cannot be locked: {e}");
            Ok(folder)
        }
    }
}

fn warn_if_readable(path: &Path) -> Result<()> {
    let mode = fs::metadata(path).map_err(|e| io_error(path, e))?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            folder = %path.display(),
            "the data directory has mode {mode:o}: other users can read events; run chmod 700"
        );
    }
    Ok(())
}
