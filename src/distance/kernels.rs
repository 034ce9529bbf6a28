//! SIMD kernels; the only file that names `simsimd`.
//!
//! simsimd picks the instruction set at run time and accumulates in f32, which overflows (or vanishes) for
//! components whose squares leave f32's range. Those rare results are computed again in f64 by [`super::scalar`].

use simsimd::SpatialSimilarity;

use super::scalar;

/// Squared distances outside are too near the ends of f32's range to be trusted.
const TRUSTED: std::ops::RangeInclusive<f64> = 1e-30..=1e37;

/// Inner product.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    match f32::dot(a, b) {
        Some(d) if d.is_finite() => d,
        _ => scalar::dot(a, b),
    }
}

/// Euclidean distance.
#[inline]
pub(super) fn l2(a: &[f32], b: &[f32]) -> f64 {
    match f32::l2sq(a, b) {
        Some(d) if TRUSTED.contains(&d) => d.sqrt(),
        _ => scalar::l2(a, b),
    }
}
