//! How a search goes through the parts of a space.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{
    Allowed, Neighbor, SealedIndex, SpaceIndex, check_deadline,
    flat::Rows,
    order,
    space::{GRAPH_FROM, Tail},
};
use crate::{Error, Result};

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

impl SpaceIndex {
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
            let all = sealed.members();
            if view.matching.len() == view.members || all.is_subset(&view.matching) {
                search.sealed(sealed, None)?;
            } else {
                let numbers = &view.matching & all;
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
    tails: Vec<Tail>,
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
                .map(|t| Tail {
                    numbers: &t.numbers & &matching,
                    graph: t.graph.clone(),
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
    /// Of the numbers of the tail that match: those in its graph by a walk, where that pays, the others one by one.
    fn tail(&mut self, tail: &Tail, rows: &Rows) -> Result<()> {
        let mut left = tail.numbers.clone();
        if !self.exact
            && let Some(graph) = &tail.graph
        {
            let matching = &tail.numbers & &graph.numbers;
            let len = graph.numbers.len();
            if matching.len() >= GRAPH_FROM && matching.len() >= len / SPARSE {
                // hnsw_rs keeps `ef` vectors whether they may be answers or not: with a filter it has to be wider.
                let wider = (len / matching.len().max(1)).clamp(1, SPARSE) as usize;
                let ef = self.ef.saturating_mul(wider);
                let allowed = Some(&matching);
                let index = &graph.index;
                let near = index.search(self.query, self.k, ef, allowed, self.deadline)?;
                if near.len() == self.k {
                    self.found.extend(near);
                    self.trace.plan = Plan::Graph;
                    left -= matching;
                }
            }
        }
        let near = rows.scan(self.metric, self.query, self.k, &left, self.deadline)?;
        self.trace.compared += left.len();
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
        let allowed = matching.map(|(_, allowed)| allowed);
        let (query, k, deadline) = (self.query, self.k, self.deadline);
        let near = sealed.scan(query, k, numbers, allowed, coded, deadline)?;
        self.found.extend(near);
        Ok(())
    }
}
