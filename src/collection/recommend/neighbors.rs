//! Items that the same people touched, or people alike: scores of the neighbours of a history, and of nothing else.

use vitrine_schemas::recommend::Strategy;

use crate::{
    behaviour::Model,
    cf::{LiveItemKnn, NearSessions, Recommender},
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
            _ => Self::of_neighbors(&model.live().item_knn, history, items, strategy),
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

    /// The votes of visits near to a history.
    pub fn of_sessions(near: &NearSessions<'_>, items: usize) -> Self {
        let mut scores = Self::none(items);
        near.each_vote(|item, vote| scores.add(item, vote));
        scores
    }

    fn none(items: usize) -> Self {
        Self {
            dense: vec![0.0; items],
            touched: Vec::new(),
        }
    }

    fn add(&mut self, item: u32, value: f32) {
        if let Some(score) = self.dense.get_mut(item as usize) {
            if *score == 0.0 {
                self.touched.push(item);
            }
            *score += value;
        }
    }

    fn of_neighbors(
        model: &LiveItemKnn,
        history: &[(u32, f32)],
        items: usize,
        strategy: Strategy,
    ) -> Self {
        let mut scores = Self::none(items);
        match strategy {
            Strategy::Average | Strategy::Sum => {
                for (item, weight) in history {
                    model.each_part(*item, |to, part, _| scores.add(to, weight * part));
                }
                // An item whose score came back to 0 on the way was met twice.
                scores.touched.sort_unstable();
                scores.touched.dedup();
            }
            Strategy::BestScore => scores.add_best(model, history),
        }
        scores
    }

    /// The greatest product alone, unless one that speaks against the item is greater.
    fn add_best(&mut self, model: &LiveItemKnn, history: &[(u32, f32)]) {
        let mut against = vec![0.0_f32; self.dense.len()];
        for (item, weight) in history {
            model.each_neighbor(*item, |neighbor| {
                let (place, part) = (neighbor.item as usize, weight * neighbor.similarity);
                let Some(score) = self.dense.get_mut(place) else {
                    return;
                };
                if *score == 0.0 && against[place] == 0.0 {
                    self.touched.push(neighbor.item);
                }
                match part < 0.0 {
                    true => against[place] = against[place].max(-part),
                    false => *score = score.max(part),
                }
            });
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        for item in &self.touched {
            let place = *item as usize;
            if against[place] >= self.dense[place] {
                self.dense[place] = -against[place];
            }
        }
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
