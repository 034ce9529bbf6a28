//! Graph searches of one sealed segment among the vectors that match a filter.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{
    SealedSegment, SegmentQuery,
    beam::Candidate,
    graph_search::{BeamWidth, GraphSearchResult, acorn_search, beam_search},
    search::rescoring_depth,
    tuning::{
        EF_SELECTIVITY_EXPONENT, FILTERED_EF_FACTOR, FILTERED_EF_FACTOR_OOD, MIN_ENTRY_POINTS,
        OOD_SCAN_PER_EF, OOD_SEEDS_FACTOR, POST_FILTER_MIN_SELECTIVITY,
    },
};
use crate::{
    Result,
    index::{CandidateFilter, Neighbor, candidate_filter::PointBitmap},
};

/// Result of an unfiltered graph search after the filter was applied.
enum PostFiltered {
    /// The nearest matches.
    Complete(Vec<Neighbor>),
    /// Point offsets of the matches: too few to be sure of the order.
    TooFew(Vec<u32>),
}

impl SealedSegment {
    /// Returns approximately the nearest of `matching`, which are the members that pass `filter`,
    /// sorted, and the number of distances computed. It may find fewer results than there are
    /// matches. None if a scan is cheaper, since the query is out of distribution among the
    /// matches.
    ///
    /// # Errors
    /// [`crate::Error::DeadlineExceeded`].
    pub fn filtered_graph_search(
        &self,
        query: &SegmentQuery<'_>,
        matching: &RoaringBitmap,
        filter: &CandidateFilter,
    ) -> Result<Option<(Vec<Neighbor>, usize)>> {
        let SegmentQuery {
            vector,
            k,
            deadline,
            ..
        } = *query;
        let ef = query.min_ef();
        let depth = rescoring_depth(k);
        let (mut compared, mut seeds, mut ef_factor) = (0, Vec::new(), FILTERED_EF_FACTOR);
        let selectivity = matching.len() as f64 / self.internal_ids.len().max(1) as f64;
        if selectivity >= POST_FILTER_MIN_SELECTIVITY {
            let wider = ef as f64 * selectivity.powf(EF_SELECTIVITY_EXPONENT);
            let ef = self.beam_width(depth, wider.ceil() as usize);
            let (result, cost) = self.post_filtered_search(query, ef, matching)?;
            compared = cost;
            match result {
                PostFiltered::Complete(neighbors) => return Ok(Some((neighbors, compared))),
                PostFiltered::TooFew(near) => {
                    (seeds, ef_factor) = (near, FILTERED_EF_FACTOR_OOD);
                }
            }
        }
        let max_ef = depth.max(self.internal_ids.len());
        let ef = ((ef as f64 * ef_factor).ceil() as usize).clamp(depth, max_ef);
        let width = BeamWidth {
            ef,
            max_ef: query.max_ef(ef),
            exact_width: depth,
            stable_top_n: depth,
        };
        let bitmap = self.bitmap(matching, filter);
        let transformed = self.to_l2.transform_query(vector);
        seeds.extend(self.filtered_seeds(&transformed, matching, bitmap.as_deref()));
        if matching.len() <= OOD_SCAN_PER_EF * query.min_ef() as u64
            && self.seeds_are_ood(&transformed, &seeds, depth)
        {
            return Ok(None);
        }
        let then = |result: GraphSearchResult| {
            let ranked = self.rescore(vector, k, result.beam.candidates(), result.error);
            (ranked, compared + result.compared)
        };
        let found = match &bitmap {
            Some(bitmap) => {
                let matches = |p| bitmap.contains(p);
                acorn_search(self, &transformed, &width, &seeds, matches, deadline, then)
            }
            None => {
                let matches = |p: u32| matching.contains(self.internal_ids[p as usize]);
                acorn_search(self, &transformed, &width, &seeds, matches, deadline, then)
            }
        };
        found.map(Some)
    }

    /// Returns the entry points, all of which match: of the clusters nearest to the query or,
    /// without clusters, spread over all that match.
    fn filtered_seeds(
        &self,
        transformed: &[f32],
        matching: &RoaringBitmap,
        bitmap: Option<&PointBitmap>,
    ) -> Vec<u32> {
        let count = (self.entry_points as usize).min(matching.len() as usize);
        match (&self.clusters, bitmap) {
            (Some(clusters), _) => {
                let len = self.internal_ids.len();
                clusters.nearest(transformed, len, count, |p| match bitmap {
                    Some(bitmap) => bitmap.contains(p),
                    None => matching.contains(self.internal_ids[p as usize]),
                })
            }
            (None, Some(bitmap)) => bitmap.sample_evenly(count).collect(),
            (None, None) => self.sample_evenly(matching, count.min(MIN_ENTRY_POINTS)),
        }
    }

    /// Returns true if fewer than `depth` of the entry points are within twice the OOD threshold.
    fn seeds_are_ood(&self, transformed: &[f32], seeds: &[u32], depth: usize) -> bool {
        let Some(clusters) = &self.clusters else {
            return false;
        };
        let (prepared, mut near) = (self.points.prepare_query(transformed), 0);
        let threshold = clusters.ood_threshold() * OOD_SEEDS_FACTOR;
        self.points.distances(&prepared, seeds, |_, distance| {
            near += usize::from(distance <= threshold);
        });
        near < depth
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
        let depth = rescoring_depth(k);
        let width = BeamWidth {
            ef,
            max_ef: query.max_ef(ef),
            exact_width: ef,
            stable_top_n: depth,
        };
        beam_search(self, vector, &width, deadline, |result| {
            let candidates = result.beam.candidates();
            let nearer_half = candidates.len() / 2;
            let is_match = |(_, c): &(usize, Candidate)| {
                matching.contains(self.internal_ids[c.offset as usize])
            };
            let matches: Vec<_> = candidates.enumerate().filter(is_match).collect();
            let certain = matches.partition_point(|(rank, _)| *rank < nearer_half);
            if certain < depth {
                let offsets = matches.iter().map(|(_, c)| c.offset).collect();
                return (PostFiltered::TooFew(offsets), result.compared);
            }
            let matches = matches.iter().map(|(_, c)| *c);
            let ranked = self.rescore(vector, k, matches, result.error);
            (PostFiltered::Complete(ranked), result.compared)
        })
    }

    /// Returns entry points spread over `matching`.
    fn sample_evenly(&self, matching: &RoaringBitmap, count: usize) -> Vec<u32> {
        let seed = |i| {
            let rank = i as u64 * matching.len() / count as u64;
            self.offsets.get(matching.select(rank as u32)?)
        };
        (0..count).filter_map(seed).collect()
    }

    /// Returns a bitmap of the points that match, if the filter is used often enough to pay for it.
    pub(super) fn bitmap(
        &self,
        matching: &RoaringBitmap,
        filter: &CandidateFilter,
    ) -> Option<Arc<PointBitmap>> {
        filter.bitmap(self.serial, || {
            let offsets = matching.iter().filter_map(|id| self.offsets.get(id));
            PointBitmap::of(self.internal_ids.len(), offsets)
        })
    }
}
