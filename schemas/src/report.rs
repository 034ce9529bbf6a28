//! Evaluation reports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An evaluation report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportInfo {
    /// Name: the file name without `.json`.
    pub name: String,
    /// Time of the last modification, RFC 3339.
    pub modified_at: String,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// Response of `GET /v1/reports`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportsResponse {
    /// Reports, newest first; empty if no report folder is configured.
    pub reports: Vec<ReportInfo>,
}
