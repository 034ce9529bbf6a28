//! Files of states on the disk of a replica, by the hash of their content, and data directories
//! made of them.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use futures_util::{StreamExt, TryStreamExt, stream};
use vitrine::Database;

use super::state::State;
use crate::backup::{FileEntry, Repository, fetch, hash, make_folder};

/// Files that are fetched at once.
const DOWNLOADS: usize = 8;

/// File with the state that was served last.
const LAST: &str = "state.json";

/// The folder of a replica.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    /// Number of data directories made.
    opened: Arc<AtomicU64>,
}

impl Cache {
    /// Opens the folder, which is made; data directories that an earlier process left are removed.
    ///
    /// # Errors
    /// It has a database of a writer, or cannot be written.
    pub fn open(folder: &Path) -> Result<Self, String> {
        if folder.join("VITRINE_FORMAT").exists() {
            return Err(format!(
                "{}: expected an empty folder or that of a replica, got the data directory of a database; choose another --data-dir",
                folder.display()
            ));
        }
        let cache = Self {
            folder: folder.to_owned(),
            opened: Arc::default(),
        };
        remove_folder(&cache.versions())?;
        make_folder(&cache.objects())?;
        make_folder(&cache.versions())?;
        Ok(cache)
    }

    fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    fn versions(&self) -> PathBuf {
        self.folder.join("versions")
    }

    fn object(&self, file: &FileEntry) -> PathBuf {
        self.objects().join(&file.blake3)
    }

    /// Fetches the files of a state that are not here; returns their bytes.
    ///
    /// # Errors
    /// A file is missing in the store or damaged; the others are kept for the next attempt.
    pub async fn fetch(&self, repository: &Repository, state: &State) -> Result<u64, String> {
        let by_hash = state.objects().map(|file| (&file.blake3, file));
        let missing = by_hash.collect::<BTreeMap<_, _>>().into_values();
        let missing: Vec<_> = missing.filter(|file| !self.has(file)).collect();
        stream::iter(&missing)
            .map(|file| async move {
                let (path, part) = (self.object(file), self.object(file).with_extension("part"));
                remove_file(&part)?;
                fetch(repository, file, &part).await?;
                fs::rename(&part, &path).map_err(|e| format!("{}: {e}", path.display()))
            })
            .buffer_unordered(DOWNLOADS)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(missing.iter().map(|file| file.bytes).sum())
    }

    fn has(&self, file: &FileEntry) -> bool {
        fs::metadata(self.object(file)).is_ok_and(|found| found.len() == file.bytes)
    }

    /// Makes a data directory of the files of a state. Files that never change are links.
    ///
    /// # Errors
    /// A file is not here, or the folder cannot be written.
    pub fn build(&self, state: &State) -> Result<PathBuf, String> {
        let version = self.opened.fetch_add(1, Relaxed);
        let folder = self.versions().join(version.to_string());
        remove_folder(&folder)?;
        make_folder(&folder)?;
        for file in &state.files {
            let (from, to) = (self.object(file), folder.join(&file.name));
            to.parent().map_or(Ok(()), make_folder)?;
            let made = match file.is_immutable() {
                true => fs::hard_link(&from, &to),
                false => fs::copy(&from, &to).map(|_| ()),
            };
            made.map_err(|e| format!("{}: {e}", to.display()))?;
        }
        Ok(folder)
    }

    /// Repeats the writes of slices of the log in an open copy.
    ///
    /// # Errors
    /// A slice is not here or damaged, or the copy failed; it must then be replaced.
    pub fn replay(&self, database: &Database, slices: &[FileEntry]) -> Result<(), String> {
        for slice in slices {
            let path = self.object(slice);
            let error = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let bytes = fs::read(&path).map_err(|e| error(&e))?;
            database.replay(&bytes).map_err(|e| error(&e))?;
        }
        Ok(())
    }

    /// Removes the files of a state whose content is not that of their hash; returns their number.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_damaged(&self, state: &State) -> Result<usize, String> {
        let mut removed = 0;
        for file in state.objects() {
            let path = self.object(file);
            let is_whole = hash(&path).is_ok_and(|(hash, _)| hash == file.blake3);
            if !is_whole {
                remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Records the state that is served, and removes all files that it does not need.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep(&self, state: &State) -> Result<(), String> {
        let error = |e: io::Error| format!("{}: {e}", self.folder.display());
        let unfinished = self.folder.join(LAST).with_extension("new");
        fs::write(&unfinished, state.encode()?).map_err(error)?;
        fs::rename(&unfinished, self.folder.join(LAST)).map_err(error)?;
        let used: HashSet<_> = state.objects().map(|file| &file.blake3).collect();
        for entry in fs::read_dir(self.objects()).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !used.contains(&name) {
                remove_file(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the state that was served last, if it can be read.
    pub fn last(&self) -> Option<State> {
        let bytes = fs::read(self.folder.join(LAST)).ok()?;
        State::parse(&bytes).ok()
    }
}

/// Removes a folder, if it is there.
///
/// # Errors
/// It cannot be removed.
pub fn remove_folder(folder: &Path) -> Result<(), String> {
    ignore_missing(folder, fs::remove_dir_all(folder))
}

fn remove_file(path: &Path) -> Result<(), String> {
    ignore_missing(path, fs::remove_file(path))
}

fn ignore_missing(path: &Path, result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(format!("{}: {e}", path.display())),
        _ => Ok(()),
    }
}
