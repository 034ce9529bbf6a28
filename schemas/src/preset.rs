//! Presets: saved search configurations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A saved search configuration; fields of a request override those of its preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Id within the collection; taken from the path if the body has none.
    #[serde(default)]
    pub id: String,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Fields of a search request except `query`, `cursor` and `preset`.
    #[schema(value_type = Object)]
    pub search: Map<String, Value>,
}

/// Presets of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Presets {
    /// Presets, sorted by id.
    pub presets: Vec<Preset>,
}
