//! What is near in content to what a user had: the recommender that needs no behaviour of others.

use vitrine::cf::Recommender;

use super::dataset::{Vectors, dot};

/// Items of a history whose vectors are averaged, the latest.
const RECENT: usize = 20;

/// Scores items by the cosine of their vector to the mean of those of the latest items of the history. Items without a
/// vector come last.
#[derive(Clone, Debug)]
pub struct Content {
    vectors: Vectors,
    items: usize,
}

impl Content {
    /// Of `items` items, some of which have vectors.
    pub fn new(vectors: Vectors, items: usize) -> Self {
        Self { vectors, items }
    }

    /// The mean, zero where no item of the history has a vector.
    fn taste(&self, history: &[(u32, f32)]) -> Vec<f32> {
        let mut mean = vec![0.0; self.vectors.dim()];
        for (item, weight) in history.iter().rev().take(RECENT) {
            let Some(vector) = self.vectors.get(*item) else {
                continue;
            };
            // Ten views of one item do not make it ten items.
            let weight = weight.signum() * weight.abs().ln_1p();
            mean.iter_mut()
                .zip(vector)
                .for_each(|(m, x)| *m += weight * x);
        }
        mean
    }
}

impl Recommender for Content {
    fn items(&self) -> usize {
        self.items
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let taste = self.taste(history);
        let length = dot(&taste, &taste).sqrt().max(f32::MIN_POSITIVE);
        out.clear();
        out.extend(
            self.vectors
                .rows()
                .map(|row| match row.iter().any(|x| *x != 0.0) {
                    true => dot(row, &taste) / length,
                    false => -1.0,
                }),
        );
        out.resize(self.items, -1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_above_far_and_unknown_is_last() {
        let mut vectors = Vectors::default();
        for (item, vector) in [[1.0, 0.0], [0.8, 0.6], [-1.0, 0.1]].iter().enumerate() {
            vectors.set(item, vector);
        }
        let content = Content::new(vectors, 4);
        let best = content.recommend(&[(0, 2.0), (9, 1.0)], 4, &[0].into_iter().collect());
        let order: Vec<_> = best.iter().map(|s| s.item).collect();
        assert_eq!(order, [1, 2, 3]);
        assert!((best[0].score - 0.8).abs() < 1e-6);
        let mut scores = Vec::new();
        content.scores(&[], &mut scores);
        assert_eq!(scores, [0.0, 0.0, 0.0, -1.0]);
    }
}
