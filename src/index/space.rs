//! One vector space: the vectors, a graph over them once that pays, and the choice between the two.
//!
//! A search gives exactly `min(k, |allowed and members|)` results. The graph alone cannot promise that (links to
//! near-duplicates crowd each other out, a filter cuts the walk short), so an answer that falls short is
//! searched for again, exactly.

use std::{sync::Arc, time::Instant};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{FlatIndex, GrowingIndex, Neighbor, SealedIndex, VectorIndex, VectorSearcher, order};
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
    parts: RwLock<Parts>,
    writer: Mutex<()>,
}

/// What a search looks at, beside the vectors.
#[derive(Default)]
struct Parts {
    members: RoaringBitmap,
    sealed: Vec<Arc<SealedIndex>>,
    /// Graph over the members that are in no sealed part, once there are enough of them.
    growing: Option<Arc<GrowingIndex>>,
    unsealed: RoaringBitmap,
}

impl SpaceIndex {
    /// An empty index for vectors of `dim` components.
    pub fn new(dim: usize, metric: Metric) -> Self {
        Self {
            dim,
            metric,
            flat: FlatIndex::new(dim, metric),
            parts: RwLock::default(),
            writer: Mutex::new(()),
        }
    }

    /// Adds vectors under numbers that were never used; a number that was, or a vector of another length, is
    /// passed over. Cosine vectors have unit length already.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        let _writer = self.writer.lock();
        let mut numbers = RoaringBitmap::new();
        let (fresh, growing, unsealed) = {
            let parts = self.parts.read();
            let is_fresh = |(id, vector): &&(u32, &[f32])| {
                debug_assert_eq!(vector.len(), self.dim, "checked by the schema");
                vector.len() == self.dim && !parts.members.contains(*id) && numbers.insert(*id)
            };
            let fresh: Vec<_> = batch.iter().filter(is_fresh).copied().collect();
            (fresh, parts.growing.clone(), parts.unsealed.len())
        };
        self.flat.insert(&fresh);
        let mut started = None;
        if let Some(graph) = growing {
            graph.insert(&fresh);
        } else if self.metric != Metric::Dot && unsealed + numbers.len() >= EXACT_BELOW {
            started = Some(Arc::new(self.grow(&numbers)));
        }
        // Last and whole: whatever is a member can be found.
        let mut parts = self.parts.write();
        parts.members |= &numbers;
        parts.unsealed |= numbers;
        parts.growing = started.or(parts.growing.take());
    }

    /// A graph of what is in no sealed part, with `numbers`.
    fn grow(&self, numbers: &RoaringBitmap) -> GrowingIndex {
        let unsealed = &self.parts.read().unsealed | numbers;
        let vectors: Vec<_> = unsealed
            .iter()
            .filter_map(|id| Some((id, self.flat.vector(id)?)))
            .collect();
        let rows: Vec<_> = vectors.iter().map(|(id, v)| (*id, v.as_slice())).collect();
        let graph = GrowingIndex::new(self.metric);
        graph.insert(&rows);
        graph
    }

    /// Lays out the growing graph as a sealed part, which is searched faster; later vectors start a new graph.
    /// Searches go on meanwhile, inserts wait. Nothing happens where no graph has grown.
    pub fn seal(&self) {
        let _writer = self.writer.lock();
        let Some(growing) = self.parts.read().growing.clone() else {
            return;
        };
        let sealed = SealedIndex::freeze(&growing, &self.flat, self.dim, self.metric);
        let mut parts = self.parts.write();
        parts.sealed.push(Arc::new(sealed));
        parts.growing = None;
        parts.unsealed.clear();
    }

    /// A copy of one vector.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        self.flat.vector(id)
    }

    /// All numbers inserted, dead ones included.
    pub fn members(&self) -> RoaringBitmap {
        self.parts.read().members.clone()
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
        let (matching, members, graphs) = {
            let parts = self.parts.read();
            let matching = &parts.members & allowed;
            let few = matching.len() < EXACT_BELOW || matching.len() < parts.members.len() / SPARSE;
            let graphs = (!exact && !few).then(|| parts.graphs(&matching)).flatten();
            (matching, parts.members.len(), graphs)
        };
        let wanted = k.min(usize::try_from(matching.len()).unwrap_or(k));
        if let Some(graphs) = graphs {
            let ef = ef.unwrap_or(k.saturating_mul(2).max(DEFAULT_EF));
            // The walk keeps `ef` vectors whether they may be answers or not: with a filter it has to be wider.
            let wider = (members / matching.len().max(1)).clamp(1, SPARSE) as usize;
            let ef = ef.saturating_mul(wider);
            let mut found = graphs.tail(query, wanted, ef, &self.flat, deadline)?;
            for sealed in &graphs.sealed {
                found.extend(sealed.search(query, wanted, ef, &matching, deadline)?);
            }
            found.sort_unstable_by(order);
            found.truncate(wanted);
            if found.len() == wanted {
                return Ok((found, Plan::Graph));
            }
        }
        let found = self.flat.search(query, wanted, 0, &matching, deadline)?;
        Ok((found, Plan::Exact))
    }
}

/// Where a search with a graph looks: every member that matches is in one of the graphs or in the tail.
struct Graphs {
    sealed: Vec<Arc<SealedIndex>>,
    growing: Option<Arc<GrowingIndex>>,
    /// What matches and is in no sealed part.
    tail: RoaringBitmap,
}

impl Graphs {
    fn tail(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        flat: &FlatIndex,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        match &self.growing {
            Some(graph) => graph.search(query, k, ef, &self.tail, deadline),
            None => flat.search(query, k, 0, &self.tail, deadline),
        }
    }
}

impl Parts {
    /// None where there is no graph.
    fn graphs(&self, matching: &RoaringBitmap) -> Option<Graphs> {
        (self.growing.is_some() || !self.sealed.is_empty()).then(|| Graphs {
            sealed: self.sealed.clone(),
            growing: self.growing.clone(),
            tail: &self.unsealed & matching,
        })
    }
}
