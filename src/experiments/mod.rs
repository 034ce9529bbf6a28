//! Experiments on searches: the variant of a user, interleaving, and results with confidence
//! intervals.

mod assignment;
mod interleaving;
mod results;
mod statistics;
#[cfg(test)]
mod tests;

pub use self::{
    assignment::variant_of,
    interleaving::{draft_seed, team_draft},
    results::experiment_results,
    statistics::Ratio,
};
pub(crate) use results::ExperimentTally;
