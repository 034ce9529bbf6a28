//! Leading right singular vectors of a sparse matrix.

use faer::Mat;

use super::{
    Matrix,
    dense::{Dense, eigen, sparse_times},
};
use crate::{Error, Result};

/// Directions computed in addition to the requested ones, so that the last of these converge.
const OVERSAMPLING: usize = 64;

/// Fraction of the largest eigenvalue below which a direction is noise of f32.
const NOISE_SHARE: f64 = 1e-6;

/// Returns the `rank` leading right singular vectors as columns (columns of the matrix x rank), and
/// their singular values, which descend; fewer if the matrix has a lower rank. The method is
/// randomized subspace iteration (Halko, Martinsson and Tropp 2011).
pub(super) fn right_vectors(
    matrix: &Matrix,
    transposed: &Matrix,
    rank: usize,
    iterations: usize,
    seed: u64,
) -> Result<(Vec<f32>, Dense)> {
    let max_rank = matrix.rows().min(matrix.columns());
    let width = rank.saturating_add(OVERSAMPLING).min(max_rank);
    let mut basis = Dense::normal(matrix.columns(), width, 1.0, seed);
    for _ in 0..=iterations {
        let image = sparse_times(transposed, &sparse_times(matrix, &basis));
        basis = orthonormal(&image)?;
    }
    // Rayleigh-Ritz: eigenvectors of the matrix projected onto the basis.
    let (values, vectors) = eigenvectors(&sparse_times(matrix, &basis))?;
    let kept = significant(&values).min(rank);
    let columns: Vec<_> = (0..kept).map(|n| values.len() - 1 - n).collect();
    let singular = columns.iter().map(|n| values[*n].max(0.0).sqrt() as f32);
    let singular = singular.collect();
    let leading = basis.times(pick(&vectors, &columns, |_| 1.0).as_ref());
    Ok((singular, leading))
}

/// Returns an orthonormal basis of the columns, without linearly dependent ones (SVQB, Stathopoulos
/// and Wu 2002).
fn orthonormal(dense: &Dense) -> Result<Dense> {
    let once = whitened(dense)?;
    // The second pass removes the correlations that the precision of f32 left.
    whitened(&once)
}

fn whitened(dense: &Dense) -> Result<Dense> {
    let (values, vectors) = eigenvectors(dense)?;
    let first = values.len() - significant(&values);
    let columns: Vec<_> = (first..values.len()).collect();
    let mixing = pick(&vectors, &columns, |column| 1.0 / values[column].sqrt());
    Ok(dense.times(mixing.as_ref()))
}

fn eigenvectors(dense: &Dense) -> Result<(Vec<f64>, Mat<f64>)> {
    eigen(&dense.gram()).ok_or_else(|| {
        Error::invalid(
            "/weight",
            "the weights span too many magnitudes to be decomposed",
        )
    })
}

/// Returns the number of eigenvalues above noise; they ascend.
fn significant(values: &[f64]) -> usize {
    let largest = values.last().copied().unwrap_or(0.0);
    let above = |v: &&f64| **v > NOISE_SHARE * largest && **v > f64::from(f32::MIN_POSITIVE);
    values.iter().filter(above).count()
}

/// Returns some columns, each multiplied by a factor.
fn pick(matrix: &Mat<f64>, columns: &[usize], factor: impl Fn(usize) -> f64) -> Mat<f32> {
    Mat::from_fn(matrix.nrows(), columns.len(), |row, n| {
        (matrix[(row, columns[n])] * factor(columns[n])) as f32
    })
}
