//! Growth of a regression tree: the leaf whose split gains most is split first (as in LightGBM, Ke
//! et al. 2017), at the best bound between two bins.

use vitrine_schemas::RankerTree;

use super::{
    Parameters,
    bins::Bins,
    histogram::{Gradients, Histogram, Sums},
};

/// Minimum sum of second derivatives in a leaf.
const MIN_HESSIAN: f64 = 1e-3;

/// A tree with what its splits gained, by feature of the data set.
pub(super) struct Grown {
    pub tree: RankerTree,
    pub importance: Vec<(usize, f64)>,
}

/// A leaf that may be split.
struct Leaf {
    node: usize,
    rows: Vec<u32>,
    sums: Sums,
    histogram: Histogram,
    split: Option<Split>,
}

/// The best split of a leaf.
#[derive(Clone, Copy)]
struct Split {
    /// Feature among those with bins.
    feature: usize,
    /// Last bin that goes left.
    bin: u8,
    gain: f64,
    left: Sums,
}

/// Grows a tree on some candidates. `features` are those that it may test, among those with bins.
pub(super) fn grow(
    bins: &Bins,
    gradients: &Gradients,
    rows: Vec<u32>,
    features: &[usize],
    parameters: &Parameters,
) -> Grown {
    let mut tree = RankerTree::default();
    let mut importance = Vec::new();
    let histogram = Histogram::of(bins, gradients, &rows);
    let mut sums = Sums::default();
    for row in &rows {
        sums.add(Sums {
            gradient: f64::from(gradients.first[*row as usize]),
            hessian: f64::from(gradients.second[*row as usize]),
            count: 1,
        });
    }
    let leaf = |node: usize, rows: Vec<u32>, sums: Sums, histogram: Histogram| Leaf {
        split: best_split(&histogram, sums, features, parameters),
        node,
        rows,
        sums,
        histogram,
    };
    let root = push(&mut tree, output(sums, parameters));
    let mut leaves = vec![leaf(root, rows, sums, histogram)];
    while leaves.len() < parameters.leaves {
        let gain = |leaf: &Leaf| leaf.split.map_or(0.0, |split| split.gain);
        let best = (0..leaves.len()).max_by(|a, b| gain(&leaves[*a]).total_cmp(&gain(&leaves[*b])));
        let Some(best) = best.filter(|best| gain(&leaves[*best]) > 0.0) else {
            break;
        };
        let parent = leaves.swap_remove(best);
        let Some(split) = parent.split else {
            break;
        };
        importance.push((bins.features[split.feature], split.gain));
        let is_left = |row: &u32| bins.row(*row as usize)[split.feature] <= split.bin;
        let (left, right): (Vec<u32>, Vec<u32>) = parent.rows.into_iter().partition(is_left);
        let right_sums = parent.sums.less(split.left);
        // The smaller side is counted, the other one is the rest.
        let (left_histogram, right_histogram) = if left.len() <= right.len() {
            let own = Histogram::of(bins, gradients, &left);
            let rest = parent.histogram.less(&own);
            (own, rest)
        } else {
            let own = Histogram::of(bins, gradients, &right);
            let rest = parent.histogram.less(&own);
            (rest, own)
        };
        let left_node = push(&mut tree, output(split.left, parameters));
        let right_node = push(&mut tree, output(right_sums, parameters));
        tree.feature[parent.node] = bins.features[split.feature] as u16;
        tree.threshold[parent.node] = bins.bounds[split.feature][usize::from(split.bin)];
        tree.left[parent.node] = left_node as u32;
        tree.right[parent.node] = right_node as u32;
        leaves.push(leaf(left_node, left, split.left, left_histogram));
        leaves.push(leaf(right_node, right, right_sums, right_histogram));
    }
    set_means(&mut tree, &leaves);
    Grown { tree, importance }
}

/// Sets the value of each inner node to the mean output of the candidates below it.
fn set_means(tree: &mut RankerTree, leaves: &[Leaf]) {
    let mut counts = vec![0_u64; tree.value.len()];
    for leaf in leaves {
        counts[leaf.node] = leaf.rows.len() as u64;
    }
    // Children follow their parents.
    for node in (0..tree.value.len()).rev() {
        let (left, right) = (tree.left[node] as usize, tree.right[node] as usize);
        if left == 0 {
            continue;
        }
        counts[node] = counts[left] + counts[right];
        let sum = |child: usize| f64::from(tree.value[child]) * counts[child] as f64;
        let mean = (sum(left) + sum(right)) / counts[node].max(1) as f64;
        tree.value[node] = mean as f32;
    }
}

fn push(tree: &mut RankerTree, value: f64) -> usize {
    tree.feature.push(0);
    tree.threshold.push(0.0);
    tree.left.push(0);
    tree.right.push(0);
    tree.value.push(value as f32);
    tree.value.len() - 1
}

/// Returns the output of a leaf: a Newton step.
fn output(sums: Sums, parameters: &Parameters) -> f64 {
    -sums.gradient / (sums.hessian + parameters.l2).max(MIN_HESSIAN) * parameters.rate
}

/// Returns how much the loss falls by the output of a leaf, times 2.
fn reduction(sums: Sums, parameters: &Parameters) -> f64 {
    sums.gradient * sums.gradient / (sums.hessian + parameters.l2).max(MIN_HESSIAN)
}

fn best_split(
    histogram: &Histogram,
    sums: Sums,
    features: &[usize],
    parameters: &Parameters,
) -> Option<Split> {
    let min = parameters.min_leaf.max(1) as u32;
    if sums.count < 2 * min {
        return None;
    }
    let whole = reduction(sums, parameters);
    let mut best: Option<Split> = None;
    for feature in features {
        let mut left = Sums::default();
        for (bin, own) in (0..=u8::MAX).zip(histogram.feature(*feature)) {
            if own.count == 0 {
                continue;
            }
            left.add(*own);
            let right = sums.less(left);
            if right.count < min {
                break;
            }
            if left.count < min || left.hessian < MIN_HESSIAN || right.hessian < MIN_HESSIAN {
                continue;
            }
            let gain = reduction(left, parameters) + reduction(right, parameters) - whole;
            if gain > best.map_or(1e-9, |best| best.gain) {
                best = Some(Split {
                    feature: *feature,
                    bin,
                    gain,
                    left,
                });
            }
        }
    }
    best
}
