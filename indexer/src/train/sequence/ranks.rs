//! Ranks of the items that were chosen next, among all items that are new to their user.

use rayon::prelude::*;
use vitrine::cf::Recommender;

/// A history and the item that was chosen next.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Items with the weight 1, the oldest first.
    pub history: Vec<(u32, f32)>,
    /// Item that was chosen next, not in the history.
    pub chosen: u32,
}

impl Question {
    /// Returns the question for the item after `history`.
    pub fn new(history: &[u32], chosen: u32) -> Self {
        Self {
            history: history.iter().map(|item| (*item, 1.0)).collect(),
            chosen,
        }
    }

    /// Sets the scores of the items of the history to 0: they are not ranked.
    pub fn mask(&self, scores: &mut [f32]) {
        for (item, _) in &self.history {
            if let Some(score) = scores.get_mut(*item as usize) {
                *score = 0.0;
            }
        }
    }

    /// Returns the number of items before the chosen one by `scores`, without those of the history;
    /// None if it has no score above 0. Of equal scores, lower numbers come first.
    pub fn rank(&self, scores: &[f32]) -> Option<usize> {
        let chosen = scores.get(self.chosen as usize).copied();
        let chosen = chosen.filter(|score| *score > 0.0)?;
        let is_before =
            |item: u32, score: f32| score > chosen || (score == chosen && item < self.chosen);
        let before = (0..)
            .zip(scores)
            .filter(|(item, score)| is_before(*item, **score));
        let mut seen: Vec<u32> = self.history.iter().map(|(item, _)| *item).collect();
        seen.sort_unstable();
        seen.dedup();
        let of_seen = seen.into_iter().filter(|item| {
            let score = scores.get(*item as usize);
            score.is_some_and(|score| is_before(*item, *score))
        });
        Some(before.count() - of_seen.count())
    }
}

/// Returns the NDCG of a single relevant item at a rank, from 0.
pub fn gain(rank: Option<usize>, depth: usize) -> f64 {
    let rank = rank.filter(|rank| *rank < depth);
    rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2())
}

/// Returns the mean NDCG of a model.
pub fn ndcg(model: &dyn Recommender, questions: &[Question], depth: usize) -> f64 {
    let one = |scores: &mut Vec<f32>, question: &Question| {
        model.scores(&question.history, scores);
        gain(question.rank(scores), depth)
    };
    let gains: Vec<f64> = questions.par_iter().map_init(Vec::new, one).collect();
    gains.iter().sum::<f64>() / gains.len().max(1) as f64
}
