//! One ranking from what several sources say of the same candidates.
//!
//! A [`Question`] holds the candidates with what each source says of them. A [`BlendModel`] gives each a score: the sum
//! over the sources of weight times calibrated signal, so the parts of the sum explain it. Where nothing was learned,
//! it is weighted reciprocal rank fusion; [`learn`] finds calibrations and weights from questions whose answers are
//! known. Where candidates come from, and what may be shown at all, is not decided here.

mod calibration;
mod learn;
mod model;
mod question;
#[cfg(test)]
mod tests;

pub use self::{
    calibration::{Calibration, Link, Scale},
    learn::{Example, LearnOptions, learn},
    model::{BlendModel, Part, Ranked},
    question::{Candidate, Question, Signal, Signals},
};
