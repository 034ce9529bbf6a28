//! Four bits per component of a vector's leading principal components.
//!
//! As in LeanVec (Tepper et al. 2023), a graph search compares vectors of fewer components, and the
//! best are rescored by the vectors themselves. The components are rotated at random and coded on a
//! grid; as in RaBitQ with more bits (Gao et al. 2024), the inner product of a query with a code is
//! corrected by how far the code deviates from the direction of its vector, so that it is unbiased,
//! and the norms are known exactly.
//!
//! With `m` the mean, `h` and `t` the kept part and the residual of `x - m`, and `g`, `u` those of
//! a query, `|x - q|^2 = |h|^2 + |g|^2 - 2 <h, g> + |t - u|^2`. The residual term is estimated as
//! `residual_share * (|t|^2 + |u|^2)`: near vectors are similar there too, `residual_share` is
//! measured. The error is roughly proportional to `|u|` and what a code misses of `g`.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use serde::{Deserialize, Serialize};

mod kernels;

use self::kernels::{Encode, quantize, square};
use super::{PrincipalComponents, simd::with_best_simd};
use crate::distance::{self, CHUNK};

/// Number of bytes at the end of a code that hold its two factors.
const FACTOR_BYTES: usize = 8;

/// Half the width of the grid, in standard deviations. This one has the least error for normally
/// distributed values.
const GRID_HALF_WIDTH: f32 = 2.9;

/// Squared norm of the quantization error of a vector of norm 1 on the grid.
const GRID_ERROR: f32 = 0.011;

/// Maximum number of bytes of a code.
const MAX_CODE_BYTES: usize = 2048;

/// Maximum number of components of the vectors: the principal components of more take too long to
/// compute.
pub(crate) const MAX_PROJECTED_DIM: usize = 2048;

/// Number of vectors projected at a time.
const BATCH: usize = 256;

/// Codec of one projection.
#[derive(Clone)]
pub(crate) struct Projected {
    mean: Vec<f32>,
    /// Number of bytes of a code: two components each, except the last [`FACTOR_BYTES`].
    bytes: usize,
    /// One direction per kept component, as bytes, padded with zeros to a multiple of 64.
    directions: Vec<i8>,
    /// Size of one step of a direction's bytes.
    steps: Vec<f32>,
    /// Sum of a direction's bytes.
    sums: Vec<i32>,
    fit: ProjectionFit,
}

/// Measurements of the estimated distances of near vectors. It is stored in segment files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProjectionFit {
    /// Share of the residuals' squared norms that is in the squared distance.
    #[serde(rename = "left")]
    pub residual_share: f32,
    /// Quantile of the overestimation of a squared distance, per unit of
    /// [`ProjectedQuery::residual_norm`].
    pub error: f32,
    /// Median of [`ProjectedQuery::residual_norm`] of queries like the vectors.
    #[serde(rename = "unknown")]
    pub residual_norm: f32,
}

impl ProjectionFit {
    /// Creates a fit with a residual share and no other measurements.
    pub fn with_share(residual_share: f32) -> Self {
        Self {
            residual_share,
            error: f32::INFINITY,
            residual_norm: f32::INFINITY,
        }
    }

    /// True if the numbers are in their ranges.
    pub fn is_valid(&self) -> bool {
        (0.0..=1.0).contains(&self.residual_share) && self.error >= 0.0 && self.residual_norm >= 0.0
    }
}

/// A projected query to compare codes with.
#[derive(Default)]
pub(crate) struct ProjectedQuery {
    /// For each 64 bytes of a code the components of their low halves, then those of their high
    /// halves.
    code: Vec<i8>,
    /// Added to every distance.
    square: f32,
    /// Size of one step of the code.
    step: f32,
    /// Subtracted from the inner product of the code with another: half the grid's width times the
    /// code's sum.
    center: i32,
    residual_norm: f32,
}

/// Number of components that codes of `bytes` bytes keep.
pub(crate) fn kept_components(bytes: usize) -> usize {
    2 * (bytes - FACTOR_BYTES)
}

impl Projected {
    /// Creates the codec with codes of `bytes` bytes, a multiple of 64, of the leading principal
    /// components.
    pub fn new(principal: &PrincipalComponents, bytes: usize) -> Self {
        let dim = principal.mean().len();
        let rows = principal.projection(kept_components(bytes));
        let width = dim.next_multiple_of(CHUNK);
        let mut directions = vec![0; kept_components(bytes) * width];
        let coded = directions
            .chunks_exact_mut(width)
            .zip(rows.chunks_exact(dim));
        let steps = coded.map(|(code, row)| quantize(row, code)).collect();
        Self::from_parts(
            principal.mean().to_vec(),
            directions,
            steps,
            ProjectionFit::with_share(0.0),
            bytes,
        )
    }

    /// Restores a codec from what [`Projected::parts`] returned; lengths are those of
    /// [`Projected::part_lens`].
    pub fn from_parts(
        mean: Vec<f32>,
        directions: Vec<i8>,
        steps: Vec<f32>,
        fit: ProjectionFit,
        bytes: usize,
    ) -> Self {
        let width = mean.len().next_multiple_of(CHUNK);
        let rows = directions.chunks_exact(width);
        let sums = rows
            .map(|row| row.iter().map(|c| i32::from(*c)).sum())
            .collect();
        Self {
            mean,
            bytes,
            directions,
            steps,
            sums,
            fit,
        }
    }

    /// True if codes of vectors of `dim` components can have `bytes` bytes.
    pub fn is_code(bytes: usize, dim: usize) -> bool {
        bytes.is_multiple_of(CHUNK)
            && (CHUNK..=MAX_CODE_BYTES).contains(&bytes)
            && dim <= MAX_PROJECTED_DIM
    }

    /// Lengths of the directions and of the steps.
    pub fn part_lens(bytes: usize, dim: usize) -> (usize, usize) {
        (
            kept_components(bytes) * dim.next_multiple_of(CHUNK),
            kept_components(bytes),
        )
    }

    /// Returns mean, directions and steps, to be stored.
    pub fn parts(&self) -> (&[f32], &[i8], &[f32]) {
        (&self.mean, &self.directions, &self.steps)
    }

    /// Measurements of the estimates.
    pub fn fit(&self) -> &ProjectionFit {
        &self.fit
    }

    /// Replaces the measurements of the estimates.
    pub fn with_fit(self, fit: ProjectionFit) -> Self {
        Self { fit, ..self }
    }

    /// Number of bytes of a code.
    pub fn code_bytes(&self) -> usize {
        self.bytes
    }

    /// Number of bytes of the codec itself.
    pub fn len_bytes(&self) -> usize {
        self.directions.len() + 4 * (self.mean.len() + 2 * self.steps.len())
    }

    /// Encodes vectors (`dim` components each, one after the other) into `codes`.
    pub fn encode(&self, vectors: &[f32], codes: &mut [u8]) {
        let (dim, kept) = (self.mean.len(), self.steps.len());
        let width = dim.next_multiple_of(CHUNK);
        let directions: Vec<f32> = self
            .directions
            .chunks_exact(width)
            .zip(&self.steps)
            .flat_map(|(row, step)| row[..dim].iter().map(move |c| f32::from(*c) * step))
            .collect();
        let directions = MatRef::from_row_major_slice(&directions, kept, dim);
        let mut heads = vec![0.0; BATCH * kept];
        let batches = vectors.chunks(BATCH * dim);
        for (batch, codes) in batches.zip(codes.chunks_mut(BATCH * self.bytes)) {
            let centered: Vec<f32> = batch
                .chunks_exact(dim)
                .flat_map(|v| v.iter().zip(&self.mean).map(|(x, m)| x - m))
                .collect();
            let rows = centered.len() / dim;
            let centered_rows = MatRef::from_row_major_slice(&centered, rows, dim);
            let heads = &mut heads[..rows * kept];
            let out = MatMut::from_row_major_slice_mut(heads, rows, kept);
            matmul(
                out,
                Accum::Replace,
                centered_rows,
                directions.transpose(),
                1.0,
                Par::Seq,
            );
            let vectors = centered.chunks_exact(dim).zip(heads.chunks_exact(kept));
            for ((vector, head), code) in vectors.zip(codes.chunks_exact_mut(self.bytes)) {
                with_best_simd(Encode {
                    vector,
                    head,
                    residual_share: self.fit.residual_share,
                    code,
                });
            }
        }
    }

    /// Projects `vector` into `query`, to compare codes with.
    pub fn query(&self, vector: &[f32], query: &mut ProjectedQuery) {
        let width = self.mean.len().next_multiple_of(CHUNK);
        let centered: Vec<f32> = vector.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let mut code = vec![0; width];
        let step = quantize(&centered, &mut code);
        let raised: Vec<u8> = code.iter().map(|c| c.cast_unsigned() ^ 128).collect();
        let mut dots = vec![0; self.steps.len()];
        distance::dots_u8_i8(&raised, &self.directions, &mut dots);
        let head: Vec<f32> = dots
            .iter()
            .zip(self.steps.iter().zip(&self.sums))
            .map(|(dot, (scale, sum))| (dot - 128 * sum) as f32 * (scale * step))
            .collect();
        let (norm, kept) = (square(&centered), square(&head));
        let residual = (norm - kept).max(0.0);
        query.square = kept + self.fit.residual_share * residual;
        query.residual_norm = (residual + GRID_ERROR * kept).sqrt();
        let places = self.bytes - FACTOR_BYTES;
        let mut flat = vec![0; head.len()];
        query.step = quantize(&head, &mut flat);
        query.center = flat.iter().map(|c| i32::from(*c)).sum::<i32>() * 15;
        let (low, high) = flat.split_at(places);
        query.lay_out(self.bytes, |i| (low[i], high[i]), places);
    }

    /// Makes an encoded vector the query.
    pub fn set_query_to(&self, query: &mut ProjectedQuery, code: &[u8]) {
        let places = self.bytes - FACTOR_BYTES;
        let (add, scale) = factors(code);
        // Twice the difference to the middle of the grid is an odd integer.
        let odd = |n: u8| 2 * n.cast_signed() - 15;
        query.square = add;
        query.step = scale / 4.0;
        query.lay_out(
            self.bytes,
            |i| (odd(code[i] & 15), odd(code[i] >> 4)),
            places,
        );
        query.center = query.code.iter().map(|c| i32::from(*c)).sum::<i32>() * 15;
    }

    /// Calls `each` with an offset and the estimated squared distance of the query to the vector of
    /// the code at that offset, for some offsets into `codes`.
    #[inline]
    pub fn distances(
        &self,
        query: &ProjectedQuery,
        codes: &[u8],
        offsets: &[u32],
        mut each: impl FnMut(u32, f32),
    ) {
        let step = query.step * 0.5;
        distance::dots_u4_i8(codes, offsets, &query.code, |i, dot| {
            let offset = offsets[i];
            let (add, scale) = factors(&codes[offset as usize * self.bytes..][..self.bytes]);
            let twice = (2 * dot - query.center) as f32;
            each(offset, query.square + add - scale * step * twice);
        });
    }
}

impl ProjectedQuery {
    /// Norm of the part of the query that codes do not represent: the error of estimates is
    /// proportional to it.
    pub fn residual_norm(&self) -> f32 {
        self.residual_norm
    }

    /// Sets the code to `pair(i)`, the components for the halves of byte `i` of a code, for the
    /// first `places` bytes.
    fn lay_out(&mut self, bytes: usize, pair: impl Fn(usize) -> (i8, i8), places: usize) {
        self.code.clear();
        self.code.resize(2 * bytes, 0);
        for i in 0..places {
            let start = i / CHUNK * 2 * CHUNK + i % CHUNK;
            let (low, high) = pair(i);
            self.code[start] = low;
            self.code[start + CHUNK] = high;
        }
    }
}

#[inline]
fn factors(code: &[u8]) -> (f32, f32) {
    let number = |from_end: usize| {
        let bytes = &code[code.len() - from_end..][..4];
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    };
    (number(8), number(4))
}
