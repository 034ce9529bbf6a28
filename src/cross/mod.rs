//! Comparison of items across categories: vectors relative to the category centroid, and transition
//! probabilities between categories. Plain computation; callers provide vectors and histories.

mod centering;
#[cfg(test)]
mod tests;
mod transitions;

pub use self::{
    centering::{CategorySample, Centering},
    transitions::Transitions,
};
