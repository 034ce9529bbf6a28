//! Scores of the item neighbors of a history, and of the items of similar sessions.

use vitrine_schemas::{Source, recommend::Strategy};

use crate::{
    behavior::Model,
    cf::{LiveItemKnn, Recommender, Scored, SimilarSessions},
};

/// Scores of the sources of a behavior model that have a weight.
pub(in crate::collection) type ModelScores = Vec<(Source, NeighborScores)>;

/// Scores the items of a log with `items` names by the sources of a model for which `has_weight` is
/// true.
pub(in crate::collection) fn model_scores(
    model: &Model,
    history: &[(u32, f32)],
    items: usize,
    strategy: Strategy,
    has_weight: impl Fn(Source) -> bool,
) -> ModelScores {
    let sources = [
        Source::Behavior,
        Source::Session,
        Source::Sequence,
        Source::Network,
    ];
    let scores = |source| match source {
        Source::Behavior => Some(NeighborScores::of(model, history, items, strategy)),
        Source::Session => {
            let similar = model.sessions.similar_to(history);
            Some(NeighborScores::of_sessions(&similar, items))
        }
        Source::Sequence => Some(NeighborScores::of_rules(model, history, items)),
        _ => NeighborScores::of_network(model, history, items),
    };
    let sources = sources.into_iter().filter(|source| has_weight(*source));
    sources
        .filter_map(|source| Some((source, scores(source)?)))
        .collect()
}

/// Scores by log id; 0 for items that are not neighbors.
pub(in crate::collection) struct NeighborScores {
    /// One score per item of the log; untouched pages of zeros take no memory.
    dense: Vec<f32>,
    touched: Vec<u32>,
}

impl NeighborScores {
    /// Scores the neighbors of a history: the sum over its items of weight times similarity, or,
    /// with [`Strategy::BestScore`], the greatest product. If the collection chose another model,
    /// that model gives the scores, except with [`Strategy::BestScore`].
    fn of(model: &Model, history: &[(u32, f32)], items: usize, strategy: Strategy) -> Self {
        match model.chosen() {
            Some(chosen) if strategy != Strategy::BestScore => Self::by(chosen, history, items),
            _ => Self::of_neighbors(&model.live().item_knn, history, items, strategy),
        }
    }

    /// Returns the positive scores of any model.
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

    /// Returns the votes of the sessions that are similar to a history.
    fn of_sessions(near: &SimilarSessions<'_>, items: usize) -> Self {
        let mut scores = Self::none(items);
        near.for_each_vote(|item, vote| scores.add(item, vote));
        for item in &scores.touched {
            scores.dense[*item as usize] *= near.rarity(*item);
        }
        scores
    }

    /// Returns the scores of the sequential rules of a history.
    fn of_rules(model: &Model, history: &[(u32, f32)], items: usize) -> Self {
        let mut scores = Self::none(items);
        let live = model.live();
        live.rules
            .for_each_term(history, |item, term| scores.add(item, term));
        scores
    }

    /// Returns the scores of the network, if there is one.
    fn of_network(model: &Model, history: &[(u32, f32)], items: usize) -> Option<Self> {
        let network = model.network()?;
        Some(Self::by(network, history, items))
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
                    model.for_each_term(*item, |to, part, _| scores.add(to, weight * part));
                }
                // An item whose sum was 0 in between was added twice.
                scores.touched.sort_unstable();
                scores.touched.dedup();
            }
            Strategy::BestScore => scores.add_greatest(model, history),
        }
        scores
    }

    /// Scores each neighbor by its greatest product; negative if the greatest product with a
    /// disliked item is at least as large.
    fn add_greatest(&mut self, model: &LiveItemKnn, history: &[(u32, f32)]) {
        let mut against = vec![0.0_f32; self.dense.len()];
        for (item, weight) in history {
            model.for_each_neighbor(*item, |neighbor| {
                let (index, part) = (neighbor.item as usize, weight * neighbor.similarity);
                let Some(score) = self.dense.get_mut(index) else {
                    return;
                };
                if *score == 0.0 && against[index] == 0.0 {
                    self.touched.push(neighbor.item);
                }
                if part < 0.0 {
                    against[index] = against[index].max(-part);
                } else {
                    *score = score.max(part);
                }
            });
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        for item in &self.touched {
            let index = *item as usize;
            if against[index] >= self.dense[index] {
                self.dense[index] = -against[index];
            }
        }
    }

    /// Returns the score of an item if it is above 0.
    pub fn get(&self, item: u32) -> Option<f32> {
        let score = self.dense.get(item as usize).copied();
        score.filter(|s| *s > 0.0)
    }

    /// Returns the scores above 0.
    pub fn positive(&self) -> Vec<Scored> {
        let touched = self.touched.iter().filter_map(|item| {
            let score = self.get(*item)?;
            Some(Scored { item: *item, score })
        });
        touched.collect()
    }

    /// Returns the log ids of the items that may have a score.
    pub fn touched(&self) -> &[u32] {
        &self.touched
    }
}
