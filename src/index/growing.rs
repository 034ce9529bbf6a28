//! The HNSW graph; the only file that names `hnsw_rs`.
//!
//! What hnsw_rs 0.3.5 does that this file has to live with:
//! - a NaN or negative distance panics: [`Clamped`] never gives one, and inner products (negative by nature)
//!   never come here;
//! - points inserted at once into an empty graph find no entry point and stay without links: the first ones go
//!   in one after the other;
//! - the filter is asked only after the cut to `k`, where the entry point can hold a place: all `ef` results are
//!   asked for and cut here;
//! - `ef` is allocated up front: it is bounded by the number of points;
//! - its limit on points is a hint, it grows beyond;
//! - a search cannot be stopped: the deadline is looked at before and after.

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

/// Links of a point on the upper layers; twice as many on the ground layer. More cost memory and build time.
const M: usize = 16;

/// Candidates looked at to choose the links of a new point; fewer build faster and find less.
const EF_CONSTRUCTION: usize = 200;

/// hnsw_rs's most layers.
const LAYERS: usize = 16;

/// Bytes of a link: a shared point with its distance.
const LINK_BYTES: usize = 48;

/// First allocation only.
const EXPECTED_POINTS: usize = 4096;

/// Points put in one by one before threads share the work.
const SERIAL_START: usize = 64;

/// hnsw_rs's filtered search needs a place beside the entry point's.
const LEAST_EF: usize = 16;

/// Approximate index that grows; searched and written at the same time.
pub struct GrowingIndex {
    graph: Hnsw<'static, f32, Clamped>,
}

impl GrowingIndex {
    /// An empty graph. `metric` is cosine or L2: a graph cannot be walked by inner product.
    pub fn new(metric: Metric) -> Self {
        debug_assert_ne!(metric, Metric::Dot);
        let distance = Clamped(metric);
        Self {
            graph: Hnsw::new(M, EXPECTED_POINTS, LAYERS, EF_CONSTRUCTION, distance),
        }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.graph.get_nb_point()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory, about: hnsw_rs keeps a copy of each vector, and its links with their distances.
    pub fn bytes(&self, dim: usize) -> usize {
        self.len() * Self::vector_bytes(dim)
    }

    /// The same of one vector.
    pub fn vector_bytes(dim: usize) -> usize {
        dim * size_of::<f32>() + 2 * M * LINK_BYTES
    }

    /// About the `k` nearest of `allowed` (None: of all), by a walk `ef` wide; sorted, maybe fewer.
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
        let ef = ef.max(k).min(points).max(LEAST_EF);
        let passes =
            |id: &usize| u32::try_from(*id).is_ok_and(|id| allowed.is_none_or(|a| a.contains(id)));
        // Without a filter hnsw_rs stops as soon as nothing nearer can come, with one it does not.
        let found = if allowed.is_none_or(|a| a.len() as usize >= points) {
            self.graph.search(query, ef, ef)
        } else {
            self.graph.search_filter(query, ef, ef, Some(&passes))
        };
        check_deadline(deadline)?;
        let mut found: Vec<_> = found
            .into_iter()
            .filter(|n| passes(&n.d_id))
            .filter_map(|n| {
                Some(Neighbor {
                    id: u32::try_from(n.d_id).ok()?,
                    distance: n.distance,
                })
            })
            .collect();
        found.sort_by(order);
        found.dedup_by_key(|n| n.id);
        found.truncate(k);
        Ok(found)
    }

    /// Adds vectors by so many threads; no number may come twice in a graph's life.
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
        // Threads of our own, not rayon's, whose threads answer searches.
        thread::scope(|scope| {
            for _ in 1..threads.min(rest.len() / 8) {
                scope.spawn(work);
            }
            work();
        });
    }
}

/// Our distance in the form that hnsw_rs can bear: a number, 0 or more.
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
