//! Distances between vectors: lower is nearer for every metric.
//!
//! | metric | distance | score |
//! |---|---|---|
//! | cosine | `1 - dot` of unit vectors, never below 0 | cosine similarity |
//! | dot | `-dot` | inner product |
//! | l2 | Euclidean | `1 / (1 + distance)` |
//!
//! Cosine vectors are normalized once, when they are written or searched with, so that a comparison
//! is one dot product. `kernels` holds the SIMD code, [`scalar`] the scalar equivalent it is tested
//! against. Nothing about indexes, storage or filters belongs here.

mod bytes;
mod kernels;
mod nibbles;
pub mod scalar;
#[cfg(test)]
mod tests;

use vitrine_schemas::Metric;

pub use bytes::{dot_u8_i8, dots_at_u8_i8, dots_u8_i8};
pub use nibbles::{CHUNK, dots_u4_i8};

/// Returns the distance of two vectors of one dimension; never NaN for finite input, never negative
/// for cosine and L2.
#[inline]
pub fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    match metric {
        Metric::Cosine => (1.0 - kernels::dot(a, b)).max(0.0) as f32,
        Metric::Dot => -kernels::dot(a, b) as f32,
        Metric::L2 => kernels::l2(a, b) as f32,
    }
}

/// Returns the score of a distance, which results show: higher is better.
#[inline]
pub fn score(metric: Metric, distance: f32) -> f32 {
    match metric {
        Metric::Cosine => 1.0 - distance,
        Metric::Dot => -distance,
        Metric::L2 => 1.0 / (1.0 + distance),
    }
}

/// Scales a vector to unit norm. Returns false, and leaves the vector as it is, if it has no
/// direction (all components are 0, or one is not finite).
pub fn normalize(v: &mut [f32]) -> bool {
    // f64 squares of f32 can neither overflow nor underflow, but scaling by the largest component
    // first also keeps every quotient below within f32's normal range.
    let largest = v.iter().fold(0.0_f64, |m, x| m.max(f64::from(x.abs())));
    if largest == 0.0 || v.iter().any(|x| !x.is_finite()) {
        return false;
    }
    let norm = v
        .iter()
        .map(|x| (f64::from(*x) / largest).powi(2))
        .sum::<f64>()
        .sqrt();
    for x in v {
        *x = (f64::from(*x) / largest / norm) as f32;
    }
    true
}
