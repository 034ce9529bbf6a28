//! Boosted trees with a logistic loss: the probability of a binary target by the features.

use super::{Bins, Dataset, Parameters, boost::output, grow::grow, histogram::Gradients};

/// Fits probabilities to soft targets of some candidates. `features` are indexes among those with
/// bins. Returns the probability of each of these candidates, in their order.
pub(super) fn fit(
    data: &Dataset,
    bins: &Bins,
    rows: &[u32],
    targets: &[f64],
    features: &[usize],
    parameters: &Parameters,
) -> Vec<f64> {
    let mean = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
    let mean = mean.clamp(1e-4, 1.0 - 1e-4);
    let mut scores = vec![(mean / (1.0 - mean)).ln(); rows.len()];
    let mut gradients = Gradients {
        first: vec![0.0; data.ids.len()],
        second: vec![0.0; data.ids.len()],
    };
    // A candidate that was shown several times has one gradient, the sum of all.
    let mut distinct = rows.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for _ in 0..parameters.trees {
        for row in &distinct {
            gradients.first[*row as usize] = 0.0;
            gradients.second[*row as usize] = 0.0;
        }
        for ((row, target), score) in rows.iter().zip(targets).zip(&scores) {
            let probability = sigmoid(*score);
            gradients.first[*row as usize] += (probability - target) as f32;
            gradients.second[*row as usize] += (probability * (1.0 - probability)) as f32;
        }
        let grown = grow(bins, &gradients, distinct.clone(), features, parameters);
        if grown.importance.is_empty() {
            break;
        }
        for (score, row) in scores.iter_mut().zip(rows) {
            *score += output(&grown.tree, data.row(*row as usize));
        }
    }
    scores.into_iter().map(sigmoid).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
