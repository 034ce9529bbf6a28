//! Search through the segments of a space.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{
    CandidateFilter, Neighbor, SealedSegment, SegmentQuery, SpaceIndex, check_deadline, order,
    space::{GRAPH_FROM, GrowingSegment},
    unsealed::UnsealedRows,
};
use crate::{Error, Result};

/// Maximum inverse selectivity (vectors per match) for searching the growing graph: with fewer
/// matches, the search mostly goes over vectors that cannot be results.
const GROWING_GRAPH_MAX_INVERSE_SELECTIVITY: u64 = 10;

/// Number of candidates below which their vectors are compared at once, without comparing codes
/// first.
const CODE_SCAN_FROM: u64 = 512;

/// Method by which results were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Graph search, at least in part: approximate.
    Graph,
    /// Scan of the codes of all candidates, then of the vectors of the best: nearly exact.
    QuantizedScan,
    /// Scan of the vectors of all candidates.
    BruteForce,
}

impl Plan {
    /// Name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::QuantizedScan => "scan",
            Self::BruteForce => "exact",
        }
    }
}

/// Method and cost of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchStats {
    /// The least exact method that was used.
    pub plan: Plan,
    /// Number of vectors that match.
    pub matching: u64,
    /// Number of vectors in the index, those of deleted items included.
    pub vectors: u64,
    /// Number of distances computed, of vectors or codes.
    pub distance_computations: u64,
}

/// Parameters of [`SpaceIndex::search`].
#[derive(Clone, Copy)]
pub struct SearchParams<'a> {
    /// Maximum number of results; 10 by default.
    pub k: usize,
    /// Beam width of graph searches: a larger one finds more and takes longer. If None, it is
    /// `max(64, 2 * k)` to begin with and grows while a search has not converged, as where the
    /// query is far from all vectors that match.
    pub ef: Option<usize>,
    /// True to compare the vectors of all candidates, without graphs and codes.
    pub exact: bool,
    /// Vectors that may be results; all if None.
    pub filter: Option<&'a CandidateFilter>,
    /// Time at which the search fails with [`Error::DeadlineExceeded`]; never if None.
    pub deadline: Option<Instant>,
}

impl Default for SearchParams<'_> {
    fn default() -> Self {
        Self {
            k: 10,
            ef: None,
            exact: false,
            filter: None,
            deadline: None,
        }
    }
}

impl SpaceIndex {
    /// Returns the nearest vectors, sorted by distance, then internal id, and how they were found.
    /// The number of results is exactly `min(k, number of members that pass the filter)`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the query has another dimension than the space;
    /// [`Error::DeadlineExceeded`].
    pub fn search(
        &self,
        query: &[f32],
        params: &SearchParams<'_>,
    ) -> Result<(Vec<Neighbor>, SearchStats)> {
        if query.len() != self.dim {
            return Err(Error::invalid(
                "/vector",
                format!("expected {} components, got {}", self.dim, query.len()),
            ));
        }
        let SearchParams {
            k,
            ef,
            exact,
            filter,
            deadline,
        } = *params;
        check_deadline(deadline)?;
        let view = View::of(self, filter.map(CandidateFilter::internal_ids));
        let mut search = SegmentsSearch {
            metric: self.metric,
            query: SegmentQuery {
                vector: query,
                k,
                ef,
                deadline,
            },
            exact,
            neighbors: Vec::new(),
            stats: SearchStats {
                plan: Plan::BruteForce,
                matching: view.matching.len(),
                vectors: view.members,
                distance_computations: 0,
            },
        };
        for segment in &view.growing {
            search.growing(segment, &view.rows)?;
        }
        for segment in &view.sealed {
            let members = segment.members();
            match filter {
                Some(filter)
                    if view.matching.len() != view.members
                        && !members.is_subset(&view.matching) =>
                {
                    let matching = &view.matching & members;
                    search.sealed(segment, Some((&matching, filter)))?;
                }
                _ => search.sealed(segment, None)?,
            }
        }
        let SegmentsSearch {
            mut neighbors,
            stats,
            ..
        } = search;
        neighbors.sort_unstable_by(order);
        neighbors.dedup_by_key(|n| n.id);
        neighbors.truncate(k);
        Ok((neighbors, stats))
    }
}

/// Snapshot of an index for one search: it does not change while vectors are sealed and merged.
struct View {
    matching: RoaringBitmap,
    members: u64,
    sealed: Vec<Arc<SealedSegment>>,
    /// Growing segments, with only the members that match.
    growing: Vec<GrowingSegment>,
    rows: UnsealedRows,
}

impl View {
    fn of(index: &SpaceIndex, allowed: Option<&RoaringBitmap>) -> Self {
        let segments = index.segments.read();
        let matching = match allowed {
            Some(allowed) => &segments.members & allowed,
            None => segments.members.clone(),
        };
        let growing = segments.growing.iter().filter(|s| !s.members.is_empty());
        Self {
            members: segments.members.len(),
            sealed: segments.sealed.clone(),
            growing: growing
                .map(|s| GrowingSegment {
                    members: &s.members & &matching,
                    graph: s.graph.clone(),
                })
                .collect(),
            // Under the lock: vectors that are sealed later leave the unsealed rows.
            rows: index.unsealed.rows(),
            matching,
        }
    }
}

/// State of a search that goes from segment to segment.
struct SegmentsSearch<'a> {
    metric: Metric,
    query: SegmentQuery<'a>,
    exact: bool,
    neighbors: Vec<Neighbor>,
    stats: SearchStats,
}

impl SegmentsSearch<'_> {
    /// Searches a growing segment, whose members all match: those in its graph by graph search,
    /// where that pays, the others one by one.
    fn growing(&mut self, segment: &GrowingSegment, rows: &UnsealedRows) -> Result<()> {
        let SegmentQuery {
            vector,
            k,
            deadline,
            ..
        } = self.query;
        let ef = self.query.min_ef();
        let mut left = segment.members.clone();
        if !self.exact
            && let Some(graph) = &segment.graph
        {
            let matching = &segment.members & &graph.members;
            let len = graph.members.len();
            let min_matching = len / GROWING_GRAPH_MAX_INVERSE_SELECTIVITY;
            if matching.len() >= GRAPH_FROM && matching.len() >= min_matching {
                // hnsw_rs keeps `ef` vectors whether they are eligible or not: with a filter the
                // beam has to be wider.
                let factor =
                    (len / matching.len().max(1)).clamp(1, GROWING_GRAPH_MAX_INVERSE_SELECTIVITY);
                let ef = ef.saturating_mul(factor as usize);
                let allowed = Some(&matching);
                let near = graph.graph.search(vector, k, ef, allowed, deadline)?;
                if near.len() == k {
                    self.neighbors.extend(near);
                    self.stats.plan = Plan::Graph;
                    left -= matching;
                }
            }
        }
        let near = rows.scan(self.metric, vector, k, &left, deadline)?;
        self.stats.distance_computations += left.len();
        self.neighbors.extend(near);
        Ok(())
    }

    /// Searches a sealed segment. `matching` are the members that pass the filter; None if all do.
    fn sealed(
        &mut self,
        segment: &SealedSegment,
        matching: Option<(&RoaringBitmap, &CandidateFilter)>,
    ) -> Result<()> {
        let ids = matching.map(|(ids, _)| ids);
        if ids.is_some_and(RoaringBitmap::is_empty) {
            return Ok(());
        }
        let query = &self.query;
        let by_graph = !self.exact && segment.graph_search_is_cheaper(query, ids);
        let found = match matching {
            _ if !by_graph => None,
            None => Some(segment.graph_search(query)?),
            Some((ids, filter)) => segment.filtered_graph_search(query, ids, filter)?,
        };
        if let Some((near, compared)) = found {
            self.stats.distance_computations += compared as u64;
            let available = ids.map_or(segment.internal_ids().len() as u64, RoaringBitmap::len);
            if near.len() as u64 >= available.min(query.k as u64) {
                self.neighbors.extend(near);
                self.stats.plan = Plan::Graph;
                return Ok(());
            }
        }
        let ids = ids.unwrap_or(segment.members());
        let by_codes = !self.exact && segment.is_coded() && ids.len() >= CODE_SCAN_FROM;
        if by_codes && self.stats.plan == Plan::BruteForce {
            self.stats.plan = Plan::QuantizedScan;
        }
        self.stats.distance_computations += ids.len();
        let filter = matching.map(|(_, filter)| filter);
        let near = segment.scan(query, ids, filter, by_codes)?;
        self.neighbors.extend(near);
        Ok(())
    }
}
