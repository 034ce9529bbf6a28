//! Aliases: second names of collections, swapped atomically.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/aliases`: all actions take effect, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    /// Carried out in order, in one step.
    pub actions: Vec<AliasAction>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "action", deny_unknown_fields)]
pub enum AliasAction {
    /// Points the alias at the collection, wherever it pointed before.
    Set {
        /// Second name.
        alias: String,
        /// Existing collection.
        collection: String,
    },
    /// Removes the alias.
    Remove {
        /// Second name.
        alias: String,
    },
}

/// All aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Aliases {
    /// Collection by alias.
    pub aliases: BTreeMap<String, String>,
}
