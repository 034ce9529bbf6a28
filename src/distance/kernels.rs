//! SIMD kernels; the only file that names `simsimd`.
//!
//! simsimd selects the instruction set at run time and accumulates in f32, which overflows (or
//! underflows) for components whose squares leave f32's range. Those rare results are recomputed in
//! f64 by [`super::scalar`].

use simsimd::SpatialSimilarity;

use super::scalar;

/// Range of reliable squared distances; others are too near the ends of f32's range.
const RELIABLE: std::ops::RangeInclusive<f64> = 1e-30..=1e37;

/// Returns the inner product.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    match f32::dot(a, b) {
        Some(d) if d.is_finite() => d,
        _ => scalar::dot(a, b),
    }
}

/// Returns the Euclidean distance.
#[inline]
pub(super) fn l2(a: &[f32], b: &[f32]) -> f64 {
    match f32::l2sq(a, b) {
        Some(d) if RELIABLE.contains(&d) => d.sqrt(),
        _ => scalar::l2(a, b),
    }
}
