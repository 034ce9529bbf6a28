//! Boosting: trees are added one by one, each along the gradients at the scores so far.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use rayon::prelude::*;
use vitrine_schemas::RankerTree;

use super::{Dataset, Parameters, bins::Bins, grow::grow, lambda};

/// Number of last trees over which the nDCG of the stopping queries is averaged: a tree more or
/// less changes the order of few of them, by chance.
const SMOOTHED_TREES: usize = 20;

/// A trained sum of trees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Boosted {
    /// The trees.
    pub trees: Vec<RankerTree>,
    /// Gain of all splits by feature of the data set.
    pub importance: BTreeMap<usize, f64>,
    /// Mean nDCG@10 of the stopping queries with the last trees; 0 without such queries.
    pub stopping_ndcg: f64,
}

impl Boosted {
    /// Returns the score of a candidate.
    pub fn score(&self, row: &[f32]) -> f64 {
        self.trees.iter().map(|tree| output(tree, row)).sum()
    }

    /// Returns the scores of the candidates of a query.
    pub fn scores(&self, data: &Dataset, group: usize) -> Vec<f64> {
        let rows = data.groups[group].rows.clone();
        rows.map(|row| self.score(data.row(row))).collect()
    }
}

/// Trains on the queries `train`. With queries in `stop`, the training ends when their nDCG@10,
/// averaged over the last trees, has not improved for a while, and the trees after the best are
/// dropped. `progress` gets the number
/// of trees.
pub fn boost(
    data: &Dataset,
    bins: &Bins,
    train: &[usize],
    stop: &[usize],
    parameters: &Parameters,
    progress: &mut dyn FnMut(usize),
) -> Boosted {
    let mut rng = SmallRng::seed_from_u64(parameters.seed);
    let mut scores = vec![0.0; data.ids.len()];
    let mut boosted = Boosted::default();
    let mut curve = Vec::new();
    let (mut best, mut best_count) = (0.0, 0);
    let mut importances = Vec::new();
    let followed: Vec<usize> = train.iter().chain(stop).copied().collect();
    for count in 1..=parameters.trees {
        let sample = sample(train, parameters.query_share, &mut rng);
        let gradients = lambda::gradients(data, &sample, &scores, parameters);
        let rows = sample
            .iter()
            .flat_map(|group| data.groups[*group].rows.clone());
        let rows: Vec<u32> = rows.map(|row| row as u32).collect();
        let all: Vec<usize> = (0..bins.width()).collect();
        let features = self::sample(&all, parameters.feature_share, &mut rng);
        let grown = grow(bins, &gradients, rows, &features, parameters);
        if grown.importance.is_empty() {
            break;
        }
        add_outputs(data, &followed, &grown.tree, &mut scores);
        boosted.trees.push(grown.tree);
        importances.push(grown.importance);
        progress(count);
        if stop.is_empty() {
            best_count = count;
            continue;
        }
        curve.push(mean_ndcg(data, stop, &scores));
        let last = &curve[curve.len().saturating_sub(SMOOTHED_TREES)..];
        let smoothed = last.iter().sum::<f64>() / last.len() as f64;
        if smoothed > best {
            (best, best_count) = (smoothed, count);
        } else if count - best_count >= parameters.patience {
            break;
        }
    }
    boosted.trees.truncate(best_count);
    for (feature, gain) in importances.into_iter().take(best_count).flatten() {
        *boosted.importance.entry(feature).or_default() += gain;
    }
    boosted.stopping_ndcg = best;
    boosted
}

/// Returns a random share of some numbers, at least one, in their order.
fn sample(all: &[usize], share: f64, rng: &mut impl Rng) -> Vec<usize> {
    if share >= 1.0 {
        return all.to_vec();
    }
    let count = ((all.len() as f64 * share).round() as usize).clamp(1, all.len().max(1));
    let mut shuffled = all.to_vec();
    shuffled.shuffle(rng);
    shuffled.truncate(count);
    shuffled.sort_unstable();
    shuffled
}

pub(super) fn mean_ndcg(data: &Dataset, groups: &[usize], scores: &[f64]) -> f64 {
    let ndcg = |group: &usize| {
        let group = &data.groups[*group];
        data.ndcg(group, &scores[group.rows.clone()])
    };
    let all: Vec<f64> = groups.par_iter().map(ndcg).collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

fn add_outputs(data: &Dataset, groups: &[usize], tree: &RankerTree, scores: &mut [f64]) {
    let outputs = |group: &usize| {
        let rows = data.groups[*group].rows.clone();
        let outputs: Vec<f64> = rows
            .clone()
            .map(|row| output(tree, data.row(row)))
            .collect();
        (rows, outputs)
    };
    let all: Vec<_> = groups.par_iter().map(outputs).collect();
    for (rows, outputs) in all {
        for (score, output) in scores[rows].iter_mut().zip(outputs) {
            *score += output;
        }
    }
}

pub(super) fn output(tree: &RankerTree, row: &[f32]) -> f64 {
    let mut node = 0;
    while tree.left[node] != 0 {
        let is_left = row[usize::from(tree.feature[node])] <= tree.threshold[node];
        node = if is_left {
            tree.left[node]
        } else {
            tree.right[node]
        } as usize;
    }
    f64::from(tree.value[node])
}
