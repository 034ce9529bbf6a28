//! Vectors as integers modulo 2^32, whose sums are exact: the same in any order, with and without
//! masks.

/// Steps of a quantized number between 0 and the norm bound, as in Flower's SecAgg+. Sums of 255
/// vectors, with noise, stay within 2^31.
pub const LEVELS: f64 = (1_u32 << 22) as f64;

/// Scales `values` to at most the L2 norm `bound`; returns the norm before.
pub fn clip(values: &mut [f32], bound: f64) -> f64 {
    let norm = norm(values);
    if norm > bound {
        let factor = (bound / norm) as f32;
        values.iter_mut().for_each(|v| *v *= factor);
    }
    norm
}

/// Returns the L2 norm.
pub fn norm(values: &[f32]) -> f64 {
    let squares = values.iter().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Returns `value`, at most `bound` in magnitude, as an integer modulo 2^32.
pub fn quantize(value: f64, bound: f64) -> u32 {
    let limited = (value / bound).clamp(-1.0, 1.0);
    wrap((limited * LEVELS).round() as i64)
}

/// Returns an integer modulo 2^32.
pub fn wrap(value: i64) -> u32 {
    value.rem_euclid(1 << 32) as u32
}

/// Returns the number whose quantized summands add up to `sum`.
pub fn dequantize(sum: u32, bound: f64) -> f64 {
    f64::from(sum as i32) / LEVELS * bound
}

/// Returns the greatest L2 norm, in integers, of a quantized vector of `length` numbers whose norm
/// was at most the bound: each number is rounded by at most 1/2.
pub fn sensitivity(length: usize) -> f64 {
    LEVELS + (length as f64).sqrt() / 2.0
}
