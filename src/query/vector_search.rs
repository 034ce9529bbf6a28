//! A nearest-neighbor search. It is executed in `collection::search::vector`.

use std::time::Instant;

use vitrine_schemas::FilterSpec;

/// The query vector or item.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A vector of the space, with its dimension.
    Vector(Vec<f32>),
    /// The vector of the item with this id; the item itself is not a hit.
    Item(String),
}

/// A nearest-neighbor search.
#[derive(Debug, Clone)]
pub struct VectorSearch {
    /// The query vector or item.
    pub target: Target,
    /// Name of the vector space.
    pub space: String,
    /// Fingerprint of the encoders that made the query vector, if they are not those in use: during
    /// a re-embedding there are two sets of spaces.
    pub fingerprint: Option<String>,
    /// Filter that hits match.
    pub filter: Option<FilterSpec>,
    /// Number of hits, 1 to 1000.
    pub limit: usize,
    /// Width of the graph search's beam.
    pub ef: Option<usize>,
    /// Compares with every vector instead of searching a graph.
    pub exact: bool,
    /// Returns the vectors of the hits.
    pub with_vectors: bool,
    /// Returns an explanation of the execution.
    pub explain: bool,
    /// Time at which the search fails with a timeout.
    pub deadline: Option<Instant>,
}
