//! Loops of the projected codes, compiled for the instruction sets of the processor.

use super::{FACTOR_BYTES, GRID_HALF_WIDTH};
use crate::quantize::simd::{Loop, with_best_simd};

/// Returns the squared norm of a vector.
pub(super) fn square(vector: &[f32]) -> f32 {
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

/// Quantizes `vector` to `code`, which may be longer and is zero. Returns the step.
pub(super) fn quantize(vector: &[f32], code: &mut [i8]) -> f32 {
    with_best_simd(Quantize(vector, code))
}

struct Quantize<'a>(&'a [f32], &'a mut [i8]);

/// Constant that, added to a small number, leaves the rounded number in the lowest byte.
const ROUND: f32 = 12_582_912.0;

impl Loop for Quantize<'_> {
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

/// Encodes one vector, given its kept components.
pub(super) struct Encode<'a> {
    /// The vector minus the mean.
    pub vector: &'a [f32],
    pub head: &'a [f32],
    pub residual_share: f32,
    pub code: &'a mut [u8],
}

impl Loop for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (places, factors) = self.code.split_at_mut(self.code.len() - FACTOR_BYTES);
        let norm = square(self.vector);
        let kept = square(self.head);
        let deviation = (kept / self.head.len() as f32).sqrt();
        let step = deviation * GRID_HALF_WIDTH / 8.0;
        let scale = if step > 0.0 { 1.0 / step } else { 0.0 };
        let number = |x: f32| (x * scale + 8.0).clamp(0.0, 15.0).floor();
        let (low, high) = self.head.split_at(places.len());
        let mut along = 0.0;
        for ((place, l), h) in places.iter_mut().zip(low).zip(high) {
            let (a, b) = (number(*l), number(*h));
            along += l * (a - 7.5) + h * (b - 7.5);
            *place = a as u8 | (b as u8) << 4;
        }
        let add = kept + self.residual_share * (norm - kept).max(0.0);
        let ratio = if along > 0.0 { 2.0 * kept / along } else { 0.0 };
        factors[..4].copy_from_slice(&add.to_le_bytes());
        factors[4..].copy_from_slice(&ratio.to_le_bytes());
    }
}
