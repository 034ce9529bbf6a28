//! A training from the candidates to the ranker.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use rayon::prelude::*;
use vitrine_schemas::{RankerSource, RankerTraining, RankerUpload};

use super::{
    Bins, Dataset, FeatureSource, Parameters, RankReport, boost, cross_validate,
    report::{importance, upload},
};
use crate::{sink::SinkError, train::TrainError};

/// Number of queries that are searched at once.
const BATCH: usize = 64;

/// Minimum number of queries with relevant candidates.
const MIN_QUERIES: usize = 50;

/// An error of a training.
#[derive(Debug, thiserror::Error)]
pub enum RankError {
    /// The collection cannot be searched.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The data cannot be learned from.
    #[error(transparent)]
    Train(#[from] TrainError),
}

/// Progress of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Number of queries whose candidates were read.
    Queries(usize),
    /// Fold, from 0, and number of trees of its model.
    Fold(usize, usize),
    /// Number of trees of the ranker.
    Trees(usize),
}

/// Settings of a training.
#[derive(Clone, Debug)]
pub struct Training {
    /// Source of the gains.
    pub source: RankerSource,
    /// Number of candidates of a query.
    pub depth: usize,
    /// Number of folds of the held-out evaluation.
    pub folds: usize,
    /// Settings of the trees.
    pub parameters: Parameters,
}

/// Reads the candidates of queries; `gains` are those of their items.
///
/// # Errors
/// A search fails, or the features change meanwhile.
pub fn gather(
    source: &(dyn FeatureSource + Sync),
    gains: &BTreeMap<String, HashMap<String, f64>>,
    depth: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Dataset, RankError> {
    let mut data = Dataset::default();
    let all: Vec<_> = gains.iter().collect();
    for batch in all.chunks(BATCH) {
        let found = batch
            .par_iter()
            .map(|(query, _)| source.features(query, depth));
        let found: Vec<_> = found.collect::<Result<_, _>>()?;
        for ((query, gains), found) in batch.iter().zip(found) {
            data.add(query, found, gains)?;
        }
        progress(Progress::Queries(data.groups.len()));
    }
    Ok(data)
}

impl Training {
    /// Evaluates on held-out queries, then trains on all of them.
    ///
    /// # Errors
    /// [`TrainError::TooFew`]: too few queries have relevant candidates.
    pub fn run(
        &self,
        data: &Dataset,
        bins: &Bins,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(RankReport, Option<RankerUpload>), TrainError> {
        let started = Instant::now();
        let has_gain =
            |rows: &std::ops::Range<usize>| data.gains[rows.clone()].iter().any(|g| *g > 0.0);
        let groups = (0..data.groups.len()).filter(|group| has_gain(&data.groups[*group].rows));
        let groups: Vec<usize> = groups.collect();
        if groups.len() < MIN_QUERIES {
            return Err(TrainError::TooFew {
                what: "queries with relevant items among their candidates".to_owned(),
                found: groups.len(),
                min: MIN_QUERIES,
            });
        }
        let on_fold = &mut |fold, trees| progress(Progress::Fold(fold, trees));
        let evaluated = cross_validate(data, bins, self.folds, &self.parameters, on_fold);
        let parameters = Parameters {
            trees: evaluated.mean_trees(),
            ..self.parameters.clone()
        };
        let on_tree = &mut |trees| progress(Progress::Trees(trees));
        let boosted = boost(data, bins, &groups, &[], &parameters, on_tree);
        let training = RankerTraining {
            source: self.source,
            queries: data.groups.len() as u64,
            candidates: data.ids.len() as u64,
            relevant: data.gains.iter().filter(|gain| **gain > 0.0).count() as u64,
            parameters: self.parameters.by_name(),
            importance: importance(data, &boosted),
            seconds: started.elapsed().as_secs_f64(),
        };
        let report = RankReport::of(&evaluated, training, self.parameters.seed);
        let ranker = upload(data, boosted, &report, self.depth);
        Ok((report, ranker))
    }
}
