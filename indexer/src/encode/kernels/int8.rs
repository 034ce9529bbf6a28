//! Matrix products of 8-bit integers: weights with a scale for each [`GROUP`] of a column,
//! activations with a scale and an offset for each group of a row, quantized dynamically
//! (block-wise quantization, [Dettmers et al. 2022](https://arxiv.org/abs/2110.02861)).
//!
//! With `x = low + scale q` for a row's group and `w = s p` for a column's group,
//! `x w = s scale (q p) + low s sum(p)`: the integer sum is exact on every machine.

use pulp::{Arch, Simd, WithSimd};

use super::aligned::Aligned;
use super::epilogue::Epilogue;
use super::matmul::Place;
use super::packed::WIDTH;
use super::tile_int8::{Kernel, LANE_PRODUCTS, LANES, MAX_COLUMNS, ROWS, Sums};

/// Values of a row or column that share a scale. With 128, some text vectors have a cosine to f32
/// below 0.999.
const GROUP: usize = 64;

/// Weights `[k, n]` as integers from -127 to 127, in panels as in [`super::packed::Packed`], with
/// [`LANE_PRODUCTS`] rows interleaved.
pub struct PackedInt8 {
    k: usize,
    n: usize,
    kernel: Kernel,
    data: Aligned<i8>,
    /// Scale by group and column.
    scales: Aligned<f32>,
    /// Sum of the dequantized weights by group and column.
    sums: Aligned<f32>,
}

impl PackedInt8 {
    /// Quantizes and packs a matrix stored as `[n, k]`.
    pub fn transposed(weight: &[f32], k: usize) -> Self {
        Self::with_kernel(weight, k, Kernel::best())
    }

    pub(super) fn with_kernel(weight: &[f32], k: usize, kernel: Kernel) -> Self {
        let (n, stride) = (weight.len() / k, k.next_multiple_of(LANE_PRODUCTS));
        let (columns, groups) = (n.next_multiple_of(LANES), k.div_ceil(GROUP));
        let mut packed = Self {
            k,
            n,
            kernel,
            data: Aligned::zeros(columns * stride),
            scales: Aligned::zeros(columns * groups),
            sums: Aligned::zeros(columns * groups),
        };
        for (column, weights) in weight.chunks_exact(k).enumerate() {
            let panel = column / (WIDTH * LANES) * (WIDTH * LANES);
            let wide = (columns - panel).min(WIDTH * LANES);
            for (group, weights) in weights.chunks(GROUP).enumerate() {
                let max = weights.iter().fold(0f32, |max, w| max.max(w.abs()));
                let scale = max / 127.0;
                let mut sum = 0i32;
                for (row, weight) in (group * GROUP..).zip(weights) {
                    let value = if scale > 0.0 {
                        (weight / scale).round() as i8
                    } else {
                        0
                    };
                    let step = row / LANE_PRODUCTS * wide + column - panel;
                    packed.data[panel * stride + step * LANE_PRODUCTS + row % LANE_PRODUCTS] =
                        value;
                    sum += i32::from(value);
                }
                packed.scales[group * columns + column] = scale;
                packed.sums[group * columns + column] = scale * sum as f32;
            }
        }
        packed
    }

    /// Number of rows.
    pub fn k(&self) -> usize {
        self.k
    }
}

/// Rows `[rows, k]` as integers from 0 to 255.
pub struct QuantizedRows {
    data: Vec<u8>,
    /// (scale, offset) by row and group.
    scales: Vec<(f32, f32)>,
    rows: usize,
    stride: usize,
}

impl QuantizedRows {
    /// Quantizes rows of `k` values.
    pub fn new(values: &[f32], k: usize) -> Self {
        let stride = k.next_multiple_of(LANE_PRODUCTS);
        let rows = values.len() / k;
        let mut data = vec![0; rows * stride];
        let mut scales = Vec::with_capacity(rows * k.div_ceil(GROUP));
        Arch::new().dispatch(Quantize {
            values,
            k,
            data: &mut data,
            stride,
            scales: &mut scales,
        });
        Self {
            data,
            scales,
            rows,
            stride,
        }
    }
}

/// Adding this to a float from 0 to 255 rounds it, with the integer in the lowest byte.
const ROUND: f32 = 8_388_608.0;

struct Quantize<'a> {
    values: &'a [f32],
    k: usize,
    data: &'a mut [u8],
    stride: usize,
    scales: &'a mut Vec<(f32, f32)>,
}

impl WithSimd for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.values.chunks_exact(self.k);
        for (row, out) in rows.zip(self.data.chunks_exact_mut(self.stride)) {
            for (group, out) in row.chunks(GROUP).zip(out.chunks_mut(GROUP)) {
                let (low, high) = bounds(simd, group);
                let scale = (high - low) / 255.0;
                let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                for (q, x) in out.iter_mut().zip(group) {
                    *q = ((x - low) * factor + ROUND).to_bits() as u8;
                }
                self.scales.push((scale, low));
            }
        }
    }
}

/// Returns the minimum and maximum of `values`.
#[inline(always)]
fn bounds<S: Simd>(simd: S, values: &[f32]) -> (f32, f32) {
    let (head, tail) = S::as_simd_f32s(values);
    let start = simd.splat_f32s(values[0]);
    let low = head.iter().fold(start, |low, x| simd.min_f32s(low, *x));
    let high = head.iter().fold(start, |high, x| simd.max_f32s(high, *x));
    let ends = (simd.reduce_min_f32s(low), simd.reduce_max_f32s(high));
    tail.iter()
        .fold(ends, |(low, high), x| (low.min(*x), high.max(*x)))
}

/// Computes `out = epilogue(left * right)`, `[rows, n]`, with the layout `place`.
pub fn matmul(
    left: &QuantizedRows,
    right: &PackedInt8,
    epilogue: Epilogue,
    out: &mut [f32],
    place: Place,
) {
    Arch::new().dispatch(Product {
        left,
        right,
        epilogue,
        out,
        place,
    });
}

struct Product<'a> {
    left: &'a QuantizedRows,
    right: &'a PackedInt8,
    epilogue: Epilogue<'a>,
    out: &'a mut [f32],
    place: Place,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for start in (0..self.right.n).step_by(WIDTH * LANES) {
            let vectors = (self.right.n - start).div_ceil(LANES).min(WIDTH);
            for top in (0..self.left.rows).step_by(ROWS) {
                let totals = self.tile(simd, top, start, vectors);
                for (row, totals) in (top..self.left.rows).zip(&totals) {
                    let end = (start + vectors * LANES).min(self.right.n);
                    let out = &mut self.out[self.place.start(row)..][start..end];
                    let totals = S::as_simd_f32s(&totals[..]).0;
                    for (index, (out, total)) in
                        out.chunks_mut(S::F32_LANES).zip(totals).enumerate()
                    {
                        self.epilogue
                            .store(simd, [*total], start + index * S::F32_LANES, out);
                    }
                }
            }
        }
    }
}

impl Product<'_> {
    /// Returns the sums of [`ROWS`] rows, starting at `top`, by the columns of a panel.
    #[inline(always)]
    fn tile<S: Simd>(&self, simd: S, top: usize, start: usize, vectors: usize) -> Sums {
        let (left, right) = (self.left, self.right);
        let wide = vectors * LANES;
        let columns = right.n.next_multiple_of(LANES);
        let groups = right.k.div_ceil(GROUP);
        let panel = &right.data[start * left.stride..][..wide * left.stride];
        let mut sums: Sums = [[0.0; MAX_COLUMNS]; ROWS];
        let mut totals = sums;
        // Rows past the last one repeat it; their results are discarded.
        let row = |i: usize| (top + i).min(left.rows - 1);
        for group in 0..groups {
            let range = group * GROUP..((group + 1) * GROUP).min(left.stride);
            let rows: [&[u8]; ROWS] =
                std::array::from_fn(|i| &left.data[row(i) * left.stride..][range.clone()]);
            right.kernel.run(
                rows,
                &panel[range.start * wide..range.end * wide],
                vectors,
                &mut sums,
            );
            let offset = group * columns + start;
            let (scales, weights) = (
                &right.scales[offset..offset + wide],
                &right.sums[offset..offset + wide],
            );
            for (i, (sums, totals)) in sums.iter().zip(&mut totals).enumerate() {
                let (scale, low) = left.scales[row(i) * groups + group];
                widen(
                    simd,
                    &sums[..wide],
                    scales,
                    weights,
                    scale,
                    low,
                    &mut totals[..wide],
                );
            }
        }
        totals
    }
}

/// Adds the dequantized integer sums of a group to `totals`.
#[inline(always)]
fn widen<S: Simd>(
    simd: S,
    sums: &[f32],
    scales: &[f32],
    weights: &[f32],
    scale: f32,
    low: f32,
    totals: &mut [f32],
) {
    let (scale, low) = (simd.splat_f32s(scale), simd.splat_f32s(low));
    let (sums, totals) = (S::as_simd_f32s(sums).0, S::as_mut_simd_f32s(totals).0);
    let (scales, weights) = (S::as_simd_f32s(scales).0, S::as_simd_f32s(weights).0);
    for (((total, sum), column), weight) in totals.iter_mut().zip(sums).zip(scales).zip(weights) {
        let total_and_offset = simd.mul_add_e_f32s(low, *weight, *total);
        *total = simd.mul_add_e_f32s(*sum, simd.mul_f32s(scale, *column), total_and_offset);
    }
}
