//! What a search asks for, and how what several sources found becomes one ranked answer.
//!
//! Which items are candidates is the business of `collection`; parsing and embedding of text are the callers'.

pub mod blend;
pub mod diversify;
mod search;
mod vector_search;

pub use search::{Search, Shopper};
pub use vector_search::{Target, VectorSearch};
