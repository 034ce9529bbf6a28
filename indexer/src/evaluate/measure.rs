//! Answers of one model to all tasks, and their metrics.

use std::{collections::HashSet, time::Instant};

use rayon::prelude::*;
use vitrine::cf::{
    Recommender, Request, Scored,
    metrics::{Figures, coverage, novelty},
};

use super::{
    Dataset,
    dataset::dot,
    protocol::{Task, Trial},
};

/// Number of users answered together; bounds the memory of exclusions.
const CHUNK: usize = 1024;

/// Lists of a model, one per task.
pub struct Answers {
    /// Best items of each task.
    pub lists: Vec<Vec<Scored>>,
    /// Users answered per second, on all threads.
    pub users_per_second: f64,
}

impl Answers {
    /// Requests `depth` items for each task.
    pub fn of(model: &dyn Recommender, data: &Dataset, tasks: &[Task], depth: usize) -> Self {
        let (mut lists, mut seconds) = (Vec::with_capacity(tasks.len()), 0.0);
        for chunk in tasks.chunks(CHUNK) {
            let unranked: Vec<_> = chunk.par_iter().map(|t| t.unranked(data.items())).collect();
            let requests: Vec<_> = chunk
                .iter()
                .zip(&unranked)
                .map(|(task, excluded)| Request {
                    history: &task.history,
                    excluded,
                })
                .collect();
            let start = Instant::now();
            lists.extend(model.recommend_many(&requests, depth));
            seconds += start.elapsed().as_secs_f64();
        }
        Self {
            users_per_second: lists.len() as f64 / seconds.max(1e-9),
            lists,
        }
    }

    /// Returns the metrics of each task at `k`.
    pub fn figures(&self, tasks: &[Task], k: usize) -> Vec<Figures> {
        let pairs = self.lists.par_iter().zip(tasks);
        pairs
            .map(|(list, task)| Figures::of(list, &task.relevant, k))
            .collect()
    }
}

/// Properties of the lists other than accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListProperties {
    /// Share of all items that were recommended to at least one user.
    pub coverage: f64,
    /// Mean surprise in bits.
    pub novelty: f64,
    /// Mean over the lists of the mean distance (1 - cosine) of two of their items; `None` without
    /// vectors.
    pub diversity: Option<f64>,
    /// Mean share of a list from categories new to the user; `None` without categories.
    pub cross_category: Option<f64>,
}

impl ListProperties {
    /// Measures the first `k` of each list.
    pub fn of(lists: &[Vec<Scored>], data: &Dataset, trial: &Trial, k: usize) -> Self {
        let cut = |list: &Vec<Scored>| list.iter().take(k).copied().collect::<Vec<_>>();
        let lists: Vec<_> = lists.iter().map(cut).collect();
        let (counts, users) = users_by_item(data, trial);
        let diversity = lists.par_iter().filter_map(|list| distance(list, data));
        let crossing = lists.par_iter().zip(&trial.tasks);
        let crossing = crossing.filter_map(|(list, task)| new_category_share(list, task, data));
        Self {
            coverage: coverage(&lists, data.items()),
            novelty: novelty(&lists, &counts, users),
            diversity: mean(&diversity.collect::<Vec<_>>()),
            cross_category: mean(&crossing.collect::<Vec<_>>()),
        }
    }
}

/// Returns the number of users who had each item in training, and of all users in training.
fn users_by_item(data: &Dataset, trial: &Trial) -> (Vec<u32>, usize) {
    let pairs: HashSet<_> = trial.train.iter().map(|i| (i.user, i.item)).collect();
    let mut counts = vec![0; data.items()];
    pairs
        .iter()
        .for_each(|(_, item)| counts[*item as usize] += 1);
    let users: HashSet<_> = pairs.iter().map(|(user, _)| user).collect();
    (counts, users.len())
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the mean distance of two items of a list.
fn distance(list: &[Scored], data: &Dataset) -> Option<f64> {
    let vectors: Vec<_> = list
        .iter()
        .filter_map(|s| data.vectors.get(s.item))
        .collect();
    let mut distances = Vec::new();
    for (n, a) in vectors.iter().enumerate() {
        distances.extend(vectors[..n].iter().map(|b| 1.0 - f64::from(dot(a, b))));
    }
    mean(&distances)
}

/// Returns the share of a list from categories that are not in the history.
fn new_category_share(list: &[Scored], task: &Task, data: &Dataset) -> Option<f64> {
    let own: HashSet<_> = task
        .history
        .iter()
        .filter_map(|(item, _)| data.category(*item))
        .collect();
    let crossing = list
        .iter()
        .filter_map(|s| data.category(s.item))
        .map(|category| f64::from(u8::from(!own.contains(&category))));
    mean(&crossing.collect::<Vec<_>>()).filter(|_| !own.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::protocol::tests::protocol;

    #[test]
    fn list_properties_by_hand() {
        let mut data = Dataset::new("test");
        for (user, item, at) in [("u", "a", 0), ("v", "a", 1), ("v", "b", 2), ("u", "c", 9)] {
            data.add(user, item, Some(1.0), at);
        }
        let item = |id: &str, category: &str, vector: [f32; 2]| {
            (
                id.to_owned(),
                Some(category.to_owned()),
                Some(vector.to_vec()),
            )
        };
        data.describe([
            item("a", "x", [1.0, 0.0]),
            item("b", "x", [0.0, 1.0]),
            item("c", "y", [0.6, 0.8]),
            item("d", "y", [1.0, 0.0]),
        ]);
        let protocol = protocol("temporal:0.2");
        let trial = protocol.prepare(&data).expect("fine");
        let list = |items: &[u32]| {
            let scored = |item: &u32| Scored {
                item: *item,
                score: 0.0,
            };
            items.iter().map(scored).collect::<Vec<_>>()
        };
        let found = ListProperties::of(&[list(&[1, 2, 3])], &data, &trial, 2);
        assert_eq!(found.coverage, 0.5);
        // One of two users had b; nobody had c, which counts as one.
        assert_eq!(found.novelty, 1.0);
        assert!((found.diversity.expect("vectors") - 0.2).abs() < 1e-6);
        assert_eq!(found.cross_category, Some(0.5));
        let mut bare = data.clone();
        bare.vectors = Default::default();
        bare.categories.clear();
        let plain = ListProperties::of(&[list(&[1])], &bare, &trial, 2);
        assert_eq!((plain.diversity, plain.cross_category), (None, None));
    }
}
