//! A sealed segment and its accessors.

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::Metric;

use super::{
    DEGREE,
    blocks::Blocks,
    buffer::Buffer,
    clusters::Clusters,
    mips::MipsToL2,
    point_offsets::PointOffsets,
    points::{Points, row},
};
use crate::distance;

/// Form of the vectors that a graph search compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codes {
    /// The vectors themselves.
    None,
    /// One byte per component.
    Int8,
    /// Four bits per component of the leading principal components, if a few of those suffice;
    /// otherwise int8.
    Projected,
    /// One bit per component, of each neighbor as seen from the vertex; int8 for the vertex itself.
    RaBitQ,
}

/// A read-only approximate index of vectors.
///
/// It consists of
/// - the internal ids of its vectors, by *point offset* (in the order of the layout) and as a set,
///   and the point offsets by internal id;
/// - a graph, whose first points are the entry points of searches;
/// - points: the codes that searches compare;
/// - the vectors themselves, in memory or mapped from a file.
pub struct SealedSegment {
    pub(super) to_l2: MipsToL2,
    /// By point offset.
    pub(super) internal_ids: Vec<u32>,
    pub(super) members: RoaringBitmap,
    pub(super) offsets: PointOffsets,
    /// Number of points, from the first on, that searches start from.
    pub(super) entry_points: u32,
    pub(super) points: Points,
    pub(super) graph: Graph,
    /// None if there are few vectors.
    pub(super) clusters: Option<Clusters>,
    pub(super) vectors: Buffer,
    pub(super) file: Option<PathBuf>,
    /// Identifies the segment within this process.
    pub(super) serial: u64,
    /// Number of vectors that no graph search reaches, once counted.
    pub(super) unreachable: OnceLock<u64>,
}

/// Returns a number that no other segment of this process has.
pub(super) fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Links of all points.
pub(super) enum Graph {
    /// [`DEGREE`] point offsets per vector, [`super::NONE`] after the last.
    Adjacency(Buffer),
    /// The same with codes of the neighbors.
    QuantizedAdjacency(Blocks),
}

impl SealedSegment {
    /// Number of bytes in memory, without the vectors if they are mapped from a file.
    pub fn bytes(&self) -> usize {
        let graph = match &self.graph {
            Graph::Adjacency(links) => links.len(),
            Graph::QuantizedAdjacency(blocks) => blocks.bytes().len(),
        };
        let ids = size_of_val(self.internal_ids.as_slice()) + self.offsets.bytes();
        let vectors = self.vectors.len() - self.mapped_bytes();
        let clusters = self.clusters.as_ref().map_or(0, Clusters::bytes);
        clusters + graph + self.points.len_bytes() + ids + self.members.serialized_size() + vectors
    }

    /// Form of the vectors that a graph search compares.
    pub fn codes(&self) -> Codes {
        match (&self.graph, &self.points) {
            (Graph::QuantizedAdjacency(_), _) => Codes::RaBitQ,
            (_, Points::Projected { .. }) => Codes::Projected,
            (_, Points::Int8 { .. }) => Codes::Int8,
            (_, Points::Full { .. }) => Codes::None,
        }
    }

    /// Metric of the distances.
    pub fn metric(&self) -> Metric {
        self.to_l2.metric
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.to_l2.dim
    }

    /// The file that the segment was opened from; None if it was built in memory.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// True if the segment has codes to scan.
    pub fn is_coded(&self) -> bool {
        self.points.is_coded()
    }

    /// Number of bytes of vectors mapped from a file.
    pub fn mapped_bytes(&self) -> usize {
        if self.vectors.is_mapped() {
            self.vectors.len()
        } else {
            0
        }
    }

    /// The internal ids of all vectors, those of deleted items included.
    pub fn members(&self) -> &RoaringBitmap {
        &self.members
    }

    /// The internal ids of all vectors, by point offset.
    pub fn internal_ids(&self) -> &[u32] {
        &self.internal_ids
    }

    /// Returns the vector of an internal id.
    pub fn vector(&self, internal_id: u32) -> Option<&[f32]> {
        let offset = self.offsets.get(internal_id)?;
        Some(row(self.vectors.as_slice(), offset, self.to_l2.dim))
    }

    /// Returns the links of a point, [`super::NONE`] after the last.
    #[inline]
    pub(super) fn link_row(&self, offset: u32) -> &[u32] {
        match &self.graph {
            Graph::Adjacency(links) => row(links.as_slice(), offset, DEGREE),
            Graph::QuantizedAdjacency(blocks) => blocks.links(offset),
        }
    }

    /// Returns the distance of the query to a vector, by the metric.
    #[inline]
    pub(super) fn distance_to(&self, query: &[f32], offset: u32) -> f32 {
        let vector = row(self.vectors.as_slice(), offset, self.to_l2.dim);
        distance::distance(self.to_l2.metric, query, vector)
    }
}
