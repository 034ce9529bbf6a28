//! Merchandising rules: the rules that apply to a request, and the ranking stage that executes
//! them.
//!
//! Hidden items and those filtered out never become candidates, so that pages are full and totals
//! right. The rest is one stage after the candidates: scores are multiplied, buried items move to
//! the end, pins take their positions.

mod set;
mod stage;
#[cfg(test)]
mod tests;

pub use self::{
    set::{RuleQuery, RuleSet},
    stage::{Pinned, RuleEffects, count_pins_on_page, interleave_pins},
};
