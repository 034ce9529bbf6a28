//! Searches of one sealed segment.

use std::time::Instant;

use roaring::RoaringBitmap;

use super::{
    SealedSegment,
    beam::Candidate,
    graph_search::{BeamWidth, beam_search},
    points::row,
    prefetch::prefetch,
    segment::Graph,
    tuning::{
        FILTERED_SCAN_PER_EF, MAX_EF_GROWTH, MIN_DEFAULT_EF, ONE_BIT_EF_FACTOR, PREFETCH_DISTANCE,
        RESCORING_OVERSAMPLING, SCAN_CROSSOVER_PER_EF,
    },
};
use crate::{
    Result, distance,
    index::{CandidateFilter, Neighbor, order, top_k::top_k},
};

/// A query of one sealed segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentQuery<'a> {
    /// The vector to search for, with as many components as those of the segment.
    pub vector: &'a [f32],
    /// Maximum number of results.
    pub k: usize,
    /// Beam width of a graph search. If None, `max(64, 2 * k)` to begin with: it grows while the
    /// search has not converged.
    pub ef: Option<usize>,
    /// Time at which the search fails with [`crate::Error::DeadlineExceeded`]; never if None.
    pub deadline: Option<Instant>,
}

impl SegmentQuery<'_> {
    /// Returns the beam width to begin with.
    pub fn min_ef(&self) -> usize {
        let default = || self.k.saturating_mul(2).max(MIN_DEFAULT_EF);
        self.ef.unwrap_or_else(default)
    }

    /// Returns the maximum of a beam width that begins with `ef`.
    pub(super) fn max_ef(&self, ef: usize) -> usize {
        match self.ef {
            Some(_) => ef,
            None => ef.saturating_mul(MAX_EF_GROWTH),
        }
    }
}

impl SealedSegment {
    /// Returns true if a graph search costs less than a scan of `matching` (None: of all vectors).
    pub fn graph_search_is_cheaper(
        &self,
        query: &SegmentQuery<'_>,
        matching: Option<&RoaringBitmap>,
    ) -> bool {
        let (candidates, cost) = match matching {
            None => (self.internal_ids.len() as u64, SCAN_CROSSOVER_PER_EF),
            Some(matching) => (matching.len(), FILTERED_SCAN_PER_EF),
        };
        candidates > cost * query.min_ef().max(query.k) as u64
    }

    /// Returns approximately the nearest of all vectors, sorted, and the number of distances
    /// computed.
    ///
    /// # Errors
    /// [`crate::Error::DeadlineExceeded`].
    pub fn graph_search(&self, query: &SegmentQuery<'_>) -> Result<(Vec<Neighbor>, usize)> {
        let SegmentQuery {
            vector,
            k,
            deadline,
            ..
        } = *query;
        let ef = query.min_ef();
        let depth = rescoring_depth(k).min(ef.max(k));
        let ef = self.beam_width(depth, ef);
        let width = BeamWidth {
            ef,
            max_ef: query.max_ef(ef),
            exact_width: depth,
            stable_top_n: depth,
        };
        beam_search(self, vector, &width, deadline, |result| {
            let ranked = self.rescore(vector, k, result.beam.candidates(), result.error);
            (ranked, result.compared)
        })
    }

    /// Returns the beam width that finds `count` candidates as well as exact distances do with
    /// `ef`.
    pub(super) fn beam_width(&self, count: usize, ef: usize) -> usize {
        let ef = match self.graph {
            Graph::Adjacency(_) => ef,
            Graph::QuantizedAdjacency(_) => ef.saturating_mul(ONE_BIT_EF_FACTOR),
        };
        ef.max(count).min(self.internal_ids.len()).max(1)
    }

    /// Returns the nearest of `matching`, which are members, by comparing all of them. `by_codes`
    /// compares their codes, and only the best by their vectors. `filter` is the one that
    /// `matching` pass; None if these are all members.
    ///
    /// # Errors
    /// [`crate::Error::DeadlineExceeded`].
    pub fn scan(
        &self,
        query: &SegmentQuery<'_>,
        matching: &RoaringBitmap,
        filter: Option<&CandidateFilter>,
        by_codes: bool,
    ) -> Result<Vec<Neighbor>> {
        let SegmentQuery {
            vector,
            k,
            deadline,
            ..
        } = *query;
        let bitmap = filter.and_then(|filter| self.bitmap(matching, filter));
        let offsets: Vec<u32> = match &bitmap {
            Some(bitmap) => bitmap.offsets(),
            None => {
                let offsets = matching.iter().filter_map(|id| self.offsets.get(id));
                offsets.collect()
            }
        };
        if !by_codes || offsets.len() <= rescoring_depth(k) {
            let bytes = size_of_val(vector);
            return top_k(&offsets, k, bytes, deadline, |offsets, best| {
                for &p in offsets {
                    best.push(Neighbor {
                        id: self.internal_ids[p as usize],
                        distance: self.distance_to(vector, p),
                    });
                }
            });
        }
        let transformed = self.to_l2.transform_query(vector);
        let prepared = self.points.prepare_query(&transformed);
        let error = self.points.error_bound(&prepared);
        let depth = match error {
            Some(_) => k.saturating_mul(RESCORING_OVERSAMPLING),
            None => 0,
        };
        let bytes = self.points.bytes();
        let depth = depth.max(rescoring_depth(k));
        let near = top_k(&offsets, depth, bytes, deadline, |offsets, best| {
            self.points.scan(&prepared, offsets, |id, distance| {
                best.push(Neighbor { id, distance });
            });
        })?;
        let near = near.iter().map(|n| Candidate {
            distance: n.distance,
            offset: n.id,
        });
        Ok(self.rescore(vector, k, near, error))
    }

    /// Returns the `k` nearest of `candidates` by their vectors. Candidates come nearest first.
    /// With the `error` bound of their distances it stops at the first that cannot be nearer than
    /// the results; without, it compares `k` and a margin.
    pub(super) fn rescore(
        &self,
        query: &[f32],
        k: usize,
        candidates: impl Iterator<Item = Candidate>,
        error: Option<f32>,
    ) -> Vec<Neighbor> {
        let max = if error.is_some() {
            usize::MAX
        } else {
            rescoring_depth(k)
        };
        let candidates: Vec<_> = candidates.take(max).collect();
        let scale = self.to_l2.query_scale(query);
        let vector = |c: &Candidate| row::<f32>(self.vectors.as_slice(), c.offset, self.to_l2.dim);
        let mut results: Vec<Neighbor> = Vec::with_capacity(k + 1);
        candidates
            .iter()
            .take(PREFETCH_DISTANCE)
            .for_each(|c| prefetch(vector(c)));
        for (i, candidate) in candidates.iter().enumerate() {
            if let (Some(error), Some(last)) = (error, results.get(k.wrapping_sub(1)))
                && candidate.distance > self.to_l2.squared_l2(scale, last.distance) + error
            {
                break;
            }
            if let Some(ahead) = candidates.get(i + PREFETCH_DISTANCE) {
                prefetch(vector(ahead));
            }
            let neighbor = Neighbor {
                id: self.internal_ids[candidate.offset as usize],
                distance: distance::distance(self.to_l2.metric, query, vector(candidate)),
            };
            let rank = results.partition_point(|n| order(n, &neighbor).is_lt());
            if rank < k {
                results.truncate(k - 1);
                results.insert(rank, neighbor);
            }
        }
        results
    }
}

/// Returns the minimum number of candidates whose vectors are compared for `k` results: codes may
/// order near ones wrongly.
pub(super) fn rescoring_depth(k: usize) -> usize {
    k + k / 4 + 4
}
