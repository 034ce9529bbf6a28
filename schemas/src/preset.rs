//! Saved query configurations: how to search, under a name.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A way to search that requests name; fields that a request has itself count instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Name within the collection. Taken from the path where the body has none.
    #[serde(default)]
    pub id: String,
    /// For whom to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Fields of a search's body, all but `query`, `cursor` and `preset`.
    #[schema(value_type = Object)]
    pub search: Map<String, Value>,
}

/// Presets of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Presets {
    /// In the order of their names.
    pub presets: Vec<Preset>,
}
