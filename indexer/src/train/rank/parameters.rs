//! Settings of a training.

use std::collections::BTreeMap;

/// Settings of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Maximum number of trees.
    pub trees: usize,
    /// Maximum number of leaves of a tree.
    pub leaves: usize,
    /// Factor of the output of each tree.
    pub rate: f64,
    /// Minimum number of candidates in a leaf.
    pub min_leaf: usize,
    /// L2 regularization of the output of a leaf.
    pub l2: f64,
    /// Share of the queries that each tree is grown on.
    pub query_share: f64,
    /// Share of the features that each tree may test.
    pub feature_share: f64,
    /// Number of ranks from which pairs of candidates count.
    pub truncation: usize,
    /// Trees without an improvement on the stopping queries after which the training ends.
    pub patience: usize,
    /// Random seed.
    pub seed: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            trees: 400,
            leaves: 31,
            rate: 0.06,
            min_leaf: 100,
            l2: 5.0,
            query_share: 0.5,
            feature_share: 0.5,
            truncation: 15,
            patience: 60,
            seed: 0,
        }
    }
}

impl Parameters {
    /// Returns the settings by name, as they are stored with a ranker.
    pub fn by_name(&self) -> BTreeMap<String, f64> {
        let all = [
            ("trees", self.trees as f64),
            ("leaves", self.leaves as f64),
            ("rate", self.rate),
            ("min_leaf", self.min_leaf as f64),
            ("l2", self.l2),
            ("query_share", self.query_share),
            ("feature_share", self.feature_share),
            ("truncation", self.truncation as f64),
            ("patience", self.patience as f64),
            ("seed", self.seed as f64),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).into()
    }
}
