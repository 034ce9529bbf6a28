//! Readiness of a server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Readiness of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessStatus {
    /// Everything works.
    #[default]
    Ok,
    /// Requests are served; something that `reasons` names does not work.
    Degraded,
    /// Writes fail, or the server must be restarted.
    Unavailable,
}

/// Response of `GET /readyz`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Status.
    pub status: ReadinessStatus,
    /// Causes of any other status than `ok`.
    pub reasons: Vec<String>,
}
