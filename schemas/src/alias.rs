//! Aliases: alternative names of collections, switched atomically.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/aliases`; the actions are applied atomically.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    /// Actions, applied in order.
    pub actions: Vec<AliasAction>,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "action", deny_unknown_fields)]
pub enum AliasAction {
    /// Points the alias at the collection; replaces an existing alias.
    Set {
        /// The alias.
        alias: String,
        /// An existing collection.
        collection: String,
    },
    /// Removes the alias.
    Remove {
        /// The alias.
        alias: String,
    },
}

/// All aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Aliases {
    /// Collection by alias.
    pub aliases: BTreeMap<String, String>,
}
