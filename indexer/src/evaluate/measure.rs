//! One model's answers to all tasks, and what they are worth.

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

/// Users answered together: bounds the memory of what is not to be ranked.
const CHUNK: usize = 1024;

/// A model's lists, one a task.
pub struct Answers {
    /// The best items of each task.
    pub lists: Vec<Vec<Scored>>,
    /// Users answered a second, on all threads.
    pub users_per_second: f64,
}

impl Answers {
    /// Asks for `depth` items for each task.
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

    /// Figures of each task at `k`.
    pub fn figures(&self, tasks: &[Task], k: usize) -> Vec<Figures> {
        let pairs = self.lists.par_iter().zip(tasks);
        pairs
            .map(|(list, task)| Figures::of(list, &task.relevant, k))
            .collect()
    }
}

/// What the lists are like, apart from being right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Character {
    /// Part of the items that anybody was recommended.
    pub coverage: f64,
    /// Mean surprise, bits.
    pub novelty: f64,
    /// Mean over the lists of the mean distance (1 - cosine) of two of their items; none without vectors.
    pub diversity: Option<f64>,
    /// Mean part of a list from categories in which the user had nothing; none without categories.
    pub cross_category: Option<f64>,
}

impl Character {
    /// Of the first `k` of each list.
    pub fn of(lists: &[Vec<Scored>], data: &Dataset, trial: &Trial, k: usize) -> Self {
        let cut = |list: &Vec<Scored>| list.iter().take(k).copied().collect::<Vec<_>>();
        let lists: Vec<_> = lists.iter().map(cut).collect();
        let (counts, users) = holders(data, trial);
        let diversity = lists.par_iter().filter_map(|list| distance(list, data));
        let crossing = lists.par_iter().zip(&trial.tasks);
        let crossing = crossing.filter_map(|(list, task)| foreign(list, task, data));
        Self {
            coverage: coverage(&lists, data.items()),
            novelty: novelty(&lists, &counts, users),
            diversity: mean(&diversity.collect::<Vec<_>>()),
            cross_category: mean(&crossing.collect::<Vec<_>>()),
        }
    }
}

/// Users who had each item in training, and users in training.
fn holders(data: &Dataset, trial: &Trial) -> (Vec<u32>, usize) {
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

/// Mean distance of two items of a list.
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

/// Part of a list from categories that are not in the history.
fn foreign(list: &[Scored], task: &Task, data: &Dataset) -> Option<f64> {
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
    use crate::evaluate::protocol::Protocol;

    #[test]
    fn character_by_hand() {
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
        let protocol = Protocol {
            hold_out: "temporal:0.2".parse().expect("a split"),
            weights: Default::default(),
            new_only: true,
            min_history: 1,
            negatives: None,
            max_users: None,
            seed: 1,
        };
        let trial = protocol.prepare(&data).expect("fine");
        let list = |items: &[u32]| {
            let scored = |item: &u32| Scored {
                item: *item,
                score: 0.0,
            };
            items.iter().map(scored).collect::<Vec<_>>()
        };
        let found = Character::of(&[list(&[1, 2, 3])], &data, &trial, 2);
        assert_eq!(found.coverage, 0.5);
        // One of two users had b; nobody had c, which counts as one.
        assert_eq!(found.novelty, 1.0);
        assert!((found.diversity.expect("vectors") - 0.2).abs() < 1e-6);
        assert_eq!(found.cross_category, Some(0.5));
        let mut bare = data.clone();
        bare.vectors = Default::default();
        bare.categories.clear();
        let plain = Character::of(&[list(&[1])], &bare, &trial, 2);
        assert_eq!((plain.diversity, plain.cross_category), (None, None));
    }
}
