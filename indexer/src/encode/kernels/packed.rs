//! Packed right sides of matrix products, in the order in which the kernels read them.

use pulp::{Arch, Simd, WithSimd};

use super::aligned::Aligned;

/// Width of a tile in vectors.
pub const WIDTH: usize = 3;

/// A right side `[k, n]`, split into panels of the columns of a tile, each stored row by row; the
/// last panel has only as many vectors as needed.
pub struct Packed {
    /// Number of rows.
    pub k: usize,
    /// Number of columns.
    pub n: usize,
    /// The panels, one after another.
    pub data: Aligned<f32>,
}

impl Packed {
    /// Returns an empty matrix, to be filled.
    pub fn empty() -> Self {
        Self {
            k: 0,
            n: 0,
            data: Aligned::zeros(0),
        }
    }

    /// Packs a matrix stored as `[n, k]`, as torch stores the weights of a linear layer.
    pub fn transposed(weight: &[f32], k: usize) -> Self {
        let mut packed = Self::empty();
        packed.set_transposed(weight, k, k, weight.len() / k);
        packed
    }

    /// Packs the transpose of `n` rows of `k` values that start `stride` values apart.
    pub fn set_transposed(&mut self, rows: &[f32], stride: usize, k: usize, n: usize) {
        self.each_panel(k, n, |start, wide, panel| {
            for (column, row) in rows.chunks(stride).skip(start).take(wide).enumerate() {
                for (steps, value) in panel.chunks_exact_mut(wide).zip(&row[..k]) {
                    steps[column] = *value;
                }
            }
        });
    }

    /// Packs `k` rows of `n` values that start `stride` values apart.
    pub fn set(&mut self, rows: &[f32], stride: usize, k: usize, n: usize) {
        self.each_panel(k, n, |start, wide, panel| {
            let used = wide.min(n - start);
            for (step, row) in panel.chunks_exact_mut(wide).zip(rows.chunks(stride)) {
                step[..used].copy_from_slice(&row[start..start + used]);
            }
        });
    }

    /// Sets the size and calls `fill` with each panel's first column, its width and its zeroed
    /// values.
    fn each_panel(&mut self, k: usize, n: usize, fill: impl Fn(usize, usize, &mut [f32])) {
        let lanes = Arch::new().dispatch(Lanes);
        (self.k, self.n) = (k, n);
        self.data.resize(n.div_ceil(lanes) * lanes * k);
        self.data.fill(0.0);
        let (mut start, mut rest) = (0, &mut self.data[..]);
        while start < n {
            let wide = (n - start).div_ceil(lanes).min(WIDTH) * lanes;
            let (panel, tail) = rest.split_at_mut(wide * k);
            fill(start, wide, panel);
            start += wide;
            rest = tail;
        }
    }
}

/// Number of floats in a vector of this machine.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}
