//! Vector spaces of a collection: dimension, metric and quantization.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Distance of a vector space. Responses have a score, where higher is better.
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

/// Quantized codes of sealed segments, used by graph search; hits are reranked by their full
/// vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// Four bits per component of the leading principal components if they find the neighbors of
    /// sampled vectors; otherwise int8, or full vectors if 8 bits cannot distinguish them.
    #[default]
    Auto,
    /// No codes: full vectors in memory.
    None,
    /// One byte per component.
    Int8,
    /// RaBitQ: one bit per component for each neighbor in the graph, in addition to int8; needs
    /// more memory.
    Rabitq,
}

/// A vector space of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorSpace {
    /// Number of components, 1 to 8192.
    pub dim: usize,
    /// Distance of the space.
    #[serde(default)]
    pub metric: Metric,
    /// Quantization of its index.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quantization: Quantization,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
