//! Items of the authors that a user follows.

use roaring::{MultiOps, RoaringBitmap};

use super::freshness::ItemAges;
use crate::{
    cf::Scored,
    collection::{State, shopper::top_k::top_k},
};

/// Maximum number of followed authors, the latest, whose items are candidates.
const MAX_FOLLOWED: usize = 5_000;

/// Items of the authors that a user follows.
pub(in crate::collection) struct Following<'a> {
    ages: Option<ItemAges<'a>>,
    by_author: Vec<(&'a str, RoaringBitmap)>,
    items: RoaringBitmap,
}

impl<'a> Following<'a> {
    /// Collects the items with one of the `followed` values in a field; `None` if there are none.
    /// Without ages, the items written last are the newest.
    pub fn new(
        state: &State,
        field: &str,
        followed: &[&'a str],
        ages: Option<ItemAges<'a>>,
    ) -> Option<Self> {
        let followed = followed.iter().take(MAX_FOLLOWED);
        let by_author = followed.map(|author| (*author, state.payload.labeled(field, author)));
        let by_author: Vec<_> = by_author.filter(|(_, items)| !items.is_empty()).collect();
        let items = by_author.iter().map(|(_, items)| items).union();
        (!items.is_empty()).then_some(Self {
            ages,
            by_author,
            items,
        })
    }

    /// Returns the followed authors of an item.
    pub fn authors(&self, item: u32) -> impl Iterator<Item = &'a str> {
        let by_author = self.by_author.iter();
        by_author.filter_map(move |(author, items)| items.contains(item).then_some(*author))
    }

    /// Returns the newest eligible items, at most `count`.
    pub fn newest(&self, eligible: &RoaringBitmap, count: usize) -> Vec<Scored> {
        let items = &self.items & eligible;
        let scored = items.iter().map(|item| Scored {
            item,
            score: self.freshness(item),
        });
        top_k(scored.collect(), count)
    }

    /// Returns the score of an item of a followed author.
    pub fn score(&self, item: u32) -> Option<f32> {
        let is_followed = self.items.contains(item);
        is_followed.then(|| self.freshness(item))
    }

    fn freshness(&self, item: u32) -> f32 {
        match &self.ages {
            Some(ages) => ages.factor(item),
            None => 1.0 - 1.0 / (2.0 + item as f32),
        }
    }
}
