//! A fast random rotation, after which all components of a vector carry about the same information.
//!
//! It alternates sign flips and Hadamard transforms, on the first and the last power of two of the
//! components, as the fast Johnson-Lindenstrauss transform does (Ailon & Chazelle 2009):
//! `O(n log n)` where a random matrix costs `O(n^2)`.

use super::simd::{Loop, with_best_simd};

/// Number of rounds of flips and transforms; with fewer, a vector along an axis is not spread over
/// all components.
const ROUNDS: u64 = 4;

/// Number of components that a step of a scan takes; vectors are padded with zeros to a multiple of
/// it.
const MULTIPLE: usize = 64;

/// An orthogonal map of `dim` components to [`Rotation::padded`], determined by `dim` and a seed.
pub(crate) struct Rotation {
    dim: usize,
    padded: usize,
    /// 1 or -1, `padded` per round.
    signs: Vec<f32>,
}

impl Rotation {
    pub fn new(dim: usize, seed: u64) -> Self {
        let padded = dim.next_multiple_of(MULTIPLE);
        let mut state = seed;
        let mut signs = Vec::with_capacity(padded * ROUNDS as usize);
        while signs.len() < padded * ROUNDS as usize {
            let bits = split_mix(&mut state);
            signs.extend((0..64).map(|i| if bits >> i & 1 == 0 { 1.0 } else { -1.0 }));
        }
        Self { dim, padded, signs }
    }

    /// Number of components of a rotated vector: a multiple of 64.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Rotates `vector` (`dim` components) into `out` (`padded` components), preserving norms and
    /// angles.
    pub fn apply(&self, vector: &[f32], out: &mut [f32]) {
        let (head, tail) = out.split_at_mut(self.dim);
        head.copy_from_slice(vector);
        tail.fill(0.0);
        with_best_simd(Rounds(self, out));
    }
}

struct Rounds<'a>(&'a Rotation, &'a mut [f32]);

impl Loop for Rounds<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self(rotation, out) = self;
        let block = 1 << out.len().ilog2();
        let start = out.len() - block;
        for (round, signs) in rotation.signs.chunks_exact(rotation.padded).enumerate() {
            out.iter_mut().zip(signs).for_each(|(x, s)| *x *= s);
            let from = if round % 2 == 0 { 0 } else { start };
            hadamard(&mut out[from..from + block]);
        }
    }
}

/// Applies the orthonormal Walsh-Hadamard transform to a power of two of components, in place.
#[inline(always)]
fn hadamard(v: &mut [f32]) {
    let n = v.len();
    // The first steps stay within one register.
    let (sixteens, []) = v.as_chunks_mut::<16>() else {
        unreachable!("a power of two from 64 on");
    };
    for block in sixteens {
        for half in [1, 2, 4, 8] {
            let old = *block;
            for (i, x) in block.iter_mut().enumerate() {
                let other = old[i ^ half];
                *x = if i & half == 0 {
                    old[i] + other
                } else {
                    other - old[i]
                };
            }
        }
    }
    let mut half = 16;
    while half < n {
        for pair in v.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            for (x, y) in a.iter_mut().zip(b) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (n as f32).sqrt();
    v.iter_mut().for_each(|x| *x *= scale);
}

/// Returns the next number of the SplitMix64 sequence (Steele, Lea & Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::distance::scalar;

    #[test]
    fn an_axis_is_spread_over_all_components() {
        for dim in [1, 48, 384, 784] {
            let rotation = Rotation::new(dim, 7);
            let mut axis = vec![0.0; dim];
            axis[dim - 1] = 1.0;
            let mut out = vec![0.0; rotation.padded()];
            rotation.apply(&axis, &mut out);
            let largest = out.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            assert!(
                largest <= 6.0 / (out.len() as f32).sqrt(),
                "{dim}: {largest}"
            );
        }
    }

    proptest! {
        #[test]
        fn norms_and_angles_are_preserved(
            (a, b) in (1_usize..900).prop_flat_map(|n| (vec(-2.0_f32..2.0, n), vec(-2.0_f32..2.0, n)))
        ) {
            let rotation = Rotation::new(a.len(), 1);
            let rotated = |v: &[f32]| {
                let mut out = vec![0.0; rotation.padded()];
                rotation.apply(v, &mut out);
                out
            };
            let size = (scalar::dot(&a, &a) * scalar::dot(&b, &b)).sqrt();
            let got = scalar::dot(&rotated(&a), &rotated(&b));
            prop_assert!((got - scalar::dot(&a, &b)).abs() <= 1e-4 * size + 1e-6);
        }
    }
}
