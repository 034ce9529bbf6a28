//! Popular items in a precomputed order, so that a query does not sort.

use crate::cf::{Popularity, Recommender, Scored};

/// Popularity scores of all items, and the items in their order.
pub(crate) struct Popular {
    scores: Vec<f32>,
    /// Items with a score above 0, the best first, then by number.
    order: Vec<u32>,
}

impl Popular {
    /// Takes the current scores of a model.
    pub fn of(model: &Popularity) -> Self {
        let mut scores = Vec::new();
        model.scores(&[], &mut scores);
        let mut order: Vec<u32> = (0..)
            .zip(&scores)
            .filter_map(|(item, score)| (*score > 0.0).then_some(item))
            .collect();
        let score = |item: u32| scores[item as usize];
        order.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        Self { scores, order }
    }

    /// Iterates over the items, the best first.
    pub fn order(&self) -> impl Iterator<Item = Scored> + '_ {
        let scored = |item: &u32| Scored {
            item: *item,
            score: self.scores[*item as usize],
        };
        self.order.iter().map(scored)
    }

    /// Returns the score of an item if it is above 0.
    pub fn score(&self, item: u32) -> Option<f32> {
        let score = self.scores.get(item as usize).copied();
        score.filter(|s| *s > 0.0)
    }
}
