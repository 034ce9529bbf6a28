//! Restoring and checking of snapshots.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use vitrine::{Database, Options};
use vitrine_schemas::SnapshotInfo;

use super::{
    manifest::{FileEntry, Manifest},
    repository::Repository,
};

/// The file that makes a folder a data directory; it is written last.
const LAST: &str = "VITRINE_FORMAT";

/// Copies a snapshot into an empty or new folder, with a check of every file.
///
/// # Errors
/// The folder is not empty, or the snapshot is missing or damaged. What was copied until then is
/// not a data directory, so no server opens it.
pub async fn restore(
    repository: &Repository,
    id: Option<&str>,
    folder: &Path,
) -> Result<SnapshotInfo, String> {
    let manifest = find(repository, id).await?;
    restore_files(repository, &manifest.files, folder).await?;
    Ok(manifest.snapshot)
}

/// Copies the files of a database into an empty or new folder, with a check of every file.
///
/// # Errors
/// As [`restore`].
pub(crate) async fn restore_files(
    repository: &Repository,
    files: &[FileEntry],
    folder: &Path,
) -> Result<(), String> {
    check_empty(folder)?;
    make_folder(folder)?;
    let (last, others): (Vec<_>, Vec<_>) = files.iter().partition(|f| f.name == LAST);
    if last.is_empty() {
        return Err(format!(
            "expected a data directory, got files without {LAST}"
        ));
    }
    for file in others.into_iter().chain(last) {
        fetch(repository, file, &folder.join(&file.name)).await?;
    }
    sync_folders(folder, files)
}

/// A folder in which a database is restored, inside of the one that it is for: what is interrupted
/// is not a data directory.
pub(crate) struct Staging {
    target: PathBuf,
    folder: PathBuf,
}

impl Staging {
    /// Begins in an empty or new folder.
    ///
    /// # Errors
    /// It is not empty, or cannot be made.
    pub fn begin(target: &Path) -> Result<Self, String> {
        check_empty(target)?;
        let folder = target.join("restoring");
        make_folder(&folder)?;
        Ok(Self {
            target: target.to_owned(),
            folder,
        })
    }

    /// Returns the folder to restore to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder a data directory, once its database is complete and closed.
    ///
    /// # Errors
    /// A file cannot be moved.
    pub fn finish(self) -> Result<(), String> {
        let error = |path: &Path, e: io::Error| format!("{}: {e}", path.display());
        let entries = fs::read_dir(&self.folder).map_err(|e| error(&self.folder, e))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(|e| error(&self.folder, e))?.file_name());
        }
        // Last the file that makes it a data directory.
        names.sort_by_key(|name| name == LAST);
        for name in names {
            let from = self.folder.join(&name);
            fs::rename(&from, self.target.join(&name)).map_err(|e| error(&from, e))?;
        }
        fs::remove_dir(&self.folder).map_err(|e| error(&self.folder, e))?;
        let synced = File::open(&self.target).and_then(|folder| folder.sync_all());
        synced.map_err(|e| error(&self.target, e))
    }
}

/// Opens a data directory to copy or complete it, without serving it.
///
/// # Errors
/// As [`Database::open`].
pub(crate) fn open_offline(folder: &Path) -> vitrine::Result<Database> {
    let options = Options {
        create: false,
        index_threads: 0,
        canary: false,
        ..Options::default()
    };
    Database::open(folder, options)
}

/// Reads all files of a snapshot and compares their hashes.
///
/// # Errors
/// The snapshot is missing or damaged; the message names every damaged file.
pub async fn verify(repository: &Repository, id: Option<&str>) -> Result<SnapshotInfo, String> {
    let manifest = find(repository, id).await?;
    // Files with the same content are read once.
    let objects: BTreeMap<_, _> = manifest
        .files
        .iter()
        .map(|file| (&file.blake3, file))
        .collect();
    let mut damaged = Vec::new();
    for (hash, file) in objects {
        let read = repository.download(hash, file.bytes, |_| Ok(()));
        if let Err(e) = read.await {
            damaged.push(format!("{}: {e}", file.name));
        }
    }
    match damaged.as_slice() {
        [] => Ok(manifest.snapshot),
        damaged => Err(format!(
            "snapshot {} is damaged:\n{}",
            manifest.snapshot.id,
            damaged.join("\n")
        )),
    }
}

/// Reads the manifest of a snapshot, or of the newest one.
async fn find(repository: &Repository, id: Option<&str>) -> Result<Manifest, String> {
    if let Some(id) = id {
        return repository.read_manifest(id).await;
    }
    match repository.ids().await?.first() {
        Some(id) => repository.read_manifest(id).await,
        None => Err(format!("{} has no snapshot", repository.target())),
    }
}

fn check_empty(folder: &Path) -> Result<(), String> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("{}: {e}", folder.display())),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(format!(
            "expected an empty or new folder, got {}, which is not empty; choose another one",
            folder.display()
        )),
    }
}

/// Makes a folder and its parents, for this user only.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| format!("{}: {e}", folder.display()))
}

/// Copies an object to a new file, with a check of its hash.
///
/// # Errors
/// The object is missing or damaged, or the file cannot be written.
pub(crate) async fn fetch(
    repository: &Repository,
    entry: &FileEntry,
    path: &Path,
) -> Result<(), String> {
    let error = |e: std::io::Error| format!("{}: {e}", path.display());
    path.parent().map_or(Ok(()), make_folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(error)?;
    repository
        .download(&entry.blake3, entry.bytes, |part| {
            file.write_all(part).map_err(error)
        })
        .await
        .map_err(|e| format!("{}: {e}", entry.name))?;
    file.sync_all().map_err(error)
}

/// Syncs the entries of all folders of a restored directory to disk.
fn sync_folders(folder: &Path, files: &[FileEntry]) -> Result<(), String> {
    let inner = files.iter().map(|file| folder.join(&file.name));
    let folders = inner.filter_map(|path| path.parent().map(Path::to_path_buf));
    let folders: std::collections::BTreeSet<_> = folders.collect();
    for folder in folders {
        let synced = File::open(&folder).and_then(|f| f.sync_all());
        synced.map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Ok(())
}
