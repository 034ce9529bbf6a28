//! Files that are received before they are read. They are on the disk of the data directory, so
//! that the disk reserve covers them, and what a crash leaves is removed at the next start.

use std::{fs, path::PathBuf};

use crate::{Database, Error, Result, storage::remove_folder};

impl Database {
    /// Returns the folder for received files; it exists.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn uploads(&self) -> Result<PathBuf> {
        let path = self.uploads_path();
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Refuses a file of `bytes` that would leave less of the disk free than the reserve.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn admit_upload(&self, bytes: u64) -> Result<()> {
        self.limiter.admit_disk(bytes)
    }

    /// Removes the files of an earlier process.
    pub(super) fn remove_uploads(&self) {
        remove_folder(&self.uploads_path());
    }

    fn uploads_path(&self) -> PathBuf {
        self.limiter.folder().join("uploads")
    }
}
