//! Collections: their schema, vector spaces and state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BehaviorConfig, BehaviorInfo, BehaviorPatch, ReembeddingInfo};

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
    /// Searched by its words, not filterable.
    Text,
}

impl AttributeType {
    /// Whether its values are words to search by.
    pub fn is_words(self) -> bool {
        matches!(self, Self::Keyword | Self::Category | Self::Text)
    }
}

/// Codes by which the sealed part of an index is walked; answers are ranked by the vectors themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// Four bits a component of the leading principal components, where those find the neighbours of sampled vectors; int8
    /// elsewhere, or the vectors as they are where 8 bits cannot tell them apart.
    #[default]
    Auto,
    /// The vectors as they are, in memory.
    None,
    /// A byte a component.
    Int8,
    /// A bit a component of each neighbour in the graph, beside int8: more memory.
    Rabitq,
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
    /// Codes of its index.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantization: Quantization,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a collection is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// Attribute types by name. The built-in fields `category`, `brand`, `price`, `availability`, `created_at`, `expires_at` are always filterable.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces by name, at least one of `shared`, `text`, `image` or a name of your own.
    pub vectors: BTreeMap<String, VectorSpace>,
    /// Fingerprint of the encoders that fill the spaces; vectors from another one are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How it learns from events.
    #[serde(default, skip_serializing_if = "is_default")]
    pub behavior: BehaviorConfig,
}

/// Changes to a collection: attributes and vector spaces may be added, never retyped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionPatch {
    /// Attributes to add.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Vector spaces to add.
    #[serde(default)]
    pub vectors: BTreeMap<String, VectorSpace>,
    /// How it is to learn from events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorPatch>,
}

/// Memory of an index by what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndexMemory {
    /// Bytes of codes, links and numbers of sealed parts.
    pub sealed_bytes: u64,
    /// Bytes of vectors not sealed yet.
    pub unsealed_bytes: u64,
    /// Bytes of the graph that follows behind them, about.
    pub growing_bytes: u64,
    /// Bytes of what is being sealed or merged, about; not counted for the memory bound.
    pub building_bytes: u64,
}

/// How well a space is searched: sampled searches are done again exactly, in the background.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecallInfo {
    /// Mean share of the 10 nearest that was found; equal distances count.
    pub mean: f64,
    /// Searches measured, the last 1000 at most.
    pub samples: u64,
    /// When the first of them was measured, RFC 3339.
    pub since: String,
}

/// State of the index of a vector space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexInfo {
    /// Vectors in sealed parts, those of items deleted or replaced since included.
    pub sealed: u64,
    /// Vectors not sealed yet.
    pub unsealed: u64,
    /// Sealed parts.
    pub parts: u64,
    /// Bytes in memory, beside vectors that are mapped from files.
    pub memory_bytes: u64,
    /// The same by what it is for.
    pub memory: IndexMemory,
    /// Bytes of vectors mapped from files.
    pub mapped_bytes: u64,
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Vectors that no walk through a sealed part can reach: 0 in a healthy one; absent until it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<u64>,
    /// Recall of the searches of late, measured in the background; absent before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<RecallInfo>,
    /// The part being made, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<BuildInfo>,
}

/// A part of an index being made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildInfo {
    /// Vectors it will have.
    pub vectors: u64,
    /// Vectors done.
    pub done: u64,
}

/// A collection as reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// Bytes in memory of ids, filters and the like, about.
    #[serde(default)]
    pub records_bytes: u64,
    /// State of the index by space.
    #[serde(default)]
    pub indexes: BTreeMap<String, IndexInfo>,
    /// What of the events is in memory.
    #[serde(default)]
    pub events: BehaviorInfo,
    /// The re-embedding under way, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reembedding: Option<ReembeddingInfo>,
    /// Aliases that point here.
    pub aliases: Vec<String>,
}
