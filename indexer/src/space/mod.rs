//! Spaces: which vectors an input gives, and how unlike inputs meet in the shared one.

mod cache;
pub mod conse;
mod encoders;
pub mod heads;
pub mod multiscale;
pub mod selection;
#[cfg(test)]
mod tests;
pub mod tower;
pub mod words;

pub use crate::encode::{ModelError, Precision};
pub use cache::Cached;
pub use encoders::{Choice, Encoders};

/// Normalised weighted mean of vectors of one space: what an item with text and photos is in `shared`.
///
/// Vectors of another length than the first are left out; no parts give an empty vector.
pub fn fuse(parts: &[(f32, &[f32])]) -> Vec<f32> {
    let mut sum = vec![0f32; parts.first().map_or(0, |(_, v)| v.len())];
    for (weight, vector) in parts.iter().filter(|(_, v)| v.len() == parts[0].1.len()) {
        sum.iter_mut()
            .zip(*vector)
            .for_each(|(s, v)| *s += weight * v);
    }
    crate::encode::normalise(&mut sum);
    sum
}
