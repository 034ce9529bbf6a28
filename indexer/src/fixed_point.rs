//! Vectors as integers, whose sums are exact: the same in any order, with and without masks. Noise
//! on them can be discrete.

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

/// Returns `value`, at most `bound` in magnitude, as an integer.
pub fn level(value: f64, bound: f64) -> i64 {
    let limited = (value / bound).clamp(-1.0, 1.0);
    (limited * LEVELS).round() as i64
}

/// Returns `value`, at most `bound` in magnitude, as an integer modulo 2^32.
pub fn quantize(value: f64, bound: f64) -> u32 {
    wrap(level(value, bound))
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

/// Returns the integer from -2^31 on that a number modulo 2^32 stands for.
#[cfg(test)]
fn signed(value: u32) -> i64 {
    i64::from(value as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_quantized_numbers_are_those_of_the_numbers() {
        let values = [0.5, -0.25, 0.125, -3.0];
        let sum = values
            .iter()
            .fold(0_u32, |sum, v| sum.wrapping_add(quantize(*v, 1.0)));
        // The last number is limited to the bound.
        assert!((dequantize(sum, 1.0) - (0.5 - 0.25 + 0.125 - 1.0)).abs() < 1e-6);
        for value in [-7_i64, 0, 5, i64::from(i32::MAX)] {
            assert_eq!(signed(wrap(value)), value);
        }
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let mut values = [3.0, -4.0];
        assert!((clip(&mut values, 1.0) - 5.0).abs() < 1e-9);
        assert!((norm(&values) - 1.0).abs() < 1e-6 && values[0] > 0.59 && values[1] < -0.79);
        let mut small = [0.1, 0.1];
        clip(&mut small, 1.0);
        assert_eq!(small, [0.1, 0.1]);
    }
}
