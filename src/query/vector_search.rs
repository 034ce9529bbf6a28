//! A search by vector. Its execution is in `collection::search`.

use std::time::Instant;

use vitrine_schemas::FilterSpec;

/// What to be near to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A vector of the space.
    Vector(Vec<f32>),
    /// An item's own vector; the item is left out of the answer.
    Item(String),
}

/// A nearest-neighbour search.
#[derive(Debug, Clone)]
pub struct VectorSearch {
    /// What to be near to.
    pub target: Target,
    /// Vector space.
    pub space: String,
    /// Of encoders with this fingerprint, where they are not those in use: during a re-embedding there are two.
    pub fingerprint: Option<String>,
    /// Only items that match.
    pub filter: Option<FilterSpec>,
    /// How many hits, 1 to 1000.
    pub limit: usize,
    /// Breadth of the graph search.
    pub ef: Option<usize>,
    /// Compare with every vector.
    pub exact: bool,
    /// Return vectors too.
    pub with_vectors: bool,
    /// Tell how the answer was found.
    pub explain: bool,
    /// Give up at this time.
    pub deadline: Option<Instant>,
}
