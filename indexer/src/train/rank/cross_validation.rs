//! Held-out quality: each query is ranked by a model that was trained on the other folds.

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use vitrine::cf::metrics::Interval;
use vitrine_schemas::{Difference, RankerFigures};

use super::{Boosted, Dataset, Parameters, bins::Bins, boost};

/// Share of the training queries that stop the training.
const STOPPING_SHARE: f64 = 0.15;

/// Bootstrap resamples of the interval of the gain.
const RESAMPLES: usize = 2_000;

/// Held-out quality of a ranker by query, and the size that it had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// nDCG@10 in the order of the search, by query with gains.
    pub before: Vec<f64>,
    /// nDCG@10 in the order of the ranker.
    pub after: Vec<f64>,
    /// Fold of each of these queries.
    pub folds: Vec<usize>,
    /// Number of trees of the model of each fold.
    pub trees: Vec<usize>,
}

/// Returns the fold of a query: a hash of its text, so that a query stays in its fold if others are
/// added.
pub fn fold_of(query: &str, folds: usize, seed: u64) -> usize {
    let key = [seed.to_le_bytes().as_slice(), query.as_bytes()].concat();
    let hash = blake3::hash(&key);
    let number = hash
        .as_bytes()
        .first_chunk::<8>()
        .map_or(0, |b| u64::from_le_bytes(*b));
    (number % folds.max(1) as u64) as usize
}

/// Ranks each query by a model that was trained on the queries of the other folds. `progress` gets
/// the fold and the number of its trees.
pub fn cross_validate(
    data: &Dataset,
    bins: &Bins,
    folds: usize,
    parameters: &Parameters,
    progress: &mut dyn FnMut(usize, usize),
) -> Evaluated {
    let mut evaluated = Evaluated::default();
    let fold = |group: &usize| fold_of(&data.groups[*group].query, folds, parameters.seed);
    let with_gains = (0..data.groups.len()).filter(|group| data.groups[*group].ideal > 0.0);
    let all: Vec<usize> = with_gains.collect();
    for held_out in 0..folds {
        let (test, rest): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|group| fold(group) == held_out);
        let model = train(data, bins, rest, parameters, &mut |trees| {
            progress(held_out, trees)
        });
        evaluated.trees.push(model.trees.len());
        for group in test {
            let scores = model.scores(data, group);
            let group = &data.groups[group];
            evaluated.before.push(data.ndcg_before(group));
            evaluated.after.push(data.ndcg(group, &scores));
            evaluated.folds.push(held_out);
        }
    }
    evaluated
}

/// Trains on some of the queries, and stops by the others.
fn train(
    data: &Dataset,
    bins: &Bins,
    mut groups: Vec<usize>,
    parameters: &Parameters,
    progress: &mut dyn FnMut(usize),
) -> Boosted {
    let mut rng = SmallRng::seed_from_u64(parameters.seed);
    groups.shuffle(&mut rng);
    let stop = groups.split_off(groups.len() - (groups.len() as f64 * STOPPING_SHARE) as usize);
    groups.sort_unstable();
    boost(data, bins, &groups, &stop, parameters, progress)
}

impl Evaluated {
    /// Returns the figures of all held-out queries.
    pub fn figures(&self, seed: u64) -> RankerFigures {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let gain = Interval::of_difference(&self.after, &self.before, RESAMPLES, seed);
        RankerFigures {
            queries: self.before.len() as u64,
            folds: self.trees.len() as u64,
            before: mean(&self.before),
            after: mean(&self.after),
            gain: Difference {
                mean: gain.mean,
                low: gain.low,
                high: gain.high,
            },
        }
    }

    /// Returns the number of trees for a model of all queries: the mean of the folds.
    pub fn mean_trees(&self) -> usize {
        let total: usize = self.trees.iter().sum();
        total.div_ceil(self.trees.len().max(1))
    }

    /// Returns the mean nDCG@10 of a fold before and after.
    pub fn of_fold(&self, fold: usize) -> (usize, f64, f64) {
        let own = (0..self.folds.len()).filter(|at| self.folds[*at] == fold);
        let own: Vec<usize> = own.collect();
        let mean = |values: &[f64]| {
            own.iter().map(|at| values[*at]).sum::<f64>() / own.len().max(1) as f64
        };
        (own.len(), mean(&self.before), mean(&self.after))
    }
}
