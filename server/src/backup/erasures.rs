//! List of erased users and sessions beside the snapshots, so that a restored snapshot forgets who
//! was erased after it was made. The list holds keyed hashes instead of names.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vitrine::{Database, Subject};
use vitrine_schemas::SnapshotInfo;

use super::repository::Repository;

/// Purpose of the key of the hashes (BLAKE3, derived from the id of the database).
const KEY_CONTEXT: &str = "vitrine 2026-11 erased subjects";

/// An erasure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    /// Id of the database.
    pub database: String,
    /// Time of the erasure.
    pub at: DateTime<Utc>,
    /// Hash of the user or session.
    pub subject: String,
}

impl Erasure {
    /// Returns the erasure of a user or session of a database now.
    pub fn now(database: &str, subject: &Subject) -> Self {
        Self {
            database: database.to_owned(),
            at: Utc::now(),
            subject: hash(database, subject),
        }
    }

    /// Returns true if a snapshot may hold what was erased.
    fn concerns(&self, snapshot: &SnapshotInfo) -> bool {
        let made = DateTime::parse_from_rfc3339(&snapshot.created_at);
        // Without a readable time, it may.
        self.database == snapshot.database && made.map_or(true, |made| self.at >= made)
    }
}

fn hash(database: &str, subject: &Subject) -> String {
    let key = blake3::derive_key(KEY_CONTEXT, database.as_bytes());
    let kind = match subject {
        Subject::User(_) => "user:",
        Subject::Session(_) => "session:",
    };
    let text = format!("{kind}{}", subject.name());
    blake3::keyed_hash(&key, text.as_bytes())
        .to_hex()
        .to_string()
}

/// Erases from a restored database who was erased after the snapshot was made; returns the number
/// of users and sessions.
///
/// # Errors
/// The list cannot be read, or the database not changed.
pub async fn replay(
    repository: &Repository,
    snapshot: &SnapshotInfo,
    open: impl FnOnce() -> Result<Database, String> + Send + 'static,
) -> Result<u64, String> {
    let erasures = repository.erasures().await?.into_iter();
    let concerned = erasures.filter(|(_, erasure)| erasure.concerns(snapshot));
    let hashes: std::collections::BTreeSet<String> =
        concerned.map(|(_, erasure)| erasure.subject).collect();
    if hashes.is_empty() {
        return Ok(0);
    }
    let id = snapshot.database.clone();
    super::create::blocking(move || {
        let database = open()?;
        let is_erased = |subject: &Subject| hashes.contains(&hash(&id, subject));
        database.erase_all(is_erased).map_err(|e| e.to_string())
    })
    .await
}

/// Deletes the erasures that no snapshot needs.
///
/// # Errors
/// The target cannot be read or written.
pub async fn prune(repository: &Repository) -> Result<(), String> {
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
        if !is_needed {
            repository.delete_erasure(&name).await?;
        }
    }
    Ok(())
}
