//! Minimum number of people behind what figures and reasons tell.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Settings of what may be told about few people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnonymityConfig {
    /// Minimum number of users, or sessions without a user, behind a query or a day among the
    /// figures of searches, and behind a reason that names what others did, 1 to 1000; 1 withholds
    /// nothing.
    #[schema(minimum = 1, maximum = 1000)]
    pub min_users: u32,
}

impl Default for AnonymityConfig {
    fn default() -> Self {
        Self { min_users: 1 }
    }
}

impl AnonymityConfig {
    /// Returns true if something may be withheld.
    pub fn is_on(&self) -> bool {
        self.min_users > 1
    }
}
