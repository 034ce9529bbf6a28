//! Reasons for hits, shown to shoppers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Reason for a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// `has_words`, `matches`, `also_liked`, `similar_also_liked`, `alike`, `next`, `likely_next`,
    /// `similar`, `following`, `bridge`, `transition`, `bought_together`, `popular`, `new` or
    /// `pinned`.
    pub code: String,
    /// Items that the reason is based on, strongest first.
    pub items: Vec<String>,
    /// Text for shoppers.
    pub text: String,
}
