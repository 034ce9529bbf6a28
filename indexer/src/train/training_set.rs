//! The data of a training or an evaluation.

use super::{CoPurchases, Pairs};

/// Pairs of text and image, items that the same users chose, or both.
#[derive(Clone, Copy, Default)]
pub struct TrainingSet<'a> {
    /// Texts with their images.
    pub pairs: Option<&'a Pairs>,
    /// Items with the users who chose them.
    pub co_purchases: Option<&'a CoPurchases>,
}

impl TrainingSet<'_> {
    /// Number of examples of an epoch: pairs or, without any, choices of users.
    pub(super) fn size(&self) -> usize {
        let choices = || self.co_purchases.map_or(0, CoPurchases::pairs_per_epoch);
        self.pairs.map_or_else(choices, Pairs::len)
    }
}

impl<'a> From<&'a Pairs> for TrainingSet<'a> {
    fn from(pairs: &'a Pairs) -> Self {
        Some(pairs).into()
    }
}

impl<'a> From<Option<&'a Pairs>> for TrainingSet<'a> {
    fn from(pairs: Option<&'a Pairs>) -> Self {
        Self {
            pairs,
            co_purchases: None,
        }
    }
}
