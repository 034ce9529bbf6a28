//! Off-policy evaluation: the reward that another policy would have earned, estimated from pages
//! that were logged with the probabilities of their items.
//!
//! The reward of an item is assumed not to depend on the other items of its page, so the value of a
//! page is the sum over its items, and an item counts with the probability under the target policy
//! divided by that under the logged one (Horvitz and Thompson 1952). Three estimators of the reward
//! per page:
//!
//! - **IPS** (inverse propensity scoring), the mean of the weighted rewards: unbiased;
//! - **SNIPS** (Swaminathan and Joachims 2015), divided by the sum of the weights: less variance,
//!   and a small bias. With equal propensities it is replay (Li, Chu, Langford and Wang 2011);
//! - **DR**, doubly robust (Dudik, Langford and Li 2011): a model predicts the rewards, and IPS
//!   corrects its errors. The model is fitted to pages other than those that it predicts for.
//!
//! Pages of one user are one observation. Intervals are normal, with the variance of a ratio of
//! sums (delta method).

mod estimators;
mod line;
mod log;
mod report;
mod reward_model;
#[cfg(test)]
mod tests;

pub use self::{
    estimators::{Diagnostics, Estimate},
    log::PolicyLog,
    report::PolicyReport,
};
