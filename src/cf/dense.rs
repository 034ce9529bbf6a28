//! Dense matrices, such as factors of users and items, and their kernels. `faer` multiplies and
//! decomposes, `pulp` selects the widest SIMD instructions of the machine. faer runs sequentially
//! here: callers run on rayon's threads.

use faer::{
    Accum, Mat, MatMut, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{cholesky::llt, evd, matmul::matmul},
};
use pulp::{Arch, Simd, WithSimd};
use rand::{SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Matrix, Row};

/// Rows per task. Fixed, so that sums are added in the same order on every machine.
const BLOCK: usize = 1024;

/// A dense matrix in row-major order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dense {
    rows: usize,
    width: usize,
    values: Vec<f32>,
}

impl Dense {
    pub(super) fn zeros(rows: usize, width: usize) -> Self {
        Self {
            rows,
            width,
            values: vec![0.0; rows * width],
        }
    }

    /// Creates a matrix of independent normal values with mean 0.
    pub(super) fn normal(rows: usize, width: usize, deviation: f32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut dense = Self::zeros(rows, width);
        let normal = |rng: &mut StdRng| -> f32 { StandardNormal.sample(rng) };
        dense.values.fill_with(|| deviation * normal(&mut rng));
        dense
    }

    /// Returns true if a deserialized matrix has this many rows, the right size and finite values.
    pub(super) fn is_consistent(&self, rows: usize) -> bool {
        self.rows == rows
            && self.rows.checked_mul(self.width) == Some(self.values.len())
            && self.values.iter().all(|v| v.is_finite())
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    pub(super) fn mat(&self) -> MatRef<'_, f32> {
        MatRef::from_row_major_slice(&self.values, self.rows, self.width)
    }

    /// Returns the matrix with each row multiplied by its factor.
    pub(super) fn scaled(&self, factors: &[f32]) -> Self {
        let mut scaled = self.clone();
        let rows = scaled.values.chunks_exact_mut(self.width.max(1));
        for (row, factor) in rows.zip(factors) {
            row.iter_mut().for_each(|x| *x *= factor);
        }
        scaled
    }

    /// Returns the matrix with each column multiplied by its factor.
    pub(super) fn with_columns_scaled(mut self, factors: &[f32]) -> Self {
        for row in self.values.chunks_exact_mut(self.width.max(1)) {
            row.iter_mut()
                .zip(factors)
                .for_each(|(x, factor)| *x *= factor);
        }
        self
    }

    /// Returns the products of all pairs of columns, width x width.
    pub(super) fn gram(&self) -> Mat<f64> {
        let mut sum = Mat::zeros(self.width, self.width);
        if self.width == 0 {
            return sum;
        }
        let blocks = self.values.par_chunks(BLOCK * self.width).map(|block| {
            let block = MatRef::from_row_major_slice(block, block.len() / self.width, self.width);
            let mut product = Mat::<f32>::zeros(self.width, self.width);
            matmul(
                &mut product,
                Accum::Replace,
                block.transpose(),
                block,
                1.0,
                Par::Seq,
            );
            product
        });
        for block in blocks.collect::<Vec<_>>() {
            faer::zip!(&mut sum, &block).for_each(|faer::unzip!(sum, x)| *sum += f64::from(*x));
        }
        sum
    }

    /// Returns the matrix product with `right`, which is width x any.
    pub(super) fn times(&self, right: MatRef<'_, f32>) -> Self {
        let mut out = Self::zeros(self.rows, right.ncols());
        if self.width == 0 || out.width == 0 {
            return out;
        }
        let blocks = out.values.par_chunks_mut(BLOCK * out.width);
        blocks
            .zip(self.values.par_chunks(BLOCK * self.width))
            .for_each(|(out, block)| {
                let rows = block.len() / self.width;
                let block = MatRef::from_row_major_slice(block, rows, self.width);
                let out = MatMut::from_row_major_slice_mut(out, rows, right.ncols());
                matmul(out, Accum::Replace, block, right, 1.0, Par::Seq);
            });
        out
    }
}

/// Returns the product of a sparse and a dense matrix.
pub(super) fn sparse_times(matrix: &Matrix, dense: &Dense) -> Dense {
    let mut out = Dense::zeros(matrix.rows(), dense.width);
    let rows = out
        .values
        .par_chunks_exact_mut(dense.width.max(1))
        .enumerate();
    rows.for_each(|(number, out)| add_rows(matrix.row(number), dense, out));
    out
}

/// Computes `out += sum of value * rows[index]`.
pub(super) fn add_rows(row: Row<'_>, rows: &Dense, out: &mut [f32]) {
    Arch::new().dispatch(AddRows { row, rows, out });
}

/// Computes `out += sum of f(value, rows[index] . x) * rows[index]`. With `f` the product, this
/// multiplies `x` by the weighted Gram matrix of the rows without materializing it.
pub(super) fn add_projections(
    row: Row<'_>,
    rows: &Dense,
    x: &[f32],
    f: impl Fn(f32, f32) -> f32,
    out: &mut [f32],
) {
    Arch::new().dispatch(AddProjections {
        row,
        rows,
        x,
        f,
        out,
    });
}

/// Returns the scalar product.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Dot { a, b })
}

/// Computes `y += factor * x`.
pub(super) fn add_scaled(factor: f32, x: &[f32], y: &mut [f32]) {
    Arch::new().dispatch(AddScaled { factor, x, y });
}

/// Solves `a x = b` in place for a symmetric positive definite `a`, whose lower half is read and
/// overwritten. Returns false if `a` is not positive definite.
pub(super) fn solve(mut a: MatMut<'_, f32>, b: MatMut<'_, f32>) -> bool {
    let (size, columns) = (a.nrows(), b.ncols());
    let scratch =
        llt::factor::cholesky_in_place_scratch::<f32>(size, Par::Seq, Default::default()).or(
            llt::solve::solve_in_place_scratch::<f32>(size, columns, Par::Seq),
        );
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let plain = Default::default();
    if llt::factor::cholesky_in_place(a.as_mut(), plain, Par::Seq, stack, Default::default())
        .is_err()
    {
        return false;
    }
    llt::solve::solve_in_place(a.as_ref(), b, Par::Seq, stack);
    true
}

/// Returns the eigenvalues, ascending, and the eigenvectors, as columns, of a symmetric matrix;
/// None without convergence.
pub(super) fn eigen(matrix: &Mat<f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let size = matrix.nrows();
    if size == 0 {
        return Some((Vec::new(), Mat::zeros(0, 0)));
    }
    let (mut values, mut vectors) = (Diag::<f64>::zeros(size), Mat::<f64>::zeros(size, size));
    let wanted = evd::ComputeEigenvectors::Yes;
    let scratch = evd::self_adjoint_evd_scratch::<f64>(size, wanted, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let (s, u) = (values.as_mut(), Some(vectors.as_mut()));
    evd::self_adjoint_evd(matrix.as_ref(), s, u, Par::Seq, stack, Default::default()).ok()?;
    Some((values.column_vector().iter().copied().collect(), vectors))
}

struct AddRows<'a> {
    row: Row<'a>,
    rows: &'a Dense,
    out: &'a mut [f32],
}

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (index, value) in self.row.iter() {
            AddScaled {
                factor: value,
                x: self.rows.row(index),
                y: &mut *self.out,
            }
            .with_simd(simd);
        }
    }
}

struct AddProjections<'a, F> {
    row: Row<'a>,
    rows: &'a Dense,
    x: &'a [f32],
    f: F,
    out: &'a mut [f32],
}

impl<F: Fn(f32, f32) -> f32> WithSimd for AddProjections<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (index, value) in self.row.iter() {
            let row = self.rows.row(index);
            let product = Dot { a: row, b: self.x }.with_simd(simd);
            AddScaled {
                factor: (self.f)(value, product),
                x: row,
                y: &mut *self.out,
            }
            .with_simd(simd);
        }
    }
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (a, a_tail) = S::as_simd_f32s(self.a);
        let (b, b_tail) = S::as_simd_f32s(self.b);
        // Four independent sums hide the latency of the additions.
        let (a4, a_rest) = pulp::as_arrays::<4, _>(a);
        let (b4, b_rest) = pulp::as_arrays::<4, _>(b);
        let mut sums = [simd.splat_f32s(0.0); 4];
        for (a, b) in a4.iter().zip(b4) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum = simd.mul_add_e_f32s(*a, *b, *sum);
            }
        }
        let [mut sum, second, third, fourth] = sums;
        for (a, b) in a_rest.iter().zip(b_rest) {
            sum = simd.mul_add_e_f32s(*a, *b, sum);
        }
        sum = simd.add_f32s(simd.add_f32s(sum, second), simd.add_f32s(third, fourth));
        let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
        simd.reduce_sum_f32s(sum) + tail
    }
}

struct AddScaled<'a> {
    factor: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_tail) = S::as_simd_f32s(self.x);
        let (y, y_tail) = S::as_mut_simd_f32s(self.y);
        let factor = simd.splat_f32s(self.factor);
        for (y, x) in y.iter_mut().zip(x) {
            *y = simd.mul_add_e_f32s(factor, *x, *y);
        }
        for (y, x) in y_tail.iter_mut().zip(x_tail) {
            *y += self.factor * x;
        }
    }
}
