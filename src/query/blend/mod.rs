//! One ranking from the scores that several sources give to the same candidates.
//!
//! A [`CandidateSet`] holds the candidates with the signals of each source. A [`BlendModel`] scores
//! each candidate: the sum over the sources of weight times calibrated signal, so that the
//! contributions explain the score. Without a learned blend, recommendations use weighted
//! reciprocal rank fusion ([`BlendModel::rrf`]); hybrid searches without a history use a fixed
//! weighted sum ([`BlendModel::hybrid`]). [`learn`] fits calibrations and weights to candidate sets
//! whose chosen items are known. The candidates and the eligible items are decided by the caller.

mod calibration;
mod candidate_set;
mod fixed;
mod learn;
mod model;
mod ranked;
#[cfg(test)]
mod tests;

pub use self::{
    calibration::{Calibration, Link, Scale},
    candidate_set::{Candidate, CandidateSet, Signal, Signals},
    learn::{Example, LearnOptions, learn},
    model::{BlendModel, BlendPart},
    ranked::Ranked,
};
