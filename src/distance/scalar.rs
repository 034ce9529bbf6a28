//! Plain f64 distances: the reference for the kernels, and the way out where those overflow.

/// Inner product.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    pairs(a, b).map(|(x, y)| x * y).sum()
}

/// Euclidean distance.
pub fn l2(a: &[f32], b: &[f32]) -> f64 {
    pairs(a, b)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn pairs<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = (f64, f64)> + 'a {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)))
}

/// Squared Euclidean distance of codes.
pub fn squared_l2_i8(a: &[i8], b: &[i8]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| (i32::from(*x) - i32::from(*y)).unsigned_abs().pow(2))
        .sum()
}
