//! Settings and size of the search log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Settings of the search log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchLogConfig {
    /// Record searches.
    pub enabled: bool,
    /// Age in days at which recorded searches are removed.
    pub retention_days: f64,
    /// Maximum number of recorded searches; the oldest are removed.
    pub max_searches: u64,
}

impl Default for SearchLogConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            retention_days: 90.0,
            max_searches: 1_000_000,
        }
    }
}

/// State of the search log. The counts are those since the start, except `stored`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchLogInfo {
    /// Number of searches in the log.
    pub stored: u64,
    /// Number of searches recorded.
    pub recorded: u64,
    /// Number of searches not recorded, because more arrived than could be written.
    pub dropped: u64,
    /// Number of searches removed because of their age or number.
    pub expired: u64,
}
