//! What is needed to compare items of different categories: vectors without what a category has in common, and how often
//! people go from one category to another. Plain computation; where vectors and histories come from is the callers' business.

mod centring;
#[cfg(test)]
mod tests;
mod transitions;

pub use self::{
    centring::{Centring, Kind},
    transitions::Transitions,
};
