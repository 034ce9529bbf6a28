//! Data that the features of a candidate are computed from.

use std::sync::Arc;

use super::ItemText;

/// A candidate of a search, with the data that its features are computed from. Candidates are
/// ordered by the blend.
pub(crate) struct Candidate {
    pub text: Arc<ItemText>,
    /// Score by full-text search; None if the item has none of the words.
    pub lexical: Option<f32>,
    /// Score by vector search; None without a vector.
    pub dense: Option<f32>,
    /// Score by the blend.
    pub blend: f32,
    /// Vector in the searched space.
    pub vector: Option<Vec<f32>>,
    pub facts: ItemFacts,
}

/// Facts about an item that may change without a change of its texts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ItemFacts {
    /// Price that is asked.
    pub price: Option<f64>,
    /// 1 if it can be bought now, 0.5 if later, 0 if out of stock.
    pub availability: Option<f32>,
    /// Days since it was added to the catalog.
    pub age_days: Option<f32>,
    /// Mean rating, from an attribute named `rating`.
    pub rating: Option<f64>,
    /// Number of ratings, from an attribute named `rating_count`.
    pub rating_count: Option<f64>,
    /// Number of events with the item.
    pub events: f32,
    /// Popularity by the active model.
    pub popularity: Option<f32>,
}
