//! Items that the same people touched: scores of the neighbours of a history, and of nothing else.

use vitrine_schemas::recommend::Strategy;

use crate::{
    behaviour::Model,
    cf::{ItemKnn, Recommender},
};

/// Scores by number of the log, 0 for what is no neighbour.
pub(super) struct Scores {
    /// Zeros that are never touched are never paid for.
    dense: Vec<f32>,
    touched: Vec<u32>,
}

impl Scores {
    /// What the neighbours of a history have to do with it: the sum over its items of weight times similarity, or only
    /// the greatest such product where the best alone counts.
    /// Where the collection chose another model, that one gives the scores, unless the best alone is to count.
    pub fn of(model: &Model, history: &[(u32, f32)], items: usize, strategy: Strategy) -> Self {
        match model.chosen() {
            Some(chosen) if strategy != Strategy::BestScore => Self::by(chosen, history, items),
            _ => Self::of_neighbors(&model.item_knn, history, items, strategy),
        }
    }

    /// The scores above 0 of any model.
    fn by(model: &dyn Recommender, history: &[(u32, f32)], items: usize) -> Self {
        let mut dense = Vec::new();
        if !history.is_empty() {
            model.scores(history, &mut dense);
        }
        dense.resize(items, 0.0);
        dense.iter_mut().for_each(|score| *score = score.max(0.0));
        let touched = (0..).zip(&dense);
        let touched = touched.filter(|(_, score)| **score > 0.0);
        Self {
            touched: touched.map(|(item, _)| item).collect(),
            dense,
        }
    }

    fn of_neighbors(
        model: &ItemKnn,
        history: &[(u32, f32)],
        items: usize,
        strategy: Strategy,
    ) -> Self {
        let mut scores = Self {
            dense: vec![0.0; items],
            touched: Vec::new(),
        };
        let mut against = vec![
            0.0_f32;
            if strategy == Strategy::BestScore {
                items
            } else {
                0
            }
        ];
        for (item, weight) in history {
            for neighbor in model.neighbors(*item) {
                let place = neighbor.item as usize;
                let (Some(score), part) =
                    (scores.dense.get_mut(place), weight * neighbor.similarity)
                else {
                    continue;
                };
                if *score == 0.0 {
                    scores.touched.push(neighbor.item);
                }
                match strategy {
                    Strategy::BestScore if part < 0.0 => against[place] = against[place].max(-part),
                    Strategy::BestScore => *score = score.max(part),
                    Strategy::Average | Strategy::Sum => *score += part,
                }
            }
        }
        for item in scores.touched.iter().filter(|_| !against.is_empty()) {
            let place = *item as usize;
            if against[place] >= scores.dense[place] {
                scores.dense[place] = -against[place];
            }
        }
        // An item whose score came back to 0 on the way was met twice.
        scores.touched.sort_unstable();
        scores.touched.dedup();
        scores
    }

    /// Score of an item, where it is above 0.
    pub fn get(&self, item: u32) -> Option<f32> {
        let score = self.dense.get(item as usize).copied();
        score.filter(|s| *s > 0.0)
    }

    /// Items that may have a score.
    pub fn touched(&self) -> &[u32] {
        &self.touched
    }
}
