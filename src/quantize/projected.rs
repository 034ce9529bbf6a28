//! Four bits a component of a vector's leading principal components.
//!
//! As in LeanVec (Tepper et al. 2023) a walk compares vectors of fewer components, and the best are ranked again by the
//! vectors themselves. The components are turned at random and coded on a grid; as in RaBitQ with more bits (Gao et al.
//! 2024) the inner product of a query with a code is corrected by how far the code leans from its vector, so that it has
//! no bias, and the lengths are known exactly.
//!
//! With `m` the mean, `h` and `t` the kept and the left out part of `x - m`, and `g`, `u` those of a query,
//! `|x - q|^2 = |h|^2 + |g|^2 - 2 <h, g> + |t - u|^2`. What is left out is taken as `left * (|t|^2 + |u|^2)`: near vectors are
//! alike there too, `left` is measured. The error is about in proportion to `|u|` and what a code misses of `g`.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use serde::{Deserialize, Serialize};

use super::{
    Principal,
    simd::{Loop, with_best_simd},
};
use crate::distance::{self, CHUNK};

/// Bytes at the end of a code that hold its two factors.
const FACTORS: usize = 8;

/// Half the width of the grid, in standard deviations: of values like those of a normal distribution it gives
/// the least error.
const GRID: f32 = 2.9;

/// Squared length of the part of a vector that its code on the grid misses.
const GRID_ERROR: f32 = 0.011;

/// Most bytes of a code.
const MOST_BYTES: usize = 2048;

/// Most components of the vectors: the principal components of more take too long to find.
pub(crate) const MOST_DIM: usize = 2048;

/// Vectors projected at a time.
const BATCH: usize = 256;

/// Codes vectors of one projection.
#[derive(Clone)]
pub(crate) struct Projected {
    mean: Vec<f32>,
    /// Bytes of a code: two components each, but for the last that hold the factors.
    bytes: usize,
    /// A direction a kept component, in bytes, padded with zeros to a multiple of 64.
    directions: Vec<i8>,
    /// What one step of a direction's bytes stands for.
    steps: Vec<f32>,
    /// Sum of a direction's bytes.
    sums: Vec<i32>,
    fit: Fit,
}

/// What was measured of the distances between near vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fit {
    /// Share of the left out parts' squared lengths that is in the squared distance.
    pub left: f32,
    /// A distance is hardly ever estimated too high by more, for each unit of [`ProjectedQuery::unknown`].
    pub error: f32,
    /// What is unknown of queries like the vectors.
    pub unknown: f32,
}

impl Fit {
    /// Nothing known yet but `left`.
    pub fn with(left: f32) -> Self {
        Self {
            left,
            error: f32::INFINITY,
            unknown: f32::INFINITY,
        }
    }

    /// Whether the numbers make sense.
    pub fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.left) && self.error >= 0.0 && self.unknown >= 0.0
    }
}

/// A projected vector to compare codes with.
#[derive(Default)]
pub(crate) struct ProjectedQuery {
    /// For each 64 bytes of a code what goes with their low halves, then with their high halves.
    code: Vec<i8>,
    /// Added to every distance.
    square: f32,
    /// What one step of the code stands for.
    step: f32,
    /// Taken from the inner product of the code with another: half the grid's width times the code's sum.
    centre: i32,
    unknown: f32,
}

/// Components that codes of so many bytes keep.
pub(crate) fn kept(bytes: usize) -> usize {
    2 * (bytes - FACTORS)
}

impl Projected {
    /// Codes of `bytes` bytes, a multiple of 64, of the leading principal components.
    pub fn new(principal: &Principal, bytes: usize) -> Self {
        let dim = principal.mean().len();
        let rows = principal.projection(kept(bytes));
        let width = dim.next_multiple_of(CHUNK);
        let mut directions = vec![0; kept(bytes) * width];
        let coded = directions
            .chunks_exact_mut(width)
            .zip(rows.chunks_exact(dim));
        let steps = coded.map(|(code, row)| bytes_of(row, code)).collect();
        Self::from_parts(
            principal.mean().to_vec(),
            directions,
            steps,
            Fit::with(0.0),
            bytes,
        )
    }

    /// What [`Projected::parts`] gave; lengths are those of [`Projected::part_lens`].
    pub fn from_parts(
        mean: Vec<f32>,
        directions: Vec<i8>,
        steps: Vec<f32>,
        fit: Fit,
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

    /// Whether codes of vectors of `dim` components may have so many bytes.
    pub fn is_code(bytes: usize, dim: usize) -> bool {
        bytes.is_multiple_of(CHUNK) && (CHUNK..=MOST_BYTES).contains(&bytes) && dim <= MOST_DIM
    }

    /// Lengths of the directions and steps.
    pub fn part_lens(bytes: usize, dim: usize) -> (usize, usize) {
        (kept(bytes) * dim.next_multiple_of(CHUNK), kept(bytes))
    }

    /// Mean, directions, steps.
    pub fn parts(&self) -> (&[f32], &[i8], &[f32]) {
        (&self.mean, &self.directions, &self.steps)
    }

    /// What was measured.
    pub fn fit(&self) -> &Fit {
        &self.fit
    }

    /// With what was measured.
    pub fn with_fit(self, fit: Fit) -> Self {
        Self { fit, ..self }
    }

    /// Bytes of a code.
    pub fn code_bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the codec itself.
    pub fn len_bytes(&self) -> usize {
        self.directions.len() + 4 * (self.mean.len() + 2 * self.steps.len())
    }

    /// Codes vectors (`dim` components each, one after the other) into `codes`.
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
            let centred: Vec<f32> = batch
                .chunks_exact(dim)
                .flat_map(|v| v.iter().zip(&self.mean).map(|(x, m)| x - m))
                .collect();
            let rows = centred.len() / dim;
            let rows_of = MatRef::from_row_major_slice(&centred, rows, dim);
            let heads = &mut heads[..rows * kept];
            let out = MatMut::from_row_major_slice_mut(heads, rows, kept);
            matmul(
                out,
                Accum::Replace,
                rows_of,
                directions.transpose(),
                1.0,
                Par::Seq,
            );
            let vectors = centred.chunks_exact(dim).zip(heads.chunks_exact(kept));
            for ((vector, head), code) in vectors.zip(codes.chunks_exact_mut(self.bytes)) {
                with_best_simd(Encode {
                    vector,
                    head,
                    left: self.fit.left,
                    code,
                });
            }
        }
    }

    /// Projects `vector` to compare codes with.
    pub fn query(&self, vector: &[f32], query: &mut ProjectedQuery) {
        let width = self.mean.len().next_multiple_of(CHUNK);
        let centred: Vec<f32> = vector.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let mut code = vec![0; width];
        let step = bytes_of(&centred, &mut code);
        let raised: Vec<u8> = code.iter().map(|c| c.cast_unsigned() ^ 128).collect();
        let mut dots = vec![0; self.steps.len()];
        distance::dots_u8_i8(&raised, &self.directions, &mut dots);
        let head: Vec<f32> = dots
            .iter()
            .zip(self.steps.iter().zip(&self.sums))
            .map(|(dot, (scale, sum))| (dot - 128 * sum) as f32 * (scale * step))
            .collect();
        let (length, kept) = (square(&centred), square(&head));
        let outside = (length - kept).max(0.0);
        query.square = kept + self.fit.left * outside;
        query.unknown = (outside + GRID_ERROR * kept).sqrt();
        let places = self.bytes - FACTORS;
        let mut flat = vec![0; head.len()];
        query.step = bytes_of(&head, &mut flat);
        query.centre = flat.iter().map(|c| i32::from(*c)).sum::<i32>() * 15;
        let (low, high) = flat.split_at(places);
        query.lay_out(self.bytes, |at| (low[at], high[at]), places);
    }

    /// Points `query` at a vector that is coded.
    pub fn aim(&self, query: &mut ProjectedQuery, code: &[u8]) {
        let places = self.bytes - FACTORS;
        let (add, scale) = factors(code);
        // Twice the number less the middle of the grid is odd and whole.
        let odd = |n: u8| 2 * n.cast_signed() - 15;
        query.square = add;
        query.step = scale / 4.0;
        query.lay_out(
            self.bytes,
            |at| (odd(code[at] & 15), odd(code[at] >> 4)),
            places,
        );
        query.centre = query.code.iter().map(|c| i32::from(*c)).sum::<i32>() * 15;
    }

    /// Calls `each` with a place and the estimated squared distance of the query to the vector of the code there, for some
    /// places of `codes`.
    #[inline]
    pub fn distances(
        &self,
        query: &ProjectedQuery,
        codes: &[u8],
        places: &[u32],
        mut each: impl FnMut(u32, f32),
    ) {
        let step = query.step * 0.5;
        distance::dots_u4_i8(codes, places, &query.code, |at, dot| {
            let place = places[at];
            let (add, scale) = factors(&codes[place as usize * self.bytes..][..self.bytes]);
            let twice = (2 * dot - query.centre) as f32;
            each(place, query.square + add - scale * step * twice);
        });
    }
}

impl ProjectedQuery {
    /// Length of the part of the query that codes say nothing about: estimates err in proportion to it.
    pub fn unknown(&self) -> f32 {
        self.unknown
    }

    fn lay_out(&mut self, bytes: usize, pair: impl Fn(usize) -> (i8, i8), places: usize) {
        self.code.clear();
        self.code.resize(2 * bytes, 0);
        for at in 0..places {
            let start = at / CHUNK * 2 * CHUNK + at % CHUNK;
            let (low, high) = pair(at);
            self.code[start] = low;
            self.code[start + CHUNK] = high;
        }
    }
}

#[inline]
fn factors(code: &[u8]) -> (f32, f32) {
    let number = |at: usize| {
        let bytes = &code[code.len() - at..][..4];
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    };
    (number(8), number(4))
}

fn square(vector: &[f32]) -> f32 {
    with_best_simd(Square(vector))
}

struct Square<'a>(&'a [f32]);

impl Loop for Square<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let mut sums = [0.0; 16];
        let (chunks, rest) = self.0.as_chunks::<16>();
        for chunk in chunks {
            sums.iter_mut().zip(chunk).for_each(|(s, x)| *s += x * x);
        }
        sums.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
    }
}

/// Writes `vector` in steps to `code`, which may be longer and is zero; gives the step.
fn bytes_of(vector: &[f32], code: &mut [i8]) -> f32 {
    with_best_simd(Bytes(vector, code))
}

struct Bytes<'a>(&'a [f32], &'a mut [i8]);

/// Adding it to a small number leaves the rounded number in the lowest byte.
const ROUND: f32 = 12_582_912.0;

impl Loop for Bytes<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let Self(vector, code) = self;
        let largest = vector.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (c, x) in code.iter_mut().zip(vector) {
            *c = ((x * scale).clamp(-127.0, 127.0) + ROUND).to_bits() as i8;
        }
        largest / 127.0
    }
}

struct Encode<'a> {
    /// Less the mean.
    vector: &'a [f32],
    head: &'a [f32],
    left: f32,
    code: &'a mut [u8],
}

impl Loop for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (places, factors) = self.code.split_at_mut(self.code.len() - FACTORS);
        let length = square(self.vector);
        let kept = square(self.head);
        let deviation = (kept / self.head.len() as f32).sqrt();
        let step = deviation * GRID / 8.0;
        let scale = if step > 0.0 { 1.0 / step } else { 0.0 };
        let number = |x: f32| (x * scale + 8.0).clamp(0.0, 15.0).floor();
        let (low, high) = self.head.split_at(places.len());
        let mut along = 0.0;
        for ((place, l), h) in places.iter_mut().zip(low).zip(high) {
            let (a, b) = (number(*l), number(*h));
            along += l * (a - 7.5) + h * (b - 7.5);
            *place = a as u8 | (b as u8) << 4;
        }
        let add = kept + self.left * (length - kept).max(0.0);
        let ratio = if along > 0.0 { 2.0 * kept / along } else { 0.0 };
        factors[..4].copy_from_slice(&add.to_le_bytes());
        factors[4..].copy_from_slice(&ratio.to_le_bytes());
    }
}
