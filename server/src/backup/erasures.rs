//! Erased users and sessions beside the snapshots, as keyed hashes instead of names.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use vitrine::Subject;
use vitrine_schemas::SnapshotInfo;

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
    pub fn concerns(&self, snapshot: &SnapshotInfo) -> bool {
        self.database == snapshot.database && may_predate(snapshot, self.at)
    }
}

/// Returns true if the content of a snapshot may be that before a time.
pub fn may_predate(snapshot: &SnapshotInfo, time: DateTime<Utc>) -> bool {
    let made = DateTime::parse_from_rfc3339(&snapshot.created_at);
    // Without a readable time, it may.
    made.map_or(true, |made| time >= made)
}

/// Returns the hash of a user or session under the key of a database.
pub fn hash(database: &str, subject: &Subject) -> String {
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
