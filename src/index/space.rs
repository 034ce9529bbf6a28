//! One vector space: the vectors, a graph over them once that pays, and the choice between the two.
//!
//! A search gives exactly `min(k, |allowed and members|)` results. The graph alone cannot promise that (links to
//! near-duplicates crowd each other out, a filter cuts the walk short), so an answer that falls short is
//! searched for again, exactly.

use std::{sync::OnceLock, time::Instant};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{FlatIndex, GrowingIndex, Neighbor, VectorIndex, VectorSearcher};
use crate::{Error, Result};

/// Candidates below which an exact scan is as fast as the graph; a smaller space has no graph at all.
const EXACT_BELOW: u64 = 2_000;

/// One in how many members has to be allowed for the graph: with fewer, the walk is mostly over vectors that
/// cannot be answers.
const SPARSE: u64 = 10;

/// Least default width of a graph search.
const DEFAULT_EF: usize = 64;

/// How an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// By the HNSW graph, approximate.
    Graph,
    /// By comparing all candidates.
    Exact,
}

impl Plan {
    /// Name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Exact => "exact",
        }
    }
}

/// Index of one vector space. Dot spaces are searched exactly for now: a graph would need the
/// extra-dimension transform to L2.
pub struct SpaceIndex {
    dim: usize,
    metric: Metric,
    flat: FlatIndex,
    graph: OnceLock<GrowingIndex>,
    members: RwLock<RoaringBitmap>,
    writer: Mutex<()>,
}

impl SpaceIndex {
    /// An empty index for vectors of `dim` components.
    pub fn new(dim: usize, metric: Metric) -> Self {
        Self {
            dim,
            metric,
            flat: FlatIndex::new(dim, metric),
            graph: OnceLock::new(),
            members: RwLock::default(),
            writer: Mutex::new(()),
        }
    }

    /// Adds vectors under numbers that were never used; a number that was, or a vector of another length, is
    /// passed over. Cosine vectors have unit length already.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        let _writer = self.writer.lock();
        let mut members = self.members();
        let fresh: Vec<_> = batch
            .iter()
            .filter(|(id, vector)| {
                debug_assert_eq!(vector.len(), self.dim, "checked by the schema");
                vector.len() == self.dim && members.insert(*id)
            })
            .copied()
            .collect();
        self.flat.insert(&fresh);
        if let Some(graph) = self.graph.get() {
            graph.insert(&fresh);
        } else if self.metric != Metric::Dot && members.len() >= EXACT_BELOW {
            let graph = GrowingIndex::new(self.metric);
            let vectors: Vec<_> = members
                .iter()
                .filter_map(|id| Some((id, self.flat.vector(id)?)))
                .collect();
            let rows: Vec<_> = vectors.iter().map(|(id, v)| (*id, v.as_slice())).collect();
            graph.insert(&rows);
            // Published whole: a search meanwhile is exact. Only the holder of `writer` sets it.
            let _ = self.graph.set(graph);
        }
        // Last, so that whatever is a member can be found.
        *self.members.write() = members;
    }

    /// A copy of one vector.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        self.flat.vector(id)
    }

    /// All numbers inserted, dead ones included.
    pub fn members(&self) -> RoaringBitmap {
        self.members.read().clone()
    }

    /// The `min(k, |allowed and members|)` nearest, sorted by distance, then number, and how they were found.
    /// `ef` is the width of a graph search, `max(64, 2k)` by default; `exact` forbids the graph.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: Option<usize>,
        exact: bool,
        allowed: &RoaringBitmap,
        deadline: Option<Instant>,
    ) -> Result<(Vec<Neighbor>, Plan)> {
        if query.len() != self.dim {
            return Err(Error::invalid(
                "/vector",
                format!("has {} components, the space has {}", query.len(), self.dim),
            ));
        }
        let (matching, members) = {
            let members = self.members.read();
            (&*members & allowed, members.len())
        };
        let wanted = k.min(usize::try_from(matching.len()).unwrap_or(k));
        let few = matching.len() < EXACT_BELOW || matching.len() < members / SPARSE;
        if let (Some(graph), false) = (self.graph.get(), exact || few) {
            let ef = ef.unwrap_or(k.saturating_mul(2).max(DEFAULT_EF));
            // The walk keeps `ef` vectors whether they may be answers or not: with a filter it has to be wider.
            let wider = (members / matching.len().max(1)).clamp(1, SPARSE) as usize;
            let ef = ef.saturating_mul(wider);
            let found = graph.search(query, wanted, ef, &matching, deadline)?;
            if found.len() == wanted {
                return Ok((found, Plan::Graph));
            }
        }
        let found = self.flat.search(query, wanted, 0, &matching, deadline)?;
        Ok((found, Plan::Exact))
    }
}
