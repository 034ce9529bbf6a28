//! Products of few rows with weights that are stored as f16.
//!
//! A decoder reads all its weights for each token, so its speed is that of the memory. Weights that
//! were published as f16 are kept as f16 and widened a row at a time: half the bytes, and the same
//! sums as in f32.

use half::f16;
use half::slice::HalfFloatSliceExt;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Weight rows that a core computes at a time.
const ROWS_PER_JOB: usize = 64;

/// Input rows that share the loads of a weight row.
const TILE: usize = 4;

/// A matrix `[n, k]` of f16, as torch stores the weights of a linear layer.
pub struct HalfRows {
    k: usize,
    data: Vec<f16>,
}

impl HalfRows {
    /// Takes the values of a matrix in row-major order with `k` columns.
    pub fn new(data: Vec<f16>, k: usize) -> Self {
        Self { k, data }
    }

    /// Copies a row; None if there is none of this number.
    pub fn row(&self, number: usize) -> Option<Vec<f32>> {
        let start = number.checked_mul(self.k)?;
        let row = self.data.get(start..start + self.k)?;
        let mut out = vec![0.0; self.k];
        row.convert_to_f32_slice(&mut out);
        Some(out)
    }

    /// Returns `input W^T`, `[rows, n]`, of rows `[rows, k]`, on all cores.
    pub fn product(&self, input: &[f32]) -> Vec<f32> {
        let (rows, n) = (input.len() / self.k, self.data.len() / self.k);
        let mut by_column = vec![0.0; rows * n];
        let outputs = by_column.par_chunks_mut(ROWS_PER_JOB * rows);
        let weights = self.data.par_chunks(ROWS_PER_JOB * self.k);
        outputs.zip(weights).for_each(|(out, weights)| {
            Arch::new().dispatch(Dots {
                input,
                weights,
                k: self.k,
                out,
            });
        });
        if rows == 1 {
            return by_column;
        }
        let value = |at: usize| by_column[at % n * rows + at / n];
        (0..rows * n).map(value).collect()
    }
}

/// Dot products of weight rows with all input rows, `[weight rows, input rows]`.
struct Dots<'a> {
    input: &'a [f32],
    weights: &'a [f16],
    k: usize,
    out: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut wide = vec![0.0; self.k];
        let rows = self.input.len() / self.k;
        let outs = self.out.chunks_exact_mut(rows);
        for (weights, out) in self.weights.chunks_exact(self.k).zip(outs) {
            weights.convert_to_f32_slice(&mut wide);
            let inputs = self.input.chunks(TILE * self.k);
            for (inputs, out) in inputs.zip(out.chunks_mut(TILE)) {
                if let [a, b, c, d] = out {
                    [*a, *b, *c, *d] = tile(simd, inputs, &wide);
                } else {
                    let inputs = inputs.chunks_exact(self.k);
                    for (input, out) in inputs.zip(out) {
                        *out = dot_with(simd, input, &wide);
                    }
                }
            }
        }
    }
}

/// Dot products of four rows with `weights`.
#[inline(always)]
fn tile<S: Simd>(simd: S, inputs: &[f32], weights: &[f32]) -> [f32; TILE] {
    let k = weights.len();
    let (head, tail) = S::as_simd_f32s(weights);
    let rows: [&[S::f32s]; TILE] =
        std::array::from_fn(|i| &S::as_simd_f32s(&inputs[i * k..(i + 1) * k]).0[..head.len()]);
    let mut sums = [simd.splat_f32s(0.0); TILE];
    for (step, weight) in head.iter().enumerate() {
        for row in 0..TILE {
            sums[row] = simd.mul_add_e_f32s(rows[row][step], *weight, sums[row]);
        }
    }
    let start = k - tail.len();
    std::array::from_fn(|i| {
        let rest = inputs[i * k + start..(i + 1) * k].iter().zip(tail);
        simd.reduce_sum_f32s(sums[i]) + rest.map(|(x, w)| x * w).sum::<f32>()
    })
}

/// Returns the dot product of two rows.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Dot { a, b })
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        dot_with(simd, self.a, self.b)
    }
}

#[inline(always)]
fn dot_with<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let ((a, a_tail), (b, b_tail)) = (S::as_simd_f32s(&a[..len]), S::as_simd_f32s(&b[..len]));
    let zero = simd.splat_f32s(0.0);
    let mut sums = [zero; TILE];
    let (a_steps, a_rest) = pulp::as_arrays::<TILE, _>(a);
    let (b_steps, b_rest) = pulp::as_arrays::<TILE, _>(b);
    for (a, b) in a_steps.iter().zip(b_steps) {
        for lane in 0..TILE {
            sums[lane] = simd.mul_add_e_f32s(a[lane], b[lane], sums[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    let rest = rest.fold(zero, |sum, (a, b)| simd.mul_add_e_f32s(*a, *b, sum));
    let sum = sums.into_iter().fold(rest, |sum, x| simd.add_f32s(sum, x));
    let tail = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum::<f32>();
    simd.reduce_sum_f32s(sum) + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_halves_are_those_of_the_widened_weights() {
        for (rows, n, k) in [
            (1, 1, 1),
            (1, 130, 33),
            (3, 65, 64),
            (4, 7, 100),
            (9, 70, 17),
        ] {
            let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 32.0;
            let weights: Vec<f16> = (0..n * k).map(|i| f16::from_f32(value(i))).collect();
            let input: Vec<f32> = (0..rows * k).map(|i| value(i * 7 + 3)).collect();
            let matrix = HalfRows::new(weights.clone(), k);
            let found = matrix.product(&input);
            assert_eq!(found.len(), rows * n);
            for (at, found) in found.iter().enumerate() {
                let (input, weights) = (&input[at / n * k..][..k], &weights[at % n * k..][..k]);
                let terms = input.iter().zip(weights);
                let wanted: f32 = terms.map(|(x, w)| x * w.to_f32()).sum();
                assert!(
                    (found - wanted).abs() < 1e-3,
                    "{rows} {n} {k}: {found}, {wanted}"
                );
            }
            let row: Vec<f32> = weights[..k].iter().map(|w| w.to_f32()).collect();
            assert_eq!(matrix.row(0), Some(row));
            assert_eq!(matrix.row(n), None);
        }
    }

    #[test]
    fn dot_products_use_all_values() {
        for len in [0, 1, 15, 16, 64, 67, 200] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let wanted: f32 = values.iter().sum();
            assert_eq!(dot(&values, &vec![1.0; len]), wanted);
        }
    }
}
