//! Evaluation reports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A report that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportInfo {
    /// Its name: that of its file without `.json`.
    pub name: String,
    /// When it was written, RFC 3339.
    pub modified_at: String,
    /// Size of its file.
    pub bytes: u64,
}

/// Answer of `GET /v1/reports`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportsResponse {
    /// The newest first; none where no folder of reports is configured.
    pub reports: Vec<ReportInfo>,
}
