//! Matrix products of row-major activations with prepacked weights, by a register tile of rows x
//! three vectors of columns (the scheme of [Goto and van de Geijn
//! 2008](https://doi.org/10.1145/1356052.1356053), without packing the left side, which does not
//! pay off for a row-major matrix with few rows).

use pulp::{Arch, Simd, WithSimd};

use super::epilogue::Epilogue;
use super::packed::{Packed, WIDTH};

/// A view of a matrix: `rows` rows that start `stride` values apart.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Values, starting with the first one of the matrix.
    pub data: &'a [f32],
    /// Number of values from the start of a row to the next one.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
}

/// Layout of the output rows of a product.
#[derive(Clone, Copy)]
pub struct Place {
    /// Number of values from the start of a row to the next one.
    pub stride: usize,
    /// Number of rows after which `gap` values are skipped: lines of pixels in a padded frame.
    pub line: usize,
    /// Number of values skipped after a line.
    pub gap: usize,
}

impl Place {
    /// Returns a layout of rows that start `stride` values apart.
    pub fn rows(stride: usize) -> Self {
        Self {
            stride,
            line: usize::MAX,
            gap: 0,
        }
    }

    /// Offset of a row.
    #[inline(always)]
    pub fn start(self, row: usize) -> usize {
        row * self.stride + row / self.line * self.gap
    }
}

/// Computes `out = epilogue(left * right)`, `[rows, n]`, with the layout `place`.
pub fn matmul(left: Rows, right: &Packed, epilogue: Epilogue, out: &mut [f32], place: Place) {
    Arch::new().dispatch(Product {
        left,
        right,
        epilogue,
        out,
        place,
    });
}

struct Product<'a> {
    left: Rows<'a>,
    right: &'a Packed,
    epilogue: Epilogue<'a>,
    out: &'a mut [f32],
    place: Place,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // 24 sums with their operands fit 32 registers; 12 fit 16.
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, 8>(simd);
        } else {
            self.run::<S, 4>(simd);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let (k, n) = (self.right.k, self.right.n);
        let (lanes, mut start, mut offset) = (S::F32_LANES, 0, 0);
        while start < n {
            let vectors = (n - start).div_ceil(lanes).min(WIDTH);
            let panel = &self.right.data[offset..offset + vectors * lanes * k];
            match vectors {
                3 => self.panel::<S, ROWS, 3>(simd, panel, start),
                2 => self.panel::<S, ROWS, 2>(simd, panel, start),
                _ => self.panel::<S, ROWS, 1>(simd, panel, start),
            }
            start += vectors * lanes;
            offset += panel.len();
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        panel: &[f32],
        start: usize,
    ) {
        simd.vectorize(Panel::<ROWS, VECTORS> {
            left: self.left,
            k: self.right.k,
            panel,
            epilogue: self.epilogue,
            start,
            n: self.right.n,
            out: self.out,
            place: self.place,
        });
    }
}

/// Product of all rows with one panel.
struct Panel<'a, const ROWS: usize, const VECTORS: usize> {
    left: Rows<'a>,
    k: usize,
    panel: &'a [f32],
    epilogue: Epilogue<'a>,
    start: usize,
    n: usize,
    out: &'a mut [f32],
    place: Place,
}

impl<const ROWS: usize, const VECTORS: usize> WithSimd for Panel<'_, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (steps, _) = pulp::as_arrays::<VECTORS, _>(S::as_simd_f32s(self.panel).0);
        let end = (self.start + VECTORS * S::F32_LANES).min(self.n);
        let mut top = 0;
        while top < self.left.rows {
            // Rows past the last one repeat it; their results are discarded.
            let rows: [&[f32]; ROWS] = std::array::from_fn(|i| {
                let row = (top + i).min(self.left.rows - 1);
                &self.left.data[row * self.left.stride..][..self.k]
            });
            let sums = tile::<S, ROWS, VECTORS>(simd, rows, steps);
            for (row, sums) in (top..self.left.rows).zip(sums) {
                let out = &mut self.out[self.place.start(row)..];
                self.epilogue
                    .store(simd, sums, self.start, &mut out[self.start..end]);
            }
            top += ROWS;
        }
    }
}

/// Inner loop: sums over k of one value of each row times the vectors of a step; without `zip`, see
/// `kernels`.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    steps: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; ROWS] {
    let rows = rows.map(|row| &row[..steps.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (k, step) in steps.iter().enumerate() {
        for row in 0..ROWS {
            let value = simd.splat_f32s(rows[row][k]);
            for vector in 0..VECTORS {
                let sum = sums[row][vector];
                sums[row][vector] = simd.mul_add_e_f32s(value, step[vector], sum);
            }
        }
    }
    sums
}
