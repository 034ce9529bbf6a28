//! Readiness and log level of a server, and health of a collection.

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

/// Severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Requests are answered, with worse or fewer results.
    Warning,
    /// Requests fail.
    Error,
}

/// A problem of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthProblem {
    /// Name of the kind of problem, for programs.
    #[schema(example = "items_quarantined")]
    pub code: String,
    /// Severity.
    pub severity: Severity,
    /// Description.
    #[schema(example = "3 stored items cannot be indexed: a, b, c")]
    pub message: String,
    /// Suggested action.
    #[schema(example = "write these items again, or delete them; the log has the causes")]
    pub remedy: String,
}

/// Response of `GET /v1/collections/{c}/health`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollectionHealth {
    /// `ok` without problems, `degraded` with warnings, `unavailable` if requests fail.
    pub status: ReadinessStatus,
    /// Problems, the most severe first.
    pub problems: Vec<HealthProblem>,
}

/// Level of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevel {
    /// Level (`error`, `warn`, `info`, `debug`, `trace`) or filter directives of `tracing`.
    #[schema(example = "info,vitrine=debug", max_length = 4096)]
    pub level: String,
}
