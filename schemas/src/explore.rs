//! Exploration: hits of a page that are drawn among items with little evidence.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Exploration. Some hits of a page are drawn at random among items that were rarely shown and have
/// few events, so that new items earn events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExploreSpec {
    /// Maximum number of explored hits of a page, 0 to 100; 0: none.
    #[schema(maximum = 100)]
    pub max_per_page: usize,
}

/// Exploration of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplorationUse {
    /// Number of items that the explored hits were drawn from.
    pub candidates: u64,
    /// Number of explored hits.
    pub explored: u64,
}
