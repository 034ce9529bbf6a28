//! Coarse clusters that seed out-of-distribution queries.
//!
//! A graph search assumes that the query is near some of the points. For a query far from all of
//! them (a text among images), or far from all that match a filter, many points are about equally
//! near, in regions without links between them, so the search ends in a local minimum. The
//! centroids of k-means clusters (Lloyd 1982; as the coarse quantizer of an inverted file, Jegou et
//! al. 2011) rank all regions at once.

use std::ops::Range;

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    mips::{MipsToL2, squared_norm},
    points::Points,
    tuning::{
        CLUSTER_ITERATIONS, ENCODE_BATCH, MAX_CLUSTERS, MIN_CLUSTERED_VECTORS, SAMPLE_PER_CLUSTER,
    },
};
use crate::Result;

/// Clusters of a segment's points, each a range of point offsets.
pub(super) struct Clusters {
    dim: usize,
    /// One after the other, `dim` components each.
    centroids: Vec<f32>,
    /// The centroids as searches compare them.
    points: Points,
    /// First point offset of each cluster, ascending; the last ends with the last point.
    starts: Vec<u32>,
    /// See [`Clusters::ood_threshold`].
    ood_threshold: f32,
}

impl Clusters {
    /// Restores clusters from their centroids and starts.
    pub fn new(
        dim: usize,
        centroids: Vec<f32>,
        starts: Vec<u32>,
        ood_threshold: f32,
    ) -> Result<Self> {
        let identity = MipsToL2 {
            metric: vitrine_schemas::Metric::L2,
            dim,
            radius: 0.0,
        };
        Ok(Self {
            points: Points::new(identity, centroids.chunks_exact(dim), true)?,
            dim,
            centroids,
            starts,
            ood_threshold,
        })
    }

    /// Squared distance, as searches compare, that nearly all vectors have their nearest ones
    /// within: a query with results beyond it is out of distribution (OOD).
    pub fn ood_threshold(&self) -> f32 {
        self.ood_threshold
    }

    /// Sets [`Clusters::ood_threshold`].
    pub fn set_ood_threshold(&mut self, distance: f32) {
        self.ood_threshold = distance;
    }

    /// The centroids, one after the other.
    pub fn centroids(&self) -> &[f32] {
        &self.centroids
    }

    /// First point offset of each cluster.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Number of bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.centroids.as_slice())
            + size_of_val(self.starts.as_slice())
            + self.points.len_bytes()
    }

    /// Returns all clusters by the distance of their centroids from a transformed query.
    fn ranked(&self, transformed: &[f32]) -> Vec<u32> {
        debug_assert_eq!(transformed.len(), self.dim);
        let query = self.points.prepare_query(transformed);
        let all: Vec<u32> = (0..self.starts.len() as u32).collect();
        let mut ranked = Vec::with_capacity(all.len());
        self.points.distances(&query, &all, |cluster, distance| {
            // The bits of a number that is not negative are in its order.
            ranked.push(u64::from(distance.max(0.0).to_bits()) << 32 | u64::from(cluster));
        });
        ranked.sort_unstable();
        ranked.into_iter().map(|key| key as u32).collect()
    }

    /// Returns points of the nearest clusters that `matches` accepts, about `count`.
    pub fn nearest(
        &self,
        transformed: &[f32],
        len: usize,
        count: usize,
        matches: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let mut nearest = Vec::with_capacity(count);
        for cluster in self.ranked(transformed) {
            if nearest.len() >= count {
                break;
            }
            nearest.extend(self.points(cluster, len).filter(|p| matches(*p)));
        }
        nearest
    }

    /// Returns the point offsets of a cluster; `len` is the number of points.
    fn points(&self, cluster: u32, len: usize) -> Range<u32> {
        let cluster = cluster as usize;
        let end = self.starts.get(cluster + 1).copied();
        self.starts[cluster]..end.unwrap_or(len as u32)
    }
}

/// Centroids, and the cluster of each vector.
pub(super) struct Clustering {
    dim: usize,
    /// One after the other, as many components each as a transformed vector.
    pub centroids: Vec<f32>,
    /// By index of the vector.
    pub clusters: Vec<u32>,
}

impl Clustering {
    /// Sorts an order of the vectors by cluster, but for the first `fixed`, and returns the start
    /// of each cluster.
    pub fn sort(&self, order: &mut [u32], fixed: usize) -> Vec<u32> {
        let cluster = |index: &u32| self.clusters[*index as usize];
        let sorted = &mut order[fixed..];
        sorted.sort_by_key(cluster);
        let starts = (0..self.centroids.len() / self.dim).map(|c| {
            let before = sorted.partition_point(|index| (cluster(index) as usize) < c);
            (fixed + before) as u32
        });
        starts.collect()
    }
}

/// Clusters vectors, which are in random order; None if there are too few to need it.
pub(super) fn cluster(to_l2: MipsToL2, vectors: &[&[f32]], threads: usize) -> Option<Clustering> {
    if vectors.len() < MIN_CLUSTERED_VECTORS {
        return None;
    }
    let dim = to_l2.transformed_dim();
    let count = vectors.len().isqrt().min(MAX_CLUSTERS);
    let sample = &vectors[..(count * SAMPLE_PER_CLUSTER).min(vectors.len())];
    let mut centroids = vec![0.0; count * dim];
    for (centroid, v) in centroids.chunks_exact_mut(dim).zip(sample) {
        to_l2.transform(v, centroid);
    }
    let mut transformed = vec![0.0; dim];
    for _ in 0..CLUSTER_ITERATIONS {
        let nearest = assign(to_l2, sample, &centroids, threads);
        let mut sums = vec![0.0_f64; centroids.len()];
        let mut sizes = vec![0_usize; count];
        for (v, cluster) in sample.iter().zip(&nearest) {
            let cluster = *cluster as usize;
            to_l2.transform(v, &mut transformed);
            let sum = &mut sums[cluster * dim..][..dim];
            sum.iter_mut()
                .zip(&transformed)
                .for_each(|(s, x)| *s += f64::from(*x));
            sizes[cluster] += 1;
        }
        let rows = centroids.chunks_exact_mut(dim).zip(sums.chunks_exact(dim));
        for ((centroid, sum), size) in rows.zip(sizes).filter(|(_, size)| *size > 0) {
            let mean = sum.iter().map(|s| (s / size as f64) as f32);
            centroid.iter_mut().zip(mean).for_each(|(c, m)| *c = m);
        }
    }
    Some(Clustering {
        dim,
        clusters: assign(to_l2, vectors, &centroids, threads),
        centroids,
    })
}

/// Returns the nearest centroid of each vector.
fn assign(to_l2: MipsToL2, vectors: &[&[f32]], centroids: &[f32], threads: usize) -> Vec<u32> {
    let mut nearest = vec![0; vectors.len()];
    let per_thread = vectors.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let shares = nearest
            .chunks_mut(per_thread)
            .zip(vectors.chunks(per_thread));
        for (nearest, vectors) in shares {
            scope.spawn(move || assign_share(to_l2, vectors, centroids, nearest));
        }
    });
    nearest
}

fn assign_share(to_l2: MipsToL2, vectors: &[&[f32]], centroids: &[f32], nearest: &mut [u32]) {
    let dim = to_l2.transformed_dim();
    let count = centroids.len() / dim;
    let half_squares: Vec<f32> = centroids
        .chunks_exact(dim)
        .map(|c| squared_norm(c) / 2.0)
        .collect();
    let columns = MatRef::from_row_major_slice(centroids, count, dim).transpose();
    let mut transformed = vec![0.0; ENCODE_BATCH * dim];
    let mut dots = vec![0.0; ENCODE_BATCH * count];
    let batches = vectors
        .chunks(ENCODE_BATCH)
        .zip(nearest.chunks_mut(ENCODE_BATCH));
    for (vectors, nearest) in batches {
        for (row, v) in transformed.chunks_exact_mut(dim).zip(vectors) {
            to_l2.transform(v, row);
        }
        let rows = &transformed[..vectors.len() * dim];
        let rows = MatRef::from_row_major_slice(rows, vectors.len(), dim);
        let out = &mut dots[..vectors.len() * count];
        let out = MatMut::from_row_major_slice_mut(out, vectors.len(), count);
        matmul(out, Accum::Replace, rows, columns, 1.0, Par::Seq);
        for (nearest, dots) in nearest.iter_mut().zip(dots.chunks_exact(count)) {
            let mut best = (f32::INFINITY, 0);
            for ((dot, half), cluster) in dots.iter().zip(&half_squares).zip(0..) {
                if half - dot < best.0 {
                    best = (half - dot, cluster);
                }
            }
            *nearest = best.1;
        }
    }
}
