//! Principal components of a sample of vectors.

use faer::{Accum, Mat, MatMut, MatRef, Par, Side, linalg::matmul::matmul};
use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};

/// The mean of a sample and its principal components.
pub(crate) struct PrincipalComponents {
    mean: Vec<f32>,
    /// Unit directions as columns, by ascending variance.
    directions: Mat<f32>,
    variances: Vec<f32>,
}

impl PrincipalComponents {
    /// Computes the components of a sample of rows of `dim` components each. None if the rows are
    /// all equal or too large for f32.
    pub fn fit(dim: usize, mut sample: Vec<f32>) -> Option<Self> {
        let count = sample.len() / dim;
        let mut sums = vec![0.0_f64; dim];
        for row in sample.chunks_exact(dim) {
            sums.iter_mut()
                .zip(row)
                .for_each(|(s, x)| *s += f64::from(*x));
        }
        let mean: Vec<f32> = sums.iter().map(|s| (s / count as f64) as f32).collect();
        for row in sample.chunks_exact_mut(dim) {
            row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
        }
        let rows = MatRef::from_row_major_slice(&sample, count, dim);
        let mut covariance = Mat::<f32>::zeros(dim, dim);
        let scale = 1.0 / count as f32;
        matmul(
            &mut covariance,
            Accum::Replace,
            rows.transpose(),
            rows,
            scale,
            Par::Seq,
        );
        let finite = (0..dim).all(|i| covariance[(i, i)].is_finite());
        let eigen = finite.then(|| covariance.self_adjoint_eigen(Side::Lower).ok())??;
        let variances: Vec<f32> = eigen.S().column_vector().iter().copied().collect();
        variances
            .last()
            .is_some_and(|v| *v > 0.0 && v.is_finite())
            .then(|| Self {
                mean,
                directions: eigen.U().to_owned(),
                variances,
            })
    }

    /// Mean of the sample.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Returns the share of the variance that is in the first `count` components.
    pub fn share(&self, count: usize) -> f32 {
        let total: f32 = self.variances.iter().sum();
        self.variances.iter().rev().take(count).sum::<f32>() / total
    }

    /// Returns the `n`-th direction (from 0) by descending variance, of norm 1. Its component of
    /// greatest magnitude is positive, so that equal samples have equal directions. None if there
    /// are fewer.
    pub fn direction(&self, n: usize) -> Option<Vec<f32>> {
        let column = self.mean.len().checked_sub(n + 1)?;
        let mut direction: Vec<_> = self.directions.col(column).iter().copied().collect();
        let greatest = direction
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()));
        if greatest.is_some_and(|x| x < 0.0) {
            direction.iter_mut().for_each(|x| *x = -*x);
        }
        Some(direction)
    }

    /// Returns a map to `kept` components, row by row: the leading ones, rotated at random so that
    /// none has more variance than another. It preserves norms, except for the components that are
    /// dropped.
    pub fn projection(&self, kept: usize) -> Vec<f32> {
        let dim = self.mean.len();
        let rank = kept.min(dim);
        let mut random = SmallRng::seed_from_u64(kept as u64);
        let normal = Mat::<f32>::from_fn(kept, rank, |_, _| StandardNormal.sample(&mut random));
        let rotation = normal.qr().compute_thin_Q();
        let leading = self.directions.get(.., dim - rank..);
        let mut rows = vec![0.0; kept * dim];
        let out = MatMut::from_row_major_slice_mut(&mut rows, kept, dim);
        matmul(
            out,
            Accum::Replace,
            &rotation,
            leading.transpose(),
            1.0,
            Par::Seq,
        );
        rows
    }
}
