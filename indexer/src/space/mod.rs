//! Vector spaces: the vectors that an input is embedded to, and how different modalities meet in
//! the shared space.

mod cache;
pub mod conse;
mod encoders;
pub mod heads;
pub mod selection;
#[cfg(test)]
mod tests;
pub mod tower;
pub mod words;

pub use crate::encode::{ModelError, Precision};
pub use cache::Cached;
pub use encoders::{Encoders, HeadsChoice};

/// Returns the normalized weighted mean of vectors of one space: the vector in `shared` of an item
/// with a text and images.
///
/// Vectors of another length than the first are skipped; without `parts` the result is empty.
pub fn fuse(parts: &[(f32, &[f32])]) -> Vec<f32> {
    let mut sum = vec![0f32; parts.first().map_or(0, |(_, v)| v.len())];
    for (weight, vector) in parts.iter().filter(|(_, v)| v.len() == parts[0].1.len()) {
        sum.iter_mut()
            .zip(*vector)
            .for_each(|(s, v)| *s += weight * v);
    }
    crate::encode::normalize(&mut sum);
    sum
}
