//! Making of snapshots, and their removal.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use tokio::task::spawn_blocking;
use vitrine::Database;
use vitrine_schemas::{SnapshotInfo, SnapshotState};

use super::{
    manifest::{FileEntry, Manifest},
    repository::Repository,
};

/// Form of the time in the id of a snapshot.
const ID_TIME: &str = "%Y%m%dt%H%M%S%3f";

/// The same of snapshots made before milliseconds were part of it.
const ID_TIME_IN_SECONDS: &str = "%Y%m%dt%H%M%S";

/// Returns the id of a new snapshot; ids sort by time.
pub(super) fn new_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", Utc::now().format(ID_TIME), &random[..8])
}

/// Returns the time of a snapshot from its id.
pub(super) fn created(id: &str) -> Option<DateTime<Utc>> {
    let (time, _) = id.split_once('-')?;
    let parsed = |form| NaiveDateTime::parse_from_str(time, form).ok();
    let time = parsed(ID_TIME).or_else(|| parsed(ID_TIME_IN_SECONDS))?;
    Some(time.and_utc())
}

/// Makes a snapshot of a database that is in use. Files that the target has are not copied.
///
/// # Errors
/// The database cannot be copied, or the target not be written. No part of a snapshot that failed
/// can be restored; what was copied is used by the next one.
pub async fn create(
    database: Arc<Database>,
    repository: &Repository,
    id: String,
) -> Result<SnapshotInfo, String> {
    let started = Instant::now();
    let created_at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let identity = database.id().to_owned();
    let known = known_hashes(repository, &identity).await?;
    let checkpoint = Checkpoint::take(database, id.clone(), known).await?;
    let mut objects = repository.objects().await?;
    let mut copied_bytes = 0;
    for entry in &checkpoint.files {
        if objects.get(&entry.blake3) != Some(&entry.bytes) {
            let path = checkpoint.path(entry);
            repository.upload(&path, &entry.blake3, entry.bytes).await?;
            objects.insert(entry.blake3.clone(), entry.bytes);
            copied_bytes += entry.bytes;
        }
    }
    let files = checkpoint.files;
    let snapshot = SnapshotInfo {
        id,
        state: SnapshotState::Complete,
        database: identity,
        created_at,
        version: env!("CARGO_PKG_VERSION").into(),
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.bytes).sum(),
        copied_bytes,
        seconds: started.elapsed().as_secs_f64(),
        error: None,
    };
    let manifest = Manifest::new(snapshot, files);
    repository.write_manifest(&manifest).await?;
    Ok(manifest.snapshot)
}

/// A copy of a database in use as of a moment, by hard links; it is removed when it is dropped.
pub(crate) struct Checkpoint {
    folder: TempFolder,
    /// Its files, in the order of their names.
    pub files: Vec<FileEntry>,
    /// Number of its last write operation.
    pub operations: u64,
}

impl Checkpoint {
    /// Makes a copy. `known` has files of earlier ones by name: those that cannot have changed
    /// since are not read again for their hashes.
    ///
    /// # Errors
    /// The database cannot be copied, or the copy not be read.
    pub async fn take(
        database: Arc<Database>,
        name: String,
        known: HashMap<String, FileEntry>,
    ) -> Result<Self, String> {
        blocking(move || {
            let made = database.checkpoint(&name).map_err(|e| e.to_string())?;
            let (folder, operations) = (TempFolder(made.0), made.1);
            let listed = list(&folder.0)?.into_iter();
            let hashed = listed.map(|found| with_hash(&folder.0, found, &known));
            let files = hashed.collect::<Result<_, _>>()?;
            Ok(Self {
                folder,
                files,
                operations,
            })
        })
        .await
    }

    /// Returns the path of a file of the copy.
    pub fn path(&self, file: &FileEntry) -> PathBuf {
        self.folder.0.join(&file.name)
    }
}

/// Deletes all but the newest snapshots, then the objects that no snapshot has; returns the number
/// of snapshots deleted.
///
/// # Errors
/// The target cannot be read or written. A damaged manifest is an error: its objects are unknown.
pub async fn prune_snapshots(repository: &Repository, keep: usize) -> Result<usize, String> {
    let ids = repository.ids().await?;
    let old = ids.get(keep..).unwrap_or_default();
    if old.is_empty() {
        return Ok(0);
    }
    for id in old {
        repository.delete_manifest(id).await?;
    }
    let used = used_objects(repository, "").await?;
    delete_others(repository, &used).await?;
    Ok(old.len())
}

/// Deletes a snapshot, and the objects that no other one has; returns false if there is none of
/// that id.
///
/// # Errors
/// As [`prune_snapshots`].
pub async fn delete_snapshot(repository: &Repository, id: &str) -> Result<bool, String> {
    if !repository.ids().await?.iter().any(|known| known == id) {
        return Ok(false);
    }
    // First, so that a damaged manifest leaves all as it is.
    let used = used_objects(repository, id).await?;
    repository.delete_manifest(id).await?;
    delete_others(repository, &used).await?;
    Ok(true)
}

/// Returns the hashes of the objects of all snapshots but one.
async fn used_objects(repository: &Repository, without: &str) -> Result<HashSet<String>, String> {
    let mut used = HashSet::new();
    for (id, manifest) in repository.manifests().await? {
        if id != without {
            used.extend(manifest?.files.into_iter().map(|file| file.blake3));
        }
    }
    Ok(used)
}

/// Deletes the objects that are not used.
async fn delete_others(repository: &Repository, used: &HashSet<String>) -> Result<(), String> {
    for hash in repository.objects().await?.keys() {
        if !used.contains(hash) {
            repository.delete_object(hash).await?;
        }
    }
    Ok(())
}

/// Returns the files of the newest snapshot of a database by name. Tables and segments never
/// change, so those of the same name, size and time need not be read.
async fn known_hashes(
    repository: &Repository,
    database: &str,
) -> Result<HashMap<String, FileEntry>, String> {
    for id in repository.ids().await? {
        match repository.read_manifest(&id).await {
            Ok(manifest) if manifest.snapshot.database == database => {
                let files = manifest.files.into_iter();
                return Ok(files.map(|file| (file.name.clone(), file)).collect());
            }
            Ok(_) => {}
            Err(e) => tracing::warn!("{e}"),
        }
    }
    Ok(HashMap::new())
}

fn with_hash(
    folder: &Path,
    found: FileEntry,
    known: &HashMap<String, FileEntry>,
) -> Result<FileEntry, String> {
    if found.is_immutable()
        && let Some(known) = known.get(&found.name)
        && (known.bytes, known.modified_ns) == (found.bytes, found.modified_ns)
    {
        return Ok(known.clone());
    }
    let (blake3, bytes) = hash(&folder.join(&found.name))?;
    Ok(FileEntry {
        blake3,
        bytes,
        ..found
    })
}

/// Lists the files below a folder in the order of their names, without hashes.
fn list(folder: &Path) -> Result<Vec<FileEntry>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let error = |e: std::io::Error| format!("{}: {e}", next.display());
        for entry in fs::read_dir(&next).map_err(error)? {
            let entry = entry.map_err(error)?;
            let metadata = entry.metadata().map_err(error)?;
            let path = entry.path();
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path);
            files.push(FileEntry {
                name: name.to_string_lossy().into_owned(),
                bytes: metadata.len(),
                modified_ns: metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
                blake3: String::new(),
            });
        }
    }
    // A lock, and messages of RocksDB about itself.
    files.retain(|file| file.name != "LOCK" && !file.name.starts_with("LOG"));
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Returns the hash and the size of a file.
pub(crate) fn hash(path: &Path) -> Result<(String, u64), String> {
    let error = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::open(path).map_err(error)?;
    let mut hasher = blake3::Hasher::new();
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(error)?;
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

/// Runs work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    spawn_blocking(work).await.map_err(|e| e.to_string())?
}

/// A folder that is removed when it is dropped.
struct TempFolder(PathBuf);

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{}: {e}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_snapshot_has_its_time() {
        let time = created(&new_id()).expect("a time");
        assert!(Utc::now().signed_duration_since(time).num_seconds() < 60);
        assert!(created("other").is_none());
    }
}
