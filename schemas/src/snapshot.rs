//! Snapshots: backups of a whole database.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// State of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotState {
    /// Its files are being copied.
    Running,
    /// It can be restored.
    #[default]
    Complete,
    /// It could not be made; `error` says why.
    Failed,
}

/// A snapshot of all collections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotInfo {
    /// Its id: the time of its creation and a random suffix.
    #[schema(example = "20260301t020000-4f1c")]
    pub id: String,
    /// State.
    #[serde(default)]
    pub state: SnapshotState,
    /// Id of the database.
    pub database: String,
    /// Time that its content is of, RFC 3339.
    pub created_at: String,
    /// Version of the server that made it.
    pub version: String,
    /// Number of files.
    pub files: u64,
    /// Size of all files in bytes.
    pub bytes: u64,
    /// Size in bytes of the files that no earlier snapshot had, which were copied.
    pub copied_bytes: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Cause of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Response of `GET /v1/snapshots`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotsResponse {
    /// Snapshots in the target, newest first, and those of this server that run or failed.
    pub snapshots: Vec<SnapshotInfo>,
}

/// Query parameters of `POST /v1/snapshots`.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SnapshotParams {
    /// Respond when the snapshot is complete; otherwise it is made in the background.
    #[serde(default = "yes")]
    #[param(default = true)]
    pub wait: bool,
}

fn yes() -> bool {
    true
}
