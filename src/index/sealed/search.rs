//! Searches of one sealed segment.

use std::{sync::Arc, time::Instant};

use roaring::RoaringBitmap;

use super::{
    SealedSegment,
    beam::Candidate,
    graph_search::{BeamWidth, GraphSearchResult, acorn_search, beam_search},
    points::row,
    prefetch::prefetch,
    segment::Graph,
    tuning::{
        EF_SELECTIVITY_EXPONENT, FILTERED_EF_FACTOR, FILTERED_EF_FACTOR_OUTLIER,
        FILTERED_SCAN_PER_EF, MIN_ENTRY_POINTS, ONE_BIT_EF_FACTOR, POST_FILTER_MIN_SELECTIVITY,
        PREFETCH_DISTANCE, RERANK_OVERSAMPLING, SCAN_PER_EF,
    },
};
use crate::{
    Result, distance,
    index::{CandidateFilter, Neighbor, candidate_filter::PointBitmap, order, top_k::top_k},
};

/// A query of one sealed segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentQuery<'a> {
    /// The vector to search for, with as many components as those of the segment.
    pub vector: &'a [f32],
    /// Maximum number of results.
    pub k: usize,
    /// Beam width of a graph search.
    pub ef: usize,
    /// Time at which the search fails with [`crate::Error::DeadlineExceeded`]; never if None.
    pub deadline: Option<Instant>,
}

/// Result of an unfiltered graph search after the filter was applied.
enum PostFiltered {
    /// The nearest matches.
    Complete(Vec<Neighbor>),
    /// Point offsets of the matches: too few to be sure of the order.
    TooFew(Vec<u32>),
}

impl SealedSegment {
    /// Returns true if a graph search costs less than a scan of `matching` (None: of all vectors).
    pub fn graph_search_is_cheaper(
        &self,
        matching: Option<&RoaringBitmap>,
        k: usize,
        ef: usize,
    ) -> bool {
        let (candidates, cost) = match matching {
            None => (self.internal_ids.len() as u64, SCAN_PER_EF),
            Some(matching) => (matching.len(), FILTERED_SCAN_PER_EF),
        };
        candidates > cost * ef.max(k) as u64
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
            ef,
            deadline,
        } = *query;
        let keep = with_rerank_margin(k).min(ef.max(k));
        let ef = self.beam_width(keep, ef);
        beam_search(self, vector, &BeamWidth { ef, keep }, deadline, |result| {
            let ranked = self.rerank(vector, k, result.beam.candidates(), result.error);
            (ranked, result.compared)
        })
    }

    /// Returns approximately the nearest of `matching`, which are the members that pass `filter`,
    /// sorted, and the number of distances computed. It may find fewer results than there are
    /// matches.
    ///
    /// # Errors
    /// [`crate::Error::DeadlineExceeded`].
    pub fn filtered_graph_search(
        &self,
        query: &SegmentQuery<'_>,
        matching: &RoaringBitmap,
        filter: &CandidateFilter,
    ) -> Result<(Vec<Neighbor>, usize)> {
        let SegmentQuery {
            vector,
            k,
            ef,
            deadline,
        } = *query;
        let keep = with_rerank_margin(k);
        let (mut compared, mut seeds, mut ef_factor) = (0, Vec::new(), FILTERED_EF_FACTOR);
        let selectivity = matching.len() as f64 / self.internal_ids.len().max(1) as f64;
        if selectivity >= POST_FILTER_MIN_SELECTIVITY {
            let wider = ef as f64 * selectivity.powf(EF_SELECTIVITY_EXPONENT);
            let ef = self.beam_width(keep, wider.ceil() as usize);
            let (result, cost) = self.post_filtered_search(query, ef, matching)?;
            compared = cost;
            match result {
                PostFiltered::Complete(neighbors) => return Ok((neighbors, compared)),
                PostFiltered::TooFew(near) => {
                    (seeds, ef_factor) = (near, FILTERED_EF_FACTOR_OUTLIER);
                }
            }
        }
        let max_ef = keep.max(self.internal_ids.len());
        let ef = ((ef as f64 * ef_factor).ceil() as usize).clamp(keep, max_ef);
        let bitmap = self.bitmap(matching, filter);
        let count = (self.entry_points as usize).min(matching.len() as usize);
        match &bitmap {
            Some(bitmap) => seeds.extend(bitmap.spread(count)),
            None => seeds.extend(self.seeds(matching, count.min(MIN_ENTRY_POINTS))),
        }
        let then = |result: GraphSearchResult| {
            let ranked = self.rerank(vector, k, result.beam.candidates(), result.error);
            (ranked, compared + result.compared)
        };
        match bitmap {
            Some(bitmap) => {
                let matches = |p| bitmap.contains(p);
                acorn_search(self, vector, ef, &seeds, matches, deadline, then)
            }
            None => {
                let matches = |p: u32| matching.contains(self.internal_ids[p as usize]);
                acorn_search(self, vector, ef, &seeds, matches, deadline, then)
            }
        }
    }

    /// Searches all vectors with beam width `ef` and drops those that do not match. If too few are
    /// left to be sure of the order, it returns their point offsets.
    fn post_filtered_search(
        &self,
        query: &SegmentQuery<'_>,
        ef: usize,
        matching: &RoaringBitmap,
    ) -> Result<(PostFiltered, usize)> {
        let SegmentQuery {
            vector,
            k,
            deadline,
            ..
        } = *query;
        let keep = with_rerank_margin(k);
        let width = BeamWidth { ef, keep: ef };
        beam_search(self, vector, &width, deadline, |result| {
            let candidates = result.beam.candidates();
            let nearer_half = candidates.len() / 2;
            let is_match = |(_, c): &(usize, Candidate)| {
                matching.contains(self.internal_ids[c.offset as usize])
            };
            let matches: Vec<_> = candidates.enumerate().filter(is_match).collect();
            let certain = matches.partition_point(|(rank, _)| *rank < nearer_half);
            if certain < keep {
                let offsets = matches.iter().map(|(_, c)| c.offset).collect();
                return (PostFiltered::TooFew(offsets), result.compared);
            }
            let matches = matches.iter().map(|(_, c)| *c);
            let ranked = self.rerank(vector, k, matches, result.error);
            (PostFiltered::Complete(ranked), result.compared)
        })
    }

    /// Returns the beam width that finds `keep` candidates as well as exact distances do with `ef`.
    fn beam_width(&self, keep: usize, ef: usize) -> usize {
        let ef = match self.graph {
            Graph::Links(_) => ef,
            Graph::Blocks(_) => ef.saturating_mul(ONE_BIT_EF_FACTOR),
        };
        ef.max(keep).min(self.internal_ids.len()).max(1)
    }

    /// Returns point offsets to start from, spread over `matching`.
    fn seeds(&self, matching: &RoaringBitmap, count: usize) -> Vec<u32> {
        let seed = |i| {
            let rank = i as u64 * matching.len() / count as u64;
            self.offsets.get(matching.select(rank as u32)?)
        };
        (0..count).filter_map(seed).collect()
    }

    /// Returns a bitmap of the points that match, if the filter is used often enough to pay for it.
    fn bitmap(
        &self,
        matching: &RoaringBitmap,
        filter: &CandidateFilter,
    ) -> Option<Arc<PointBitmap>> {
        filter.bitmap(self.serial, || {
            let offsets = matching.iter().filter_map(|id| self.offsets.get(id));
            PointBitmap::of(self.internal_ids.len(), offsets)
        })
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
        if !by_codes || offsets.len() <= with_rerank_margin(k) {
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
        let keep = match error {
            Some(_) => k.saturating_mul(RERANK_OVERSAMPLING),
            None => 0,
        };
        let bytes = self.points.bytes();
        let keep = keep.max(with_rerank_margin(k));
        let near = top_k(&offsets, keep, bytes, deadline, |offsets, best| {
            self.points.scan(&prepared, offsets, |id, distance| {
                best.push(Neighbor { id, distance });
            });
        })?;
        let near = near.iter().map(|n| Candidate {
            distance: n.distance,
            offset: n.id,
        });
        Ok(self.rerank(vector, k, near, error))
    }

    /// Returns the `k` nearest of `candidates` by their vectors. Candidates come nearest first.
    /// With the `error` bound of their distances it stops at the first that cannot be nearer than
    /// the results; without, it compares `k` and a margin.
    fn rerank(
        &self,
        query: &[f32],
        k: usize,
        candidates: impl Iterator<Item = Candidate>,
        error: Option<f32>,
    ) -> Vec<Neighbor> {
        let max = if error.is_some() {
            usize::MAX
        } else {
            with_rerank_margin(k)
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
fn with_rerank_margin(k: usize) -> usize {
    k + k / 4 + 4
}
