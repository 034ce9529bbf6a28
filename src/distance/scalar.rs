//! Scalar f64 distances: the reference for the kernels, and the fallback where those overflow.

/// Returns the inner product.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    pairs(a, b).map(|(x, y)| x * y).sum()
}

/// Returns the Euclidean distance.
pub fn l2(a: &[f32], b: &[f32]) -> f64 {
    pairs(a, b)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn pairs<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = (f64, f64)> + 'a {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)))
}

/// Returns the inner product of codes of at most 32,768 components, which cannot overflow.
pub fn dot_u8_i8(a: &[u8], b: &[i8]) -> i32 {
    // Checks of overflow would keep the compiler from using SIMD.
    a.iter()
        .zip(b)
        .map(|(x, y)| i32::from(*x).wrapping_mul(i32::from(*y)))
        .fold(0, i32::wrapping_add)
}

/// Returns the inner product of a code of four bits per component with signed bytes: for each 64
/// bytes of the code, the low halves with 64 bytes of the query, then the high halves with its next
/// 64.
pub fn dot_u4_i8(code: &[u8], query: &[i8]) -> i32 {
    let chunks = code.chunks(64).zip(query.chunks(128));
    chunks
        .map(|(code, query)| {
            let (low, high) = query.split_at(code.len());
            let pairs = code.iter().zip(low.iter().zip(high));
            pairs
                .map(|(c, (l, h))| {
                    i32::from(c & 15) * i32::from(*l) + i32::from(c >> 4) * i32::from(*h)
                })
                .sum::<i32>()
        })
        .sum()
}
