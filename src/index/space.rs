//! One vector space: its segments, and inserts. Searches are in `search`, sealing and merging in
//! `maintain`.
//!
//! A search returns exactly `min(k, number of members that pass the filter)` results. A graph alone
//! cannot promise that (a filter can end its search early), so a segment whose graph search falls
//! short is scanned.

use std::{sync::Arc, time::Instant};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{Codes, GrowingGraph, SealedSegment, unsealed::UnsealedVectors};

/// Number of vectors of a growing segment below which a scan is as fast as a graph.
pub(super) const GRAPH_FROM: u64 = 2_000;

/// Statistics of a [`SpaceIndex`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpaceStats {
    /// Number of vectors in sealed segments, those of deleted items included.
    pub sealed: u64,
    /// Number of vectors in growing segments.
    pub unsealed: u64,
    /// Number of sealed segments.
    pub segments: usize,
    /// Bytes of sealed segments in memory, without vectors that are mapped from files.
    pub sealed_bytes: u64,
    /// Bytes of the vectors that are not sealed.
    pub unsealed_bytes: u64,
    /// Estimated bytes of the graphs over them.
    pub growing_bytes: u64,
    /// Bytes of vectors mapped from files.
    pub mapped_bytes: u64,
    /// Number of vectors that no graph search can reach; None if a segment has not been checked
    /// yet.
    pub unreachable: Option<u64>,
}

impl SpaceStats {
    /// Number of bytes in memory, without vectors that are mapped from files.
    pub fn memory_bytes(&self) -> u64 {
        self.sealed_bytes + self.unsealed_bytes + self.growing_bytes
    }
}

/// Index of one vector space.
pub struct SpaceIndex {
    pub(super) dim: usize,
    pub(super) metric: Metric,
    pub(super) codes: Codes,
    pub(super) unsealed: UnsealedVectors,
    pub(super) segments: RwLock<Segments>,
    pub(super) writer: Mutex<()>,
}

/// Segments that a search goes through; the vectors of growing segments are in [`UnsealedVectors`].
#[derive(Clone)]
pub(super) struct Segments {
    pub members: RoaringBitmap,
    pub sealed: Vec<Arc<SealedSegment>>,
    /// The last one receives new vectors; those before are being sealed.
    pub growing: Vec<GrowingSegment>,
    /// Time of the last insert.
    pub written: Instant,
}

/// Vectors that are not sealed.
#[derive(Clone, Default)]
pub(super) struct GrowingSegment {
    pub members: RoaringBitmap,
    /// Graph over some of the members, see [`SpaceIndex::extend_growing_graph`].
    pub graph: Option<GrowingSegmentGraph>,
}

/// A graph over some vectors of a growing segment.
#[derive(Clone)]
pub(super) struct GrowingSegmentGraph {
    pub graph: Arc<GrowingGraph>,
    pub members: RoaringBitmap,
}

impl SpaceIndex {
    /// Creates an empty index for vectors of `dim` components; sealed segments will use `codes`.
    pub fn new(dim: usize, metric: Metric, codes: Codes) -> Self {
        Self::from_segments(dim, metric, codes, Vec::new())
    }

    /// Creates an index of sealed segments; if two hold the same internal id, the later one counts.
    pub fn from_segments(
        dim: usize,
        metric: Metric,
        codes: Codes,
        sealed: Vec<Arc<SealedSegment>>,
    ) -> Self {
        let members = sealed
            .iter()
            .fold(RoaringBitmap::new(), |all, s| all | s.members());
        let segments = Segments {
            members,
            sealed,
            growing: vec![GrowingSegment::default()],
            written: Instant::now(),
        };
        Self {
            dim,
            metric,
            codes,
            unsealed: UnsealedVectors::default(),
            segments: RwLock::new(segments),
            writer: Mutex::new(()),
        }
    }

    /// Adds vectors under internal ids that were never used. An id that was used, or a vector of
    /// another dimension, is ignored. Cosine vectors must have unit length. New vectors are
    /// searchable at once, by comparison; graphs follow.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        let _writer = self.writer.lock();
        let mut internal_ids = RoaringBitmap::new();
        let fresh: Vec<_> = {
            let segments = self.segments.read();
            let is_fresh = |(id, vector): &&(u32, &[f32])| {
                debug_assert_eq!(vector.len(), self.dim, "checked by the schema");
                vector.len() == self.dim
                    && !segments.members.contains(*id)
                    && internal_ids.insert(*id)
            };
            batch.iter().filter(is_fresh).copied().collect()
        };
        self.unsealed.insert(&fresh);
        // Published last, in one step: every member is searchable.
        let mut segments = self.segments.write();
        segments.members |= &internal_ids;
        segments.written = Instant::now();
        if let Some(segment) = segments.growing.last_mut() {
            segment.members |= internal_ids;
        }
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns all internal ids inserted and not merged away, those of deleted items included.
    pub fn members(&self) -> RoaringBitmap {
        self.segments.read().members.clone()
    }

    /// Returns the names of the files of its sealed segments.
    pub fn files(&self) -> Vec<String> {
        let segments = self.segments.read();
        let files = segments.sealed.iter().filter_map(|s| s.file()?.file_name());
        files.map(|f| f.to_string_lossy().into_owned()).collect()
    }

    /// Returns counts and sizes of the segments.
    pub fn stats(&self) -> SpaceStats {
        let segments = self.segments.read();
        let sealed = || segments.sealed.iter();
        let unsealed = segments.growing.iter().map(|s| s.members.len());
        let graphs = segments.growing.iter().filter_map(|s| s.graph.as_ref());
        SpaceStats {
            sealed: sealed().map(|s| s.internal_ids().len() as u64).sum(),
            unsealed: unsealed.sum(),
            segments: segments.sealed.len(),
            sealed_bytes: sealed().map(|s| s.bytes() as u64).sum(),
            unsealed_bytes: self.unsealed.bytes(),
            growing_bytes: graphs.map(|g| g.graph.bytes(self.dim) as u64).sum(),
            mapped_bytes: sealed().map(|s| s.mapped_bytes() as u64).sum(),
            unreachable: sealed().map(|s| s.unreachable_count()).sum(),
        }
    }

    /// Number of bytes that one more vector takes in memory until it is sealed, without its share
    /// of a graph, which may never be built.
    pub fn unsealed_vector_bytes(&self) -> u64 {
        UnsealedVectors::row_bytes(self.dim)
    }

    /// Estimated number of bytes that a sealed vector takes in memory.
    pub fn sealed_vector_bytes(&self) -> u64 {
        SealedSegment::vector_bytes(self.dim, self.codes)
    }

    /// Counts the unreachable vectors of one sealed segment that has not been checked yet. Returns
    /// false if there is none.
    pub fn check_reachability(&self) -> bool {
        let unchecked = {
            let segments = self.segments.read();
            let unchecked = segments
                .sealed
                .iter()
                .find(|s| s.unreachable_count().is_none());
            unchecked.cloned()
        };
        unchecked.is_some_and(|segment| {
            segment.count_unreachable();
            true
        })
    }
}
