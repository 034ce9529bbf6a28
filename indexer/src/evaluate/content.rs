//! Content-based recommender: ranks items by similarity to a user's history, without the behavior
//! of others.

use serde::{Deserialize, Serialize};
use vitrine::cf::Recommender;

use super::dataset::{Vectors, dot};

/// Combination of the similarities to several items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentOptions {
    /// Number of latest items of a history that are used.
    pub recent: usize,
    /// Exponent: an item's score is the sum over the history of weight times cosine to this power;
    /// the default is the served one. 1 is the cosine to the mean; above 1, items very similar to
    /// one item of the history rank before items slightly similar to all.
    pub power: f32,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self {
            recent: 20,
            power: 4.0,
        }
    }
}

/// Scores items by the similarity of their vectors to those of a history. Items without a vector
/// come last.
#[derive(Clone, Debug)]
pub struct Content {
    vectors: Vectors,
    items: usize,
    options: ContentOptions,
}

impl Content {
    /// Creates a recommender of `items` items, some of which have vectors.
    pub fn new(vectors: Vectors, items: usize, options: ContentOptions) -> Self {
        Self {
            vectors,
            items,
            options,
        }
    }

    /// Returns the vectors of the latest items, with their weights.
    fn recent<'a>(
        &'a self,
        history: &'a [(u32, f32)],
    ) -> impl Iterator<Item = (&'a [f32], f32)> + 'a {
        let latest = history.iter().rev().take(self.options.recent);
        // Ten views of one item count as one item.
        latest.filter_map(|(item, weight)| {
            let weight = weight.signum() * weight.abs().ln_1p();
            Some((self.vectors.get(*item)?, weight))
        })
    }
}

impl Recommender for Content {
    fn items(&self) -> usize {
        self.items
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let power = self.options.power;
        let mut points: Vec<(Vec<f32>, f32)> =
            self.recent(history).map(|(v, w)| (v.to_vec(), w)).collect();
        if power == 1.0 {
            let mut mean = vec![0.0; self.vectors.dim()];
            for (vector, weight) in &points {
                mean.iter_mut()
                    .zip(vector)
                    .for_each(|(m, x)| *m += weight * x);
            }
            points = vec![(mean, 1.0)];
        }
        let nearness = |row: &[f32]| -> f32 {
            let near = points.iter().map(|(point, weight)| match power == 1.0 {
                true => dot(row, point),
                false => weight * dot(row, point).max(0.0).powf(power),
            });
            near.sum()
        };
        out.clear();
        out.extend(
            self.vectors
                .rows()
                .map(|row| match row.iter().any(|x| *x != 0.0) {
                    true => nearness(row),
                    false => f32::MIN,
                }),
        );
        out.resize(self.items, f32::MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(power: f32, history: &[(u32, f32)]) -> Vec<u32> {
        let mut vectors = Vectors::default();
        let rows = [[1.0, 0.0], [0.0, 1.0], [0.7, 0.7], [0.99, 0.1], [-1.0, 0.1]];
        for (item, vector) in rows.iter().enumerate() {
            vectors.set(item, vector);
        }
        let options = ContentOptions {
            power,
            ..Default::default()
        };
        let excluded = history.iter().map(|(item, _)| *item).collect();
        let best = Content::new(vectors, 6, options).recommend(history, 9, &excluded);
        best.iter().map(|s| s.item).collect()
    }

    #[test]
    fn near_is_above_far_and_unknown_is_last() {
        assert_eq!(order(1.0, &[(0, 2.0), (9, 1.0)]), [3, 2, 1, 4, 5]);
        assert_eq!(order(4.0, &[(0, 2.0)])[..2], [3, 2]);
    }

    #[test]
    fn a_power_prefers_what_is_very_near_to_one() {
        let both = [(0, 1.0), (1, 1.0)];
        assert_eq!(order(1.0, &both)[..2], [2, 3], "nearest to the mean");
        assert_eq!(order(8.0, &both)[..2], [3, 2], "nearest to one of them");
    }

    #[test]
    fn without_history_nothing_is_nearer() {
        assert_eq!(order(1.0, &[]), [0, 1, 2, 3, 4, 5]);
    }
}
