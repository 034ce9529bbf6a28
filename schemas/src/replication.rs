//! Replication of a server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Role of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplicationRole {
    /// No replication is configured.
    #[default]
    Single,
    /// It takes changes and publishes them.
    Writer,
    /// It serves what a writer published.
    Replica,
}

/// Response of `GET /v1/replication`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplicationInfo {
    /// Role of the server.
    pub role: ReplicationRole,
    /// Version that reads are answered from at least, as in the header `x-vitrine-version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "3.18234")]
    pub version: Option<String>,
    /// Number of the writer, which grows with each start of a writer.
    pub epoch: u64,
    /// Number of the state that was published last, or is served; 0 for none.
    pub state: u64,
    /// Seconds since that state was known to be all of the writer's database; the clocks of both
    /// machines count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Seconds for which the store has had a later state than this replica serves.
    pub behind_seconds: f64,
    /// Epoch of the writer that took over from this one, which therefore refuses changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced_by: Option<u64>,
    /// Cause of the last failure, if nothing succeeded since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Failures since the start.
    pub errors: u64,
    /// States published or served since the start.
    pub states: u64,
    /// Bytes copied to or from the store since the start.
    pub copied_bytes: u64,
    /// Seconds from the begin of the last state until it was published or served.
    pub seconds: f64,
    /// Address to which this replica forwards changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_url: Option<String>,
}
