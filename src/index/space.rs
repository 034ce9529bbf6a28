//! One vector space: sealed parts, tails, and how a search goes through them.
//!
//! A search gives exactly `min(k, |allowed and members|)` results. A graph alone cannot promise that (a filter can
//! cut its walk short), so a part whose walk falls short is scanned.

use std::{sync::Arc, time::Instant};

use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{
    Allowed, Codes, GrowingIndex, Neighbor, SealedIndex, check_deadline,
    flat::{Flat, Rows},
    order,
};
use crate::{Error, Result};

/// Vectors of a tail below which a scan is as fast as a graph.
const GRAPH_FROM: u64 = 2_000;

/// One in how many vectors of a growing graph has to be allowed: with fewer, the walk is mostly over vectors that
/// cannot be answers.
const SPARSE: u64 = 10;

/// Candidates below which their vectors are compared at once, not their codes first.
const SCAN_FROM: u64 = 512;

/// Least default width of a graph search.
const DEFAULT_EF: usize = 64;

/// How an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// By a graph, at least in part: approximate.
    Graph,
    /// By comparing the codes of all candidates, then the vectors of the best: approximate, but hardly.
    Scan,
    /// By comparing the vectors of all candidates.
    Exact,
}

impl Plan {
    /// Name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Scan => "scan",
            Self::Exact => "exact",
        }
    }
}

/// How an answer was found, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The least exact way that was used.
    pub plan: Plan,
    /// Vectors that match.
    pub matching: u64,
    /// Vectors in the index, those of dead items included.
    pub members: u64,
    /// Distances computed, by vectors or codes.
    pub compared: u64,
}

/// What a [`SpaceIndex`] consists of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpaceStats {
    /// Vectors in sealed parts, those of dead items included.
    pub sealed: u64,
    /// Vectors in tails.
    pub unsealed: u64,
    /// Sealed parts.
    pub parts: usize,
    /// Bytes in memory, beside vectors that are mapped from files.
    pub memory_bytes: u64,
    /// Bytes of vectors mapped from files.
    pub mapped_bytes: u64,
}

/// Index of one vector space.
pub struct SpaceIndex {
    pub(super) dim: usize,
    pub(super) metric: Metric,
    pub(super) codes: Codes,
    pub(super) flat: Flat,
    pub(super) parts: RwLock<Parts>,
    pub(super) writer: Mutex<()>,
}

/// What a search looks at, beside the vectors of the tails.
#[derive(Clone)]
pub(super) struct Parts {
    pub members: RoaringBitmap,
    pub sealed: Vec<Arc<SealedIndex>>,
    /// The last takes what is new; those before are being sealed.
    pub tails: Vec<Tail>,
}

/// Vectors that are not sealed.
#[derive(Clone, Default)]
pub(super) struct Tail {
    pub numbers: RoaringBitmap,
    /// Over all of them, where there is one.
    pub graph: Option<Arc<GrowingIndex>>,
}

impl SpaceIndex {
    /// An empty index for vectors of `dim` components; sealed parts will use `codes`.
    pub fn new(dim: usize, metric: Metric, codes: Codes) -> Self {
        Self::of(dim, metric, codes, Vec::new())
    }

    /// An index of sealed parts; where two hold a number, the later one counts.
    pub fn of(dim: usize, metric: Metric, codes: Codes, sealed: Vec<Arc<SealedIndex>>) -> Self {
        let members = sealed
            .iter()
            .fold(RoaringBitmap::new(), |all, s| all | s.members());
        let parts = Parts {
            members,
            sealed,
            tails: vec![Tail::default()],
        };
        Self {
            dim,
            metric,
            codes,
            flat: Flat::default(),
            parts: RwLock::new(parts),
            writer: Mutex::new(()),
        }
    }

    /// Adds vectors under numbers that were never used; a number that was, or a vector of another length, is
    /// passed over. Cosine vectors have unit length already.
    pub fn insert(&self, batch: &[(u32, &[f32])]) {
        self.add(batch, true);
    }

    /// As [`SpaceIndex::insert`], for many vectors that will be sealed next: they are scanned until then.
    pub fn load(&self, batch: &[(u32, &[f32])]) {
        self.add(batch, false);
    }

    fn add(&self, batch: &[(u32, &[f32])], with_graph: bool) {
        let _writer = self.writer.lock();
        let mut numbers = RoaringBitmap::new();
        let (fresh, graph, held) = {
            let parts = self.parts.read();
            let is_fresh = |(id, vector): &&(u32, &[f32])| {
                debug_assert_eq!(vector.len(), self.dim, "checked by the schema");
                vector.len() == self.dim && !parts.members.contains(*id) && numbers.insert(*id)
            };
            let fresh: Vec<_> = batch.iter().filter(is_fresh).copied().collect();
            let tail = parts.tails.last();
            let held = tail.map(|t| t.numbers.len()).unwrap_or_default();
            (fresh, tail.and_then(|t| t.graph.clone()), held)
        };
        self.flat.insert(&fresh);
        let mut graph_now = None;
        if with_graph && let Some(graph) = graph {
            graph.insert(&fresh);
            graph_now = Some(graph);
        } else if with_graph && self.metric != Metric::Dot && held + numbers.len() >= GRAPH_FROM {
            graph_now = Some(Arc::new(self.grow(&numbers)));
        }
        // Last and whole: whatever is a member can be found.
        let mut parts = self.parts.write();
        parts.members |= &numbers;
        if let Some(tail) = parts.tails.last_mut() {
            tail.numbers |= numbers;
            tail.graph = graph_now;
        }
    }

    /// A graph of the last tail, with `numbers`.
    fn grow(&self, numbers: &RoaringBitmap) -> GrowingIndex {
        let held = self.parts.read().tails.last().map(|t| &t.numbers | numbers);
        let rows = self.flat.rows();
        let rows: Vec<_> = held
            .iter()
            .flatten()
            .filter_map(|id| Some((id, rows.get(id)?)))
            .collect();
        let graph = GrowingIndex::new(self.metric);
        graph.insert(&rows);
        graph
    }

    /// A copy of one vector.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        let sealed = self.parts.read().sealed.clone();
        let found = sealed.iter().rev().find_map(|s| s.vector(id));
        match found {
            Some(vector) => Some(vector.to_vec()),
            None => Some(self.flat.rows().get(id)?.to_vec()),
        }
    }

    /// All numbers inserted and not merged away, dead ones included.
    pub fn members(&self) -> RoaringBitmap {
        self.parts.read().members.clone()
    }

    /// Names of the files of its sealed parts.
    pub fn files(&self) -> Vec<String> {
        let parts = self.parts.read();
        let files = parts.sealed.iter().filter_map(|s| s.file()?.file_name());
        files.map(|f| f.to_string_lossy().into_owned()).collect()
    }

    /// What it consists of.
    pub fn stats(&self) -> SpaceStats {
        let (parts, rows) = {
            let parts = self.parts.read();
            (parts.clone(), self.flat.rows())
        };
        let graphs = parts.tails.iter().filter_map(|t| t.graph.as_ref());
        let sealed = || parts.sealed.iter();
        let memory = sealed().map(|s| s.bytes()).sum::<usize>()
            + rows.bytes()
            + graphs.map(|g| g.bytes(self.dim)).sum::<usize>();
        SpaceStats {
            sealed: sealed().map(|s| s.numbers().len() as u64).sum(),
            unsealed: parts.tails.iter().map(|t| t.numbers.len()).sum(),
            parts: parts.sealed.len(),
            memory_bytes: memory as u64,
            mapped_bytes: sealed().map(|s| s.mapped_bytes() as u64).sum(),
        }
    }

    /// The `min(k, |allowed and members|)` nearest, sorted by distance, then number, and how they were found.
    /// `ef` is the width of a graph search, `max(64, 2k)` by default; `exact` forbids graphs and codes.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: Option<usize>,
        exact: bool,
        allowed: &Allowed,
        deadline: Option<Instant>,
    ) -> Result<(Vec<Neighbor>, Trace)> {
        if query.len() != self.dim {
            return Err(Error::invalid(
                "/vector",
                format!("has {} components, the space has {}", query.len(), self.dim),
            ));
        }
        check_deadline(deadline)?;
        let view = View::of(self, allowed.numbers());
        let mut search = Search {
            metric: self.metric,
            query,
            k,
            ef: ef.unwrap_or(k.saturating_mul(2).max(DEFAULT_EF)),
            exact,
            deadline,
            found: Vec::new(),
            trace: Trace {
                plan: Plan::Exact,
                matching: view.matching.len(),
                members: view.members,
                compared: 0,
            },
        };
        for tail in &view.tails {
            search.tail(tail, &view.rows)?;
        }
        for sealed in &view.sealed {
            if view.matching.len() == view.members {
                search.sealed(sealed, None)?;
            } else {
                let numbers = &view.matching & sealed.members();
                search.sealed(sealed, Some((&numbers, allowed)))?;
            }
        }
        let Search {
            mut found, trace, ..
        } = search;
        found.sort_unstable_by(order);
        found.dedup_by_key(|n| n.id);
        found.truncate(k);
        Ok((found, trace))
    }
}

/// What a search sees: it stays as it was while vectors are sealed and merged.
struct View {
    matching: RoaringBitmap,
    members: u64,
    sealed: Vec<Arc<SealedIndex>>,
    /// With only what matches of their numbers.
    tails: Vec<(Tail, u64)>,
    rows: Rows,
}

impl View {
    fn of(index: &SpaceIndex, allowed: &RoaringBitmap) -> Self {
        let parts = index.parts.read();
        let matching = &parts.members & allowed;
        let tails = parts.tails.iter().filter(|t| !t.numbers.is_empty());
        Self {
            members: parts.members.len(),
            sealed: parts.sealed.clone(),
            tails: tails
                .map(|t| {
                    let tail = Tail {
                        numbers: &t.numbers & &matching,
                        graph: t.graph.clone(),
                    };
                    (tail, t.numbers.len())
                })
                .collect(),
            // Under the lock: what is sealed later leaves the flat rows.
            rows: index.flat.rows(),
            matching,
        }
    }
}

struct Search<'a> {
    metric: Metric,
    query: &'a [f32],
    k: usize,
    ef: usize,
    exact: bool,
    deadline: Option<Instant>,
    found: Vec<Neighbor>,
    trace: Trace,
}

impl Search<'_> {
    fn tail(&mut self, (tail, len): &(Tail, u64), rows: &Rows) -> Result<()> {
        let matching = tail.numbers.len();
        if !self.exact
            && let Some(graph) = &tail.graph
            && matching >= GRAPH_FROM
            && matching >= len / SPARSE
        {
            // hnsw_rs keeps `ef` vectors whether they may be answers or not: with a filter it has to be wider.
            let wider = (len / matching.max(1)).clamp(1, SPARSE) as usize;
            let ef = self.ef.saturating_mul(wider);
            let near = graph.search(self.query, self.k, ef, Some(&tail.numbers), self.deadline)?;
            if near.len() == self.k {
                self.found.extend(near);
                self.trace.plan = Plan::Graph;
                return Ok(());
            }
        }
        let near = rows.scan(
            self.metric,
            self.query,
            self.k,
            &tail.numbers,
            self.deadline,
        )?;
        self.trace.compared += matching;
        self.found.extend(near);
        Ok(())
    }

    /// `matching` is None where all vectors match.
    fn sealed(
        &mut self,
        sealed: &SealedIndex,
        matching: Option<(&RoaringBitmap, &Allowed)>,
    ) -> Result<()> {
        let numbers = matching.map(|(numbers, _)| numbers);
        if numbers.is_some_and(RoaringBitmap::is_empty) {
            return Ok(());
        }
        if !self.exact && sealed.walk_pays(numbers, self.k, self.ef) {
            let (query, k, ef, deadline) = (self.query, self.k, self.ef, self.deadline);
            let (near, compared) = match matching {
                None => sealed.walk(query, k, ef, deadline)?,
                Some((numbers, allowed)) => {
                    sealed.walk_among(query, k, ef, numbers, allowed, deadline)?
                }
            };
            self.trace.compared += compared as u64;
            let wanted = numbers.map_or(sealed.numbers().len() as u64, RoaringBitmap::len);
            if near.len() as u64 >= wanted.min(self.k as u64) {
                self.found.extend(near);
                self.trace.plan = Plan::Graph;
                return Ok(());
            }
        }
        let numbers = numbers.unwrap_or(sealed.members());
        let coded = !self.exact && sealed.coded() && numbers.len() >= SCAN_FROM;
        if coded && self.trace.plan == Plan::Exact {
            self.trace.plan = Plan::Scan;
        }
        self.trace.compared += numbers.len();
        let near = sealed.scan(self.query, self.k, numbers, coded, self.deadline)?;
        self.found.extend(near);
        Ok(())
    }
}
