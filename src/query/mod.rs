//! Search requests, and the blend of several sources into one ranking.
//!
//! Candidates are gathered by `collection`; parsing and embedding of texts are left to the callers.

pub mod blend;
pub mod diversify;
pub(crate) mod explore;
pub(crate) mod feed;
mod search;
mod vector_search;

pub use search::{Search, Shopper, Understood};
pub use vector_search::{Target, VectorSearch};
