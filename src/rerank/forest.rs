//! A sum of regression trees, ready to rank.

use std::collections::BTreeMap;

use vitrine_schemas::{FeatureGroup, RankerModel, RankerTree};

use super::{FEATURE_VERSION, FEATURES, MAX_DEPTH, Row};
use crate::{Error, Result};

/// Maximum number of nodes of all trees.
const MAX_NODES: usize = 1 << 20;

/// A node of a tree.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Values up to it go left.
    threshold: f32,
    /// Place of the feature in a row.
    feature: u16,
    /// Offsets of the children among all nodes; equal to 0 in a leaf.
    left: u32,
    right: u32,
    /// Output of a leaf, or mean output below the node.
    value: f32,
}

/// A ranking function.
#[derive(Debug)]
pub(crate) struct Forest {
    /// Nodes of all trees.
    nodes: Vec<Node>,
    /// Offset of the root of each tree.
    roots: Vec<u32>,
    /// Sum of the mean outputs of the trees.
    base: f32,
}

impl Forest {
    /// Compiles a model.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the model: unknown features, trees that are none,
    /// values that are not finite.
    pub fn of(model: &RankerModel) -> Result<Self> {
        if model.feature_version != FEATURE_VERSION {
            let detail = format!(
                "expected {FEATURE_VERSION}, got {}; train the ranker again",
                model.feature_version
            );
            return Err(Error::invalid("/model/feature_version", detail));
        }
        if !(1..=MAX_DEPTH).contains(&model.depth) {
            let detail = format!("expected 1 to {MAX_DEPTH}, got {}", model.depth);
            return Err(Error::invalid("/model/depth", detail));
        }
        let features = places(&model.features)?;
        let count: usize = model.trees.iter().map(|tree| tree.feature.len()).sum();
        if count > MAX_NODES {
            let detail = format!("expected at most {MAX_NODES} nodes, got {count}");
            return Err(Error::invalid("/model/trees", detail));
        }
        let mut forest = Self {
            nodes: Vec::with_capacity(count),
            roots: Vec::with_capacity(model.trees.len()),
            base: 0.0,
        };
        for (at, tree) in model.trees.iter().enumerate() {
            let first = forest.nodes.len() as u32;
            let nodes = nodes(tree, &features, first)
                .map_err(|detail| Error::invalid(format!("/model/trees/{at}"), detail))?;
            forest.roots.push(first);
            forest.base += nodes.first().map_or(0.0, |root| root.value);
            forest.nodes.extend(nodes);
        }
        Ok(forest)
    }

    /// Returns the score of a candidate; higher is better.
    pub fn score(&self, row: &Row) -> f32 {
        let output = |root: &u32| {
            let mut node = self.nodes[*root as usize];
            while node.left != 0 {
                node = self.child(&node, row);
            }
            node.value
        };
        self.roots.iter().map(output).sum()
    }

    /// Returns the mean score, and what each group of features adds to it: at each node of a path,
    /// the mean output changes by the feature that is tested (Saabas 2014). The sum of all is the
    /// score.
    pub fn explain(&self, row: &Row) -> (f32, BTreeMap<FeatureGroup, f32>) {
        let mut contributions = BTreeMap::new();
        for root in &self.roots {
            let mut node = self.nodes[*root as usize];
            while node.left != 0 {
                let next = self.child(&node, row);
                let group = FEATURES[node.feature as usize].group;
                *contributions.entry(group).or_default() += next.value - node.value;
                node = next;
            }
        }
        (self.base, contributions)
    }

    /// Returns the approximate memory, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.nodes.len() * size_of::<Node>() + self.roots.len() * 4) as u64
    }

    fn child(&self, node: &Node, row: &Row) -> Node {
        let is_left = row.0[node.feature as usize] <= node.threshold;
        self.nodes[if is_left { node.left } else { node.right } as usize]
    }
}

/// Returns the place in a row of each feature of a model.
fn places(names: &[String]) -> Result<Vec<u16>> {
    let place = |(at, name): (usize, &String)| {
        let place = FEATURES.iter().position(|feature| feature.name == *name);
        place.map(|place| place as u16).ok_or_else(|| {
            let detail = format!("unknown feature `{name}`; train the ranker again");
            Error::invalid(format!("/model/features/{at}"), detail)
        })
    };
    names.iter().enumerate().map(place).collect()
}

/// Returns the nodes of a tree whose first one is at the offset `first` among all. Children follow
/// their parents, so that every path ends.
fn nodes(tree: &RankerTree, features: &[u16], first: u32) -> Result<Vec<Node>, String> {
    let count = tree.feature.len();
    let lengths = [
        tree.threshold.len(),
        tree.left.len(),
        tree.right.len(),
        tree.value.len(),
    ];
    if count == 0 || lengths.iter().any(|length| *length != count) {
        return Err("expected columns of the same length, at least 1".to_owned());
    }
    let node = |at: usize| {
        let (left, right) = (tree.left[at], tree.right[at]);
        let follows = |child: u32| child as usize > at && (child as usize) < count;
        let is_leaf = left == 0 && right == 0;
        let has_children = follows(left) && follows(right);
        if !is_leaf && !has_children {
            return Err(format!("node {at}: expected children after the node"));
        }
        let (threshold, value) = (tree.threshold[at], tree.value[at]);
        if !threshold.is_finite() || !value.is_finite() {
            return Err(format!("node {at}: expected finite numbers"));
        }
        let feature = features.get(tree.feature[at] as usize).copied();
        let feature = feature.or(is_leaf.then_some(0));
        let offset = |child: u32| if is_leaf { 0 } else { first + child };
        Ok(Node {
            threshold,
            feature: feature.ok_or_else(|| format!("node {at}: unknown feature"))?,
            left: offset(left),
            right: offset(right),
            value,
        })
    };
    (0..count).map(node).collect()
}

#[cfg(test)]
mod tests {
    use vitrine_schemas::SearchMode;

    use super::*;
    use crate::rerank::features::Feature;

    fn stump(feature: u16, threshold: f32, values: [f32; 3]) -> RankerTree {
        RankerTree {
            feature: vec![feature, 0, 0],
            threshold: vec![threshold, 0.0, 0.0],
            left: vec![1, 0, 0],
            right: vec![2, 0, 0],
            value: values.to_vec(),
        }
    }

    fn model(trees: Vec<RankerTree>) -> RankerModel {
        RankerModel {
            feature_version: FEATURE_VERSION,
            features: vec!["title_coverage".into(), "dense_score".into()],
            mode: SearchMode::Hybrid,
            depth: 100,
            trees,
        }
    }

    fn row(coverage: f32, dense: f32) -> Row {
        let mut row = Row::empty();
        row.set(Feature::TitleCoverage, coverage);
        row.set(Feature::DenseScore, dense);
        row
    }

    #[test]
    fn contributions_add_up_to_the_score() -> Result<()> {
        let trees = vec![
            stump(0, 0.5, [0.25, -1.0, 1.0]),
            stump(1, 0.2, [0.0, -0.5, 0.75]),
        ];
        let forest = Forest::of(&model(trees))?;
        for row in [row(0.5, 0.2), row(0.6, 0.1), row(1.0, 1.0)] {
            let (base, contributions) = forest.explain(&row);
            let sum = base + contributions.values().sum::<f32>();
            assert!((sum - forest.score(&row)).abs() < 1e-6);
        }
        let (base, contributions) = forest.explain(&row(1.0, 1.0));
        assert_eq!(base, 0.25);
        assert_eq!(contributions[&FeatureGroup::Title], 0.75);
        assert_eq!(contributions[&FeatureGroup::Dense], 0.75);
        Ok(())
    }

    #[test]
    fn broken_models_are_refused() {
        let mut circle = stump(0, 0.5, [0.0, 1.0, 2.0]);
        circle.left[1] = 1;
        circle.right[1] = 2;
        let mut outside = stump(0, 0.5, [0.0, 1.0, 2.0]);
        outside.right[0] = 3;
        let mut feature = stump(2, 0.5, [0.0, 1.0, 2.0]);
        feature.threshold[0] = 0.0;
        let mut number = stump(0, 0.5, [0.0, 1.0, 2.0]);
        number.value[1] = f32::NAN;
        let broken = [circle, outside, feature, number, RankerTree::default()];
        for tree in broken {
            assert!(Forest::of(&model(vec![tree.clone()])).is_err(), "{tree:?}");
        }
        let mut unknown = model(Vec::new());
        unknown.features.push("length".into());
        assert!(Forest::of(&unknown).is_err());
        let mut version = model(Vec::new());
        version.feature_version += 1;
        assert!(Forest::of(&version).is_err());
    }
}
