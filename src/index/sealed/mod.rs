//! Sealed segments: read-only graphs, laid out for the processor's caches.
//!
//! Each vector has a fixed number of links, in one array, ordered by cluster. A graph search
//! compares codes: int8 or projected ones of the vectors (`Graph::Adjacency`), or 1-bit ones of
//! each vertex's neighbors, stored with its links (`Graph::QuantizedAdjacency`). The remaining
//! candidates are rescored by the vectors themselves.
//!
//! | file | content |
//! |---|---|
//! | `segment` | [`SealedSegment`] and its accessors |
//! | `search`, `filtered` | graph search, filtered graph search, scan and rescoring of a segment |
//! | `clusters` | k-means clusters, for queries far from all vectors that may be results |
//! | `graph_search` | best-first search over the links, with and without a filter |
//! | `tuning` | thresholds of sealed segments, and the benchmarks that measured them |
//! | `build`, `graph_builder`, `layout` | construction: codes, links, order of the points |
//! | `projection` | choice of the number of projected components |
//! | `points`, `blocks`, `buffer`, `mips` | vectors and codes in memory |
//! | `file` | segment files |
//! | `reachability`, `memory_estimates` | health and size |

mod beam;
mod blocks;
mod buffer;
mod build;
mod clusters;
mod file;
mod filtered;
mod graph_builder;
mod graph_search;
mod layout;
mod memory_estimates;
mod mips;
mod point_offsets;
mod points;
mod prefetch;
mod projection;
mod reachability;
mod search;
mod segment;
#[cfg(test)]
mod tests;
mod tuning;

pub use self::{
    search::SegmentQuery,
    segment::{Codes, SealedSegment},
};

/// Number of links of a vector.
const DEGREE: usize = 32;

/// Placeholder after the last link of a vector.
const NONE: u32 = u32::MAX;
