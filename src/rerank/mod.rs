//! Reranking: the first candidates of a search are ranked again by a model that was trained on
//! judgments or clicks (LambdaMART, Burges 2010; trained by the indexer).
//!
//! The features of the candidates (`features`) are computed here for training and for serving, so
//! both see the same values. The model (`Forest`) is a sum of regression trees.

mod candidate;
mod features;
mod forest;
mod item_text;
mod query_text;
mod rows;
mod text_cache;

pub use self::features::{FEATURE_VERSION, FEATURES, FeatureSpec, Row};
pub(crate) use self::{
    candidate::{Candidate, ItemFacts},
    forest::Forest,
    item_text::ItemText,
    query_text::QueryText,
    rows::feature_rows,
    text_cache::TextCache,
};

/// Default number of candidates that are ranked again.
pub const DEFAULT_DEPTH: usize = 100;

/// Maximum number of candidates that are ranked again.
pub const MAX_DEPTH: usize = 1_000;
