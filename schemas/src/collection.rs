//! Collections: their schema, vector spaces and state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Distance of a vector space. Lower is nearer; answers give a score where higher is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// 1 - cosine similarity; score = cosine similarity.
    #[default]
    Cosine,
    /// Inner product; score = inner product.
    Dot,
    /// Euclidean distance; score = 1 / (1 + distance).
    L2,
}

/// Type of an attribute. Every type may hold one value or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    /// Exact strings.
    Keyword,
    /// Path of levels joined by ` > `; a filter on a prefix of levels matches everything below it.
    Category,
    /// 64-bit integer.
    Integer,
    /// 64-bit float.
    Float,
    /// true or false.
    Bool,
    /// RFC 3339 time.
    Datetime,
    /// Stored, not filterable.
    Text,
}

/// One vector space of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorSpace {
    /// Number of components, 1 to 8192.
    pub dim: usize,
    /// Distance of the space.
    #[serde(default)]
    pub metric: Metric,
}

/// What a collection is created with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// Attribute types by name. The built-in fields `category`, `brand`, `price`, `availability`, `created_at` are always filterable.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces by name, at least one of `shared`, `text`, `image` or a name of your own.
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Fingerprint of the encoders that fill the spaces; vectors from another one are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Changes to a collection: attributes and vector spaces may be added, never retyped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionPatch {
    /// Attributes to add.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces to add.
    #[serde(default)]
    pub vectors: BTreeMap<String, VectorSpace>,
}

/// A collection as reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// Its configuration.
    #[serde(flatten)]
    pub config: CollectionConfig,
    /// Live items, hidden ones included.
    pub items: u64,
    /// Live vectors by space.
    pub vector_counts: BTreeMap<String, u64>,
    /// Aliases that point here.
    pub aliases: Vec<String>,
}
