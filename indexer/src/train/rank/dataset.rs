//! Training data of a ranker: the candidates of each query with features and gains.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use vitrine_schemas::{RankerInfo, RankerUpload, RankingFeatures, SearchMode};

use super::{NDCG_DEPTH, discount};
use crate::{sink::SinkError, train::TrainError};

/// A collection that candidates with features come from, and that rankers are stored in: a data
/// directory or a running server.
pub trait FeatureSource {
    /// Returns the first `depth` candidates of a query with their features.
    ///
    /// # Errors
    /// The search failed.
    fn features(&self, query: &str, depth: usize) -> Result<RankingFeatures, SinkError>;

    /// Stores a ranker; it is activated if it was promoted.
    ///
    /// # Errors
    /// The ranker was refused, or cannot be written.
    fn store(&self, ranker: &RankerUpload) -> Result<RankerInfo, SinkError>;
}

/// A query with its candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Text of the query.
    pub query: String,
    /// Candidates among all, in the order of the search.
    pub rows: Range<usize>,
    /// DCG@10 of the best order of all items with gains, also of those that are no candidates; 0 if
    /// no item has one.
    pub ideal: f64,
}

/// Candidates of all queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// Names of the features.
    pub features: Vec<String>,
    /// Version of the definition of the features.
    pub feature_version: u32,
    /// Retrieval mode of the searches; None without a query.
    pub mode: Option<SearchMode>,
    /// Queries with their candidates.
    pub groups: Vec<Group>,
    /// Item ids.
    pub ids: Vec<String>,
    /// Features of all candidates, row by row.
    pub values: Vec<f32>,
    /// Gain of each candidate, 0 or more.
    pub gains: Vec<f32>,
}

impl Dataset {
    /// Adds a query. `gains` are those of the items that are known; other candidates have none.
    ///
    /// # Errors
    /// [`TrainError::Features`]: the features are not those of the queries before.
    pub fn add(
        &mut self,
        query: &str,
        found: RankingFeatures,
        gains: &HashMap<String, f64>,
    ) -> Result<(), TrainError> {
        if self.mode.is_none() {
            self.features = found.features;
            self.feature_version = found.feature_version;
            self.mode = Some(found.mode);
        } else if self.features != found.features || self.mode != Some(found.mode) {
            let reason = "the server changed its features or its encoders meanwhile; train again";
            return Err(TrainError::Features(reason.to_owned()));
        }
        let first = self.ids.len();
        for row in found.candidates {
            if row.values.len() != self.features.len() {
                let reason = format!(
                    "item `{}`: expected {} features, got {}",
                    row.id,
                    self.features.len(),
                    row.values.len()
                );
                return Err(TrainError::Features(reason));
            }
            let gain = gains.get(&row.id).copied().unwrap_or(0.0);
            self.gains.push(gain.max(0.0) as f32);
            self.values.extend(row.values);
            self.ids.push(row.id);
        }
        self.groups.push(Group {
            query: query.to_owned(),
            rows: first..self.ids.len(),
            ideal: ideal(gains),
        });
        Ok(())
    }

    /// Replaces the gains of all queries; queries and items that are not named have none.
    pub fn set_gains(&mut self, gains: &BTreeMap<String, HashMap<String, f64>>) {
        let none = HashMap::new();
        for group in &mut self.groups {
            let own = gains.get(&group.query).unwrap_or(&none);
            group.ideal = ideal(own);
            for row in group.rows.clone() {
                let gain = own.get(&self.ids[row]).copied().unwrap_or(0.0);
                self.gains[row] = gain.max(0.0) as f32;
            }
        }
    }

    /// Returns the features of a candidate.
    pub fn row(&self, at: usize) -> &[f32] {
        let width = self.features.len();
        &self.values[at * width..(at + 1) * width]
    }

    /// Returns the nDCG@10 of a query's candidates in the order of `scores`, one for each of them;
    /// equal scores keep the order of the search. 0 if no item has a gain.
    pub fn ndcg(&self, group: &Group, scores: &[f64]) -> f64 {
        let mut order: Vec<usize> = (0..group.rows.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let gains = order
            .iter()
            .map(|at| f64::from(self.gains[group.rows.start + at]));
        if group.ideal > 0.0 {
            dcg(gains) / group.ideal
        } else {
            0.0
        }
    }

    /// Returns the nDCG@10 of a query in the order of the search.
    pub fn ndcg_before(&self, group: &Group) -> f64 {
        self.ndcg(group, &vec![0.0; group.rows.len()])
    }
}

/// Returns the DCG@10 of the best order.
fn ideal(gains: &HashMap<String, f64>) -> f64 {
    let mut all: Vec<f64> = gains.values().map(|gain| gain.max(0.0)).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    dcg(all.into_iter())
}

/// Returns the discounted sum of the first gains.
fn dcg(gains: impl Iterator<Item = f64>) -> f64 {
    let first = gains.take(NDCG_DEPTH).enumerate();
    first.map(|(rank, gain)| gain * discount(rank)).sum()
}
