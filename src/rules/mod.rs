//! Rules of merchandising: which of them act on a question, and the stage at which they change a ranking.
//!
//! What is hidden or filtered out never becomes a candidate, so pages are full, totals right. The rest is one stage after the
//! candidates: scores are multiplied, what is buried goes to the end, pins take their places.

mod set;
mod stage;
#[cfg(test)]
mod tests;

pub use self::{
    set::{Asked, RuleSet},
    stage::{Pinned, Stage, placed, places},
};
