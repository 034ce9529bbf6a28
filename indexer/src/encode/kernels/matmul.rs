//! Products of row-major activations with weights packed once, by a register tile of rows x three vectors of columns
//! (the scheme of [Goto and van de Geijn 2008](https://doi.org/10.1145/1356052.1356053), without their packing of the
//! left side, which a row-major matrix with few rows does not repay).

use pulp::{Arch, Simd, WithSimd};

use super::epilogue::Epilogue;
use super::packed::{Packed, WIDTH};

/// A matrix inside a larger one: `rows` rows that start `stride` apart.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// From the first value on.
    pub data: &'a [f32],
    /// Values from a row's start to the next one's.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
}

/// Where the rows of a product go.
#[derive(Clone, Copy)]
pub struct Place {
    /// Values from a row's start to the next one's.
    pub stride: usize,
    /// Rows after which `gap` more values are left out: lines of pixels in a frame with a border.
    pub line: usize,
    /// Values left out after a line.
    pub gap: usize,
}

impl Place {
    /// Rows `stride` apart.
    pub fn rows(stride: usize) -> Self {
        Self {
            stride,
            line: usize::MAX,
            gap: 0,
        }
    }

    /// Where a row starts.
    #[inline(always)]
    pub fn start(self, row: usize) -> usize {
        row * self.stride + row / self.line * self.gap
    }
}

/// `out = epilogue(left * right)`, `[rows, n]`, at `place`.
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
        // 24 sums and what they are made of fit 32 registers; 12 fit 16.
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
        let (lanes, mut start, mut at) = (S::F32_LANES, 0, 0);
        while start < n {
            let vectors = (n - start).div_ceil(lanes).min(WIDTH);
            let panel = &self.right.data[at..at + vectors * lanes * k];
            match vectors {
                3 => self.panel::<S, ROWS, 3>(simd, panel, start),
                2 => self.panel::<S, ROWS, 2>(simd, panel, start),
                _ => self.panel::<S, ROWS, 1>(simd, panel, start),
            }
            start += vectors * lanes;
            at += panel.len();
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

/// All rows by one panel.
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
            // Past the last row the last one is multiplied again and thrown away.
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

/// The inner loop: sums over k of one value of each row times the vectors of a step.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    steps: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; ROWS] {
    let rows = rows.map(|row| &row[..steps.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (k, step) in steps.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = simd.splat_f32s(row[k]);
            for (sum, right) in sums.iter_mut().zip(step) {
                *sum = simd.mul_add_e_f32s(value, *right, *sum);
            }
        }
    }
    sums
}
