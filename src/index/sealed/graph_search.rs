//! Best-first search over the links of a sealed segment.
//!
//! The graph is flat: 16 to 256 random entry points, all compared at the start, replace the upper
//! layers of HNSW.
//!
//! - [`beam_search`] searches all points with one sorted candidate list of `ef` points (search in a
//!   layer of HNSW, Malkov & Yashunin 2018, algorithm 2; greedy search of DiskANN, Subramanya et
//!   al. 2019): over plain links ([`GraphSearch::search_links`]), or over blocks of links with
//!   1-bit codes of the neighbors ([`GraphSearch::search_blocks`], as SymphonyQG, Gou et al. 2024);
//! - [`acorn_search`] ranks only points that match a filter, and looks through points that do not
//!   match where too few direct neighbors do ([`GraphSearch::search_filtered`], ACORN-1, Patel et
//!   al. 2024).
//!
//! Distances are those of codes; the caller rescores the candidates by their vectors. The factors
//! of `ef` apply in this order: the caller multiplies by the selectivity of a post-filtered search,
//! by [`ONE_BIT_EF_FACTOR`] for blocks of links, or by [`FILTERED_EF_FACTOR`]; [`GraphSearch::new`]
//! multiplies by the widening for the quantization error of the query; and a search without `ef` of
//! the request grows by steps of a half ([`Beam::grow`]).
//!
//! [`FILTERED_EF_FACTOR`]: super::tuning::FILTERED_EF_FACTOR
//! [`ONE_BIT_EF_FACTOR`]: super::tuning::ONE_BIT_EF_FACTOR

use std::{cell::RefCell, time::Instant};

use super::{
    DEGREE, NONE, SealedSegment,
    beam::{Beam, Candidate, Growth, VisitedList},
    blocks::Blocks,
    clusters::Clusters,
    points::{PreparedQuery, row},
    prefetch::prefetch,
    segment::Graph,
    tuning::{
        CLUSTER_SEEDS, DEADLINE_CHECK_INTERVAL, HOP1_PREFETCH_DISTANCE, MAX_MATCHES_PER_EXPANSION,
    },
};
use crate::{Result, index::check_deadline, quantize::RotatedQuery};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Memory reused by the searches of a thread.
#[derive(Default)]
struct Scratch {
    state: SearchState,
    exact: Beam,
    query: RotatedQuery,
}

#[derive(Default)]
struct SearchState {
    visited: VisitedList,
    beam: Beam,
}

/// Sizes of a beam search.
pub(super) struct BeamWidth {
    /// Number of candidates kept to be expanded.
    pub ef: usize,
    /// Maximum of `ef` for a search that has not converged, see [`Beam::grow`].
    pub max_ef: usize,
    /// Width of the second beam, of exact distances; used with blocks of links only. Otherwise the
    /// result is the whole beam.
    pub exact_width: usize,
    /// Number of the nearest candidates that must not change for a search to converge: the depth
    /// of the rescoring.
    pub stable_top_n: usize,
}

/// Result of a graph search.
pub(super) struct GraphSearchResult<'a> {
    /// The nearest points found.
    pub beam: &'a Beam,
    /// Number of points compared: without the estimates of a block's neighbors, the centroids of
    /// clusters, and the test of the entry points of a filtered search.
    pub compared: usize,
    /// See [`super::points::Points::error_bound`].
    pub error: Option<f32>,
}

/// Searches all points and passes the result, which belongs to the thread's scratch memory, to
/// `then`.
pub(super) fn beam_search<R>(
    segment: &SealedSegment,
    query: &[f32],
    width: &BeamWidth,
    deadline: Option<Instant>,
    then: impl FnOnce(GraphSearchResult) -> R,
) -> Result<R> {
    SCRATCH.with_borrow_mut(|scratch| {
        let transformed = segment.to_l2.transform_query(query);
        let state = &mut scratch.state;
        let mut search = GraphSearch::new(segment, &transformed, width, deadline, state);
        match &segment.graph {
            Graph::Adjacency(links) => {
                search.search_links(links.as_slice())?;
                Ok(then(search.result()))
            }
            Graph::QuantizedAdjacency(blocks) => {
                blocks.query(&transformed, &mut scratch.query);
                scratch.exact.reset(width.exact_width, Growth::default());
                search.search_blocks(blocks, &scratch.query, &mut scratch.exact)?;
                Ok(then(GraphSearchResult {
                    beam: &scratch.exact,
                    ..search.result()
                }))
            }
        }
    })
}

/// Searches the points that match a filter (ACORN-1) from the entry points `seeds`, all of which
/// must match, with a transformed query, and passes the result to `then`.
pub(super) fn acorn_search<R>(
    segment: &SealedSegment,
    transformed: &[f32],
    width: &BeamWidth,
    seeds: &[u32],
    matches: impl Fn(u32) -> bool,
    deadline: Option<Instant>,
    then: impl FnOnce(GraphSearchResult) -> R,
) -> Result<R> {
    SCRATCH.with_borrow_mut(|scratch| {
        let state = &mut scratch.state;
        let mut search = GraphSearch::new(segment, transformed, width, deadline, state);
        search.search_filtered(seeds, matches)?;
        Ok(then(search.result()))
    })
}

struct GraphSearch<'a> {
    segment: &'a SealedSegment,
    query: PreparedQuery<'a>,
    visited: &'a mut VisitedList,
    beam: &'a mut Beam,
    deadline: Option<Instant>,
    transformed: &'a [f32],
    /// Clusters for the fallback of out-of-distribution queries. None once used, or if the request
    /// fixes `ef`: such a search neither grows nor falls back.
    clusters: Option<&'a Clusters>,
    /// Number of points compared so far.
    compared: usize,
}

impl<'a> GraphSearch<'a> {
    fn new(
        segment: &'a SealedSegment,
        transformed: &'a [f32],
        width: &BeamWidth,
        deadline: Option<Instant>,
        state: &'a mut SearchState,
    ) -> Self {
        let query = segment.points.prepare_query(transformed);
        let len = segment.internal_ids.len();
        let wider = width.ef as f32 * segment.points.ef_widening(&query);
        let capacity = (wider as usize).min(len).max(width.ef);
        let growth = Growth {
            max: width.max_ef.min(len),
            stable_top_n: width.stable_top_n,
        };
        state.visited.reset(len);
        state.beam.reset(capacity, growth);
        Self {
            segment,
            query,
            visited: &mut state.visited,
            beam: &mut state.beam,
            deadline,
            transformed,
            clusters: segment
                .clusters
                .as_ref()
                .filter(|_| width.max_ef > width.ef),
            compared: 0,
        }
    }

    fn result(&self) -> GraphSearchResult<'_> {
        GraphSearchResult {
            beam: self.beam,
            compared: self.compared,
            error: self.segment.points.error_bound(&self.query),
        }
    }

    /// Compares entry points. One batch is fetched while the one before
    /// is compared.
    fn seed(&mut self, mut seeds: impl Iterator<Item = u32>) {
        let (mut fetched, mut fetched_len) = ([0; DEGREE], 0);
        loop {
            let (mut batch, mut len) = ([0; DEGREE], 0);
            for (slot, seed) in batch.iter_mut().zip(&mut seeds) {
                *slot = seed;
                len += 1;
            }
            let mut fresh = [0; DEGREE];
            let fresh_len = self.mark_and_fetch(&batch[..len], &mut fresh);
            self.compare(&fetched[..fetched_len]);
            if len == 0 {
                return;
            }
            (fetched, fetched_len) = (fresh, fresh_len);
        }
    }

    /// Marks points as visited and prefetches those that were not, which are written to `fresh`.
    /// Returns their number.
    #[inline]
    fn mark_and_fetch(&mut self, offsets: &[u32], fresh: &mut [u32]) -> usize {
        let mut count = 0;
        // Branch-free, because the branch is unpredictable.
        for &offset in offsets {
            fresh[count] = offset;
            count += usize::from(self.visited.mark(offset));
        }
        let points = &self.segment.points;
        fresh[..count].iter().for_each(|p| points.prefetch(*p));
        count
    }

    /// Compares points, which were prefetched.
    #[inline]
    fn compare(&mut self, fresh: &[u32]) {
        self.compared += fresh.len();
        let beam = &mut *self.beam;
        self.segment
            .points
            .distances(&self.query, fresh, |offset, distance| {
                let candidate = Candidate { distance, offset };
                if distance < beam.admission_threshold() {
                    beam.insert(candidate);
                } else {
                    beam.push_overflow(candidate);
                }
            });
    }

    /// Calls `step` with the nearest candidate that was not expanded, until there is none and the
    /// search has converged. `matches` selects the points of clusters that are added as seeds;
    /// `step` selects among neighbors by itself.
    fn expand_all(
        &mut self,
        matches: impl Fn(u32) -> bool,
        mut step: impl FnMut(&mut Self, Candidate),
    ) -> Result<()> {
        let mut expanded = 0_usize;
        loop {
            while let Some(candidate) = self.beam.expand() {
                step(self, candidate);
                expanded += 1;
                if expanded.is_multiple_of(DEADLINE_CHECK_INTERVAL) {
                    check_deadline(self.deadline)?;
                }
            }
            if !self.seed_clusters(&matches) && !self.beam.grow() {
                return Ok(());
            }
        }
    }

    /// Compares points of the clusters nearest to the query that `matches` accepts, if the query is
    /// out of distribution: the last of the nearest candidates is beyond the OOD threshold. Returns
    /// false if that was done before, or is not needed.
    fn seed_clusters(&mut self, matches: impl Fn(u32) -> bool) -> bool {
        let Some(clusters) = self.clusters else {
            return false;
        };
        let is_near = |last: Candidate| last.distance <= clusters.ood_threshold();
        if self.beam.last_of_top_n().is_some_and(is_near) {
            return false;
        }
        self.clusters = None;
        let len = self.segment.internal_ids.len();
        let nearest = clusters.nearest(self.transformed, len, CLUSTER_SEEDS, matches);
        self.seed(nearest.into_iter());
        true
    }

    /// Compares all neighbors of each candidate.
    fn search_links(&mut self, links: &[u32]) -> Result<()> {
        self.seed(0..self.segment.entry_points);
        self.expand_all(
            |_| true,
            |search, Candidate { offset, .. }| {
                if let Some(next) = search.beam.next_unexpanded() {
                    prefetch(row(links, next.offset, DEGREE));
                }
                let mut fresh = [0; DEGREE];
                let hop1 = links_of(row(links, offset, DEGREE));
                let count = search.mark_and_fetch(hop1, &mut fresh);
                search.compare(&fresh[..count]);
            },
        )
    }

    /// Estimates all neighbors of a candidate at once, and compares the candidate itself, whose
    /// distance was an estimate: exact distances go into `exact`.
    fn search_blocks(
        &mut self,
        blocks: &Blocks,
        rotated: &RotatedQuery,
        exact: &mut Beam,
    ) -> Result<()> {
        self.seed(0..self.segment.entry_points);
        self.expand_all(
            |_| true,
            |search, Candidate { offset, .. }| {
                let points = &search.segment.points;
                let distance = points.distance(&search.query, offset);
                if let Some(next) = search.beam.next_unexpanded() {
                    blocks.prefetch(next.offset);
                    points.prefetch(next.offset);
                }
                search.compared += 1;
                let threshold = search.beam.admission_threshold();
                let (visited, beam) = (&mut *search.visited, &mut *search.beam);
                blocks.scan(rotated, offset, distance, threshold, |offset, distance| {
                    // A rejected point is not marked as visited: a nearer vertex may have a better
                    // estimate of it.
                    if visited.mark(offset) {
                        beam.insert(Candidate { distance, offset });
                    }
                });
                if distance < exact.admission_threshold() {
                    exact.insert(Candidate { distance, offset });
                }
            },
        )
    }

    /// Expands each match to its direct neighbors that match (hop 1), then to the matching
    /// neighbors of its non-matching neighbors (hop 2), until [`MAX_MATCHES_PER_EXPANSION`] matches
    /// are collected. Matches visited before count too: where they are many, the search has paths
    /// enough. Only matches are compared.
    ///
    /// A non-matching neighbor is marked as visited, because it is expanded once per search: a
    /// second time it would lead to the same matches. Non-matching points at hop 2 are not marked,
    /// since they are not expanded; they may be bridges of a later match.
    fn search_filtered(&mut self, seeds: &[u32], matches: impl Fn(u32) -> bool) -> Result<()> {
        self.seed(seeds.iter().copied());
        let mut matching = [0; DEGREE];
        // `hop2_others` is written only, see `partition_by_match`.
        let (mut hop1_others, mut hop2_others) = ([0; DEGREE], [0; DEGREE]);
        let mut fresh = [0; 2 * DEGREE];
        self.expand_all(&matches, |search, Candidate { offset, .. }| {
            let segment = search.segment;
            if let Some(next) = search.beam.next_unexpanded() {
                prefetch(segment.link_row(next.offset));
            }
            let hop1 = links_of(segment.link_row(offset));
            let mut match_count =
                partition_by_match(hop1, &matches, &mut matching, &mut hop1_others);
            let others_len = search.mark_in_place(&mut hop1_others, hop1.len() - match_count);
            let mut fresh_len = search.mark_and_fetch(&matching[..match_count], &mut fresh);
            let fetch_links = |i: usize| {
                if i < others_len {
                    prefetch(segment.link_row(hop1_others[i]));
                }
            };
            (0..HOP1_PREFETCH_DISTANCE).for_each(fetch_links);
            for (i, via) in hop1_others[..others_len].iter().enumerate() {
                if match_count >= MAX_MATCHES_PER_EXPANSION {
                    break;
                }
                fetch_links(i + HOP1_PREFETCH_DISTANCE);
                let hop2 = links_of(segment.link_row(*via));
                let hop2_count =
                    partition_by_match(hop2, &matches, &mut matching, &mut hop2_others);
                match_count += hop2_count;
                fresh_len +=
                    search.mark_and_fetch(&matching[..hop2_count], &mut fresh[fresh_len..]);
            }
            search.compare(&fresh[..fresh_len]);
        })
    }

    /// Marks the first `len` points as visited and keeps only those that were not, in place.
    /// Returns their number.
    #[inline]
    fn mark_in_place(&mut self, offsets: &mut [u32; DEGREE], len: usize) -> usize {
        let mut count = 0;
        for i in 0..len {
            let offset = offsets[i];
            offsets[count] = offset;
            count += usize::from(self.visited.mark(offset));
        }
        count
    }
}

/// Returns the links of a row, without the placeholders after the last.
#[inline]
fn links_of(row: &[u32]) -> &[u32] {
    let len = row.iter().position(|to| *to == NONE);
    &row[..len.unwrap_or(row.len())]
}

/// Partitions points into those that match and the others, branch-free, because the branch is
/// unpredictable. Returns the number that match.
#[inline]
fn partition_by_match(
    offsets: &[u32],
    matches: impl Fn(u32) -> bool,
    matching: &mut [u32; DEGREE],
    others: &mut [u32; DEGREE],
) -> usize {
    let (mut match_count, mut other_count) = (0, 0);
    for &offset in offsets {
        let is_match = matches(offset);
        matching[match_count] = offset;
        others[other_count] = offset;
        match_count += usize::from(is_match);
        other_count += usize::from(!is_match);
    }
    match_count
}
