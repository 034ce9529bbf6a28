//! Training of rankers: LambdaMART (Burges 2010), gradient-boosted regression trees whose gradients
//! are those of nDCG.
//!
//! A [`Dataset`] has the candidates of each query with their features and gains, from judgments or
//! from clicks ([`clicks`]). [`boost`] trains on some of the queries and stops early by others,
//! [`cross_validate`] ranks each query by a model of the others. The features are computed by the
//! engine, which also serves the model.

mod bins;
mod boost;
pub mod clicks;
mod cross_validation;
mod dataset;
mod grow;
mod histogram;
mod lambda;
mod logistic;
mod parameters;
mod report;
#[cfg(test)]
mod tests;
mod training;

pub use self::{
    bins::Bins,
    boost::{Boosted, boost},
    cross_validation::{Evaluated, cross_validate, fold_of},
    dataset::{Dataset, FeatureSource, Group},
    parameters::Parameters,
    report::RankReport,
    training::{Progress, RankError, Training, gather},
};

/// Number of ranks that count.
pub const NDCG_DEPTH: usize = 10;

/// Returns the discount of a rank from 0 (Jarvelin and Kekalainen 2002).
pub(crate) fn discount(rank: usize) -> f64 {
    1.0 / ((rank + 2) as f64).log2()
}
