//! Replay of erasures: a restored snapshot forgets who was erased after it was made.

use std::{collections::BTreeSet, path::Path};

use chrono::{DateTime, Utc};
use vitrine::Subject;
use vitrine_schemas::SnapshotInfo;

use super::{create::blocking, erasures::hash, repository::Repository, restore::open_offline};

/// Erases from the database that a snapshot was restored to who was erased after the snapshot was
/// made; returns the number of users and sessions.
///
/// # Errors
/// The list cannot be read, or the database not changed.
pub async fn replay(
    repository: &Repository,
    snapshot: &SnapshotInfo,
    folder: &Path,
) -> Result<u64, String> {
    let erasures = repository.erasures().await?.into_iter();
    let concerned = erasures.filter(|(_, erasure)| erasure.concerns(snapshot));
    let hashes: BTreeSet<String> = concerned.map(|(_, erasure)| erasure.subject).collect();
    if hashes.is_empty() {
        return Ok(0);
    }
    let (id, folder) = (snapshot.database.clone(), folder.to_owned());
    blocking(move || {
        let is_erased = |subject: &Subject| hashes.contains(&hash(&id, subject));
        let erased = open_offline(&folder).and_then(|database| database.erase_all(is_erased));
        erased.map_err(|e| e.to_string())
    })
    .await
}

/// Deletes the erasures before a time that no snapshot needs.
///
/// # Errors
/// The target cannot be read or written.
pub async fn prune(repository: &Repository, before: DateTime<Utc>) -> Result<(), String> {
    let manifests = repository.manifests().await?;
    let mut snapshots = Vec::new();
    for (_, manifest) in manifests {
        // A damaged manifest may be repaired by hand.
        let Ok(manifest) = manifest else {
            return Ok(());
        };
        snapshots.push(manifest.snapshot);
    }
    for (name, erasure) in repository.erasures().await? {
        let is_needed = snapshots.iter().any(|snapshot| erasure.concerns(snapshot));
        if !is_needed && erasure.at < before {
            repository.delete_erasure(&name).await?;
        }
    }
    Ok(())
}
