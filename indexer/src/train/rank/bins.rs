//! Features in bins of about as many candidates each, so that a split is found by a histogram.

use rayon::prelude::*;

use super::Dataset;

/// Maximum number of bins of a feature.
pub(super) const MAX_BINS: usize = 64;

/// Number of candidates that the bounds of the bins are estimated from.
const SAMPLE: usize = 200_000;

/// Binned features of all candidates.
#[derive(Debug)]
pub struct Bins {
    /// Features with at least two values, as indexes among those of the data set.
    pub(super) features: Vec<usize>,
    /// Greatest value of each bin but the last, by feature.
    pub(super) bounds: Vec<Vec<f32>>,
    /// Bin of each of these features, row by row.
    pub(super) bins: Vec<u8>,
}

impl Bins {
    /// Bins the features of a data set.
    pub fn of(data: &Dataset) -> Self {
        let count = data.ids.len();
        let step = count.div_ceil(SAMPLE).max(1);
        let bounds = |feature: usize| {
            let sample = (0..count).step_by(step).map(|at| data.row(at)[feature]);
            bounds(sample.collect())
        };
        let all = (0..data.features.len()).into_par_iter().map(bounds);
        let all: Vec<Vec<f32>> = all.collect();
        let (features, bounds): (Vec<usize>, Vec<Vec<f32>>) = (0..)
            .zip(all)
            .filter(|(_, bounds)| !bounds.is_empty())
            .unzip();
        let mut bins = vec![0; count * features.len()];
        if !features.is_empty() {
            bins.par_chunks_mut(features.len())
                .enumerate()
                .for_each(|(at, row)| {
                    let values = data.row(at);
                    for (bin, (feature, bounds)) in row.iter_mut().zip(features.iter().zip(&bounds))
                    {
                        *bin = bin_of(bounds, values[*feature]);
                    }
                });
        }
        Self {
            features,
            bounds,
            bins,
        }
    }

    /// Returns the number of features with bins.
    pub(super) fn width(&self) -> usize {
        self.features.len()
    }

    /// Returns the bins of a candidate.
    pub(super) fn row(&self, at: usize) -> &[u8] {
        &self.bins[at * self.width()..(at + 1) * self.width()]
    }
}

fn bin_of(bounds: &[f32], value: f32) -> u8 {
    bounds.partition_point(|bound| *bound < value) as u8
}

/// Returns the greatest value of each bin but the last; none if all values are the same.
fn bounds(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    if distinct.len() <= MAX_BINS {
        distinct.pop();
        return distinct;
    }
    let at = |bin: usize| values[bin * values.len() / MAX_BINS];
    let mut bounds: Vec<f32> = (1..MAX_BINS).map(at).collect();
    bounds.dedup();
    // The last bin must not be empty.
    bounds.retain(|bound| Some(bound) != distinct.last());
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_up_to_a_bound_share_its_bin() {
        let few = bounds(vec![3.0, 1.0, 1.0, 2.0]);
        assert_eq!(few, [1.0, 2.0]);
        let bins: Vec<u8> = [0.0, 1.0, 1.5, 2.0, 9.0].map(|v| bin_of(&few, v)).to_vec();
        assert_eq!(bins, [0, 0, 1, 1, 2]);
        assert!(bounds(vec![5.0; 10]).is_empty());
        let many = bounds((0..10_000).map(|n| n as f32).collect());
        assert_eq!(many.len(), MAX_BINS - 1);
        // Most values are equal: they have one bin, the others keep theirs.
        let skewed = bounds((0..1000).map(|n| (n - 900).max(0) as f32).collect());
        assert!(skewed.contains(&0.0) && skewed.len() > 3 && !skewed.contains(&99.0));
    }
}
