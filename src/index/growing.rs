//! The HNSW graph of a growing segment; the only file that names `hnsw_rs`.
//!
//! Properties of hnsw_rs 0.3.5 that this file works around:
//! - a NaN or negative distance panics: [`Clamped`] never returns one, and inner products (negative
//!   by nature) never come here;
//! - points inserted at the same time into an empty graph find no entry point and stay without
//!   links: the first ones are inserted one after the other;
//! - the filter is applied only after the cut to `k`, where the entry point can occupy a place: all
//!   `ef` results are requested and cut here;
//! - `ef` is allocated up front: it is bounded by the number of points;
//! - its limit on points is a hint, it grows beyond;
//! - a search cannot be interrupted: the deadline is checked before and after.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use hnsw_rs::prelude::{Distance, Hnsw};
use roaring::RoaringBitmap;
use vitrine_schemas::Metric;

use super::{Neighbor, check_deadline, order};
use crate::{Result, distance};

/// Number of links of a point on the upper layers; twice as many on the ground layer. More cost
/// memory and build time.
const M: usize = 16;

/// Number of candidates from which the links of a new point are chosen; fewer build faster and find
/// less.
const EF_CONSTRUCTION: usize = 200;

/// Maximum number of layers of hnsw_rs.
const MAX_LAYERS: usize = 16;

/// Bytes of a link: a shared point with its distance.
const LINK_BYTES: usize = 48;

/// Number of points of the first allocation.
const EXPECTED_POINTS: usize = 4096;

/// Number of points inserted one by one before threads share the work.
const SERIAL_START: usize = 64;

/// Minimum `ef`: hnsw_rs's filtered search needs a place in addition to the entry point's.
const MIN_EF: usize = 16;

/// Approximate index that grows; searches and inserts run at the same time.
pub struct GrowingGraph {
    graph: Hnsw<'static, f32, Clamped>,
}

impl GrowingGraph {
    /// Creates an empty graph. `metric` is cosine or L2: a graph cannot be searched by inner
    /// product.
    pub fn new(metric: Metric) -> Self {
        debug_assert_ne!(metric, Metric::Dot);
        let distance = Clamped(metric);
        Self {
            graph: Hnsw::new(M, EXPECTED_POINTS, MAX_LAYERS, EF_CONSTRUCTION, distance),
        }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.graph.get_nb_point()
    }

    /// True if there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Estimated number of bytes in memory: hnsw_rs keeps a copy of each vector, and its links with
    /// their distances.
    pub fn bytes(&self, dim: usize) -> usize {
        self.len() * Self::vector_bytes(dim)
    }

    /// Estimated number of bytes of one vector.
    pub fn vector_bytes(dim: usize) -> usize {
        dim * size_of::<f32>() + 2 * M * LINK_BYTES
    }

    /// Returns approximately the `k` nearest of `allowed` (None: of all), by a graph search with
    /// beam width `ef`; sorted, possibly fewer.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        allowed: Option<&RoaringBitmap>,
        deadline: Option<Instant>,
    ) -> Result<Vec<Neighbor>> {
        check_deadline(deadline)?;
        let points = self.len();
        let ef = ef.max(k).min(points).max(MIN_EF);
        let passes =
            |id: &usize| u32::try_from(*id).is_ok_and(|id| allowed.is_none_or(|a| a.contains(id)));
        // Without a filter hnsw_rs stops as soon as nothing nearer can come, with one it does not.
        let results = if allowed.is_none_or(|a| a.len() as usize >= points) {
            self.graph.search(query, ef, ef)
        } else {
            self.graph.search_filter(query, ef, ef, Some(&passes))
        };
        check_deadline(deadline)?;
        let mut neighbors: Vec<_> = results
            .into_iter()
            .filter(|n| passes(&n.d_id))
            .filter_map(|n| {
                Some(Neighbor {
                    id: u32::try_from(n.d_id).ok()?,
                    distance: n.distance,
                })
            })
            .collect();
        neighbors.sort_by(order);
        neighbors.dedup_by_key(|n| n.id);
        neighbors.truncate(k);
        Ok(neighbors)
    }

    /// Adds vectors with at most `threads` threads; an internal id is inserted at most once in the
    /// life of a graph.
    pub fn insert(&self, batch: &[(u32, &[f32])], threads: usize) {
        let serial = SERIAL_START.saturating_sub(self.len()).min(batch.len());
        let (first, rest) = batch.split_at(serial);
        for (id, vector) in first {
            self.graph.insert((vector, *id as usize));
        }
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((id, vector)) = rest.get(next.fetch_add(1, Relaxed)) {
                self.graph.insert((vector, *id as usize));
            }
        };
        // Separate threads, not rayon's, which serve searches.
        thread::scope(|scope| {
            for _ in 1..threads.min(rest.len() / 8) {
                scope.spawn(work);
            }
            work();
        });
    }
}

/// Distance in the form that hnsw_rs requires: a number, 0 or more.
#[derive(Clone, Copy)]
struct Clamped(Metric);

impl Distance<f32> for Clamped {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        let distance = distance::distance(self.0, a, b);
        if distance.is_nan() {
            f32::MAX
        } else {
            distance.max(0.0)
        }
    }
}
