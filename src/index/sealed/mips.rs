//! MIPS to L2: every metric as squared Euclidean distance.
//!
//! Cosine distance of unit vectors is proportional to it; for inner products a component is added
//! that gives all vectors the same norm (Bachrach et al. 2014), so that the nearest has the largest
//! product.

use vitrine_schemas::Metric;

use crate::distance;

/// Map of the vectors of a metric into Euclidean space; the identity but for inner products.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MipsToL2 {
    pub metric: Metric,
    /// Number of components of the original vectors.
    pub dim: usize,
    /// Square of the norm that all vectors get; for inner products only.
    pub radius: f32,
}

impl MipsToL2 {
    /// Fits the map to vectors.
    pub fn fit<'a>(metric: Metric, dim: usize, vectors: impl Iterator<Item = &'a [f32]>) -> Self {
        let radius = match metric {
            Metric::Dot => vectors.map(squared_norm).fold(0.0, f32::max),
            _ => 0.0,
        };
        Self {
            metric,
            dim,
            radius,
        }
    }

    /// Number of components of a transformed vector.
    pub fn transformed_dim(&self) -> usize {
        self.dim + usize::from(self.metric == Metric::Dot)
    }

    /// Transforms a vector of the segment into `out` ([`MipsToL2::transformed_dim`] components).
    pub fn transform(&self, vector: &[f32], out: &mut [f32]) {
        out[..self.dim].copy_from_slice(vector);
        if self.metric == Metric::Dot {
            out[self.dim] = (self.radius - squared_norm(vector)).max(0.0).sqrt();
        }
    }

    /// Returns the mean of the transformed vectors.
    pub fn mean<'a>(&self, vectors: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
        let count = vectors.len() as f64;
        let mut sums = vec![0.0_f64; self.transformed_dim()];
        let mut transformed = vec![0.0; self.transformed_dim()];
        for v in vectors {
            self.transform(v, &mut transformed);
            sums.iter_mut()
                .zip(&transformed)
                .for_each(|(s, x)| *s += f64::from(*x));
        }
        sums.iter().map(|s| (s / count) as f32).collect()
    }

    /// Returns the squared Euclidean distance of a transformed vector and a transformed query, from
    /// their distance by the metric and [`MipsToL2::query_scale`].
    pub fn squared_l2(&self, query_scale: f32, distance: f32) -> f32 {
        match self.metric {
            Metric::Cosine => 2.0 * distance,
            Metric::L2 => distance * distance,
            Metric::Dot => 2.0 * (self.radius + query_scale * distance),
        }
    }

    /// Returns the factor that the transformation applies to a query of inner products; 1
    /// otherwise.
    pub fn query_scale(&self, query: &[f32]) -> f32 {
        let scale = (self.radius / squared_norm(query)).sqrt();
        if self.metric == Metric::Dot && scale.is_normal() {
            scale
        } else {
            1.0
        }
    }

    /// Transforms a query. Its norm does not affect the order of inner products: it gets that of
    /// the vectors, which the codes are made for.
    pub fn transform_query(&self, query: &[f32]) -> Vec<f32> {
        let mut transformed = query.to_vec();
        if self.metric == Metric::Dot {
            let scale = self.query_scale(query);
            transformed.iter_mut().for_each(|x| *x *= scale);
            transformed.push(0.0);
        }
        transformed
    }
}

/// Returns the squared norm of a vector.
pub(super) fn squared_norm(vector: &[f32]) -> f32 {
    -distance::distance(Metric::Dot, vector, vector)
}
