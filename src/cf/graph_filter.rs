//! A low-pass filter on the graph of users and items.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use serde::{Deserialize, Serialize};

use super::{
    Matrix, Recommender,
    dense::{Dense, add_rows},
    known, svd,
};
use crate::{Error, Result};

/// How a graph filter is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphFilterOptions {
    /// Singular vectors of the ideal low-pass part.
    pub rank: usize,
    /// Weight of the ideal low-pass part beside the linear one.
    pub low_pass: f32,
    /// Rounds of refining the singular vectors.
    pub iterations: usize,
    /// Of the random start.
    pub seed: u64,
}

impl Default for GraphFilterOptions {
    fn default() -> Self {
        Self {
            rank: 256,
            low_pass: 0.3,
            iterations: 4,
            seed: 0,
        }
    }
}

/// GF-CF (Shen, Wu, Zhang, Shan, Zhang, Letaief and Li 2021). With the interactions normalised to
/// `N = D_users^-1/2 R D_items^-1/2` and `V` its first right singular vectors, a history `r` scores
/// `r N'N + low_pass * r D_items^-1/2 V V' D_items^1/2`. There is nothing to train but `V`.
///
/// Holds both directions of the interactions and two rows of `rank` numbers an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphFilter {
    /// N, and N'.
    users: Matrix,
    by_item: Matrix,
    /// `D_items^-1/2 V` and `low_pass * D_items^1/2 V`, a row an item.
    inward: Dense,
    outward: Dense,
}

impl GraphFilter {
    /// Fits to users x items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &GraphFilterOptions) -> Result<Self> {
        if !(options.low_pass >= 0.0 && options.low_pass.is_finite()) {
            return Err(Error::invalid("/low_pass", "must be 0 or more"));
        }
        let sums = |matrix: &Matrix| -> Vec<f32> {
            matrix.iter().map(|row| row.values.iter().sum()).collect()
        };
        let (of_user, of_item) = (sums(interactions), sums(&interactions.transpose()));
        let users = interactions.map(|u, i, v| v / (of_user[u].sqrt() * of_item[i].sqrt()));
        let by_item = users.transpose();
        let vectors = svd::right_vectors(
            &users,
            &by_item,
            options.rank,
            options.iterations,
            options.seed,
        )?;
        // An item nobody had keeps score 0.
        let power = |p: f32, weight: f32| -> Vec<f32> {
            let one = |sum: &f32| {
                if *sum > 0.0 {
                    weight * sum.powf(p)
                } else {
                    0.0
                }
            };
            of_item.iter().map(one).collect()
        };
        Ok(Self {
            users,
            by_item,
            inward: vectors.scaled(&power(-0.5, 1.0)),
            outward: vectors.scaled(&power(0.5, options.low_pass)),
        })
    }

    pub(super) fn is_sound(&self) -> bool {
        let items = self.users.columns();
        self.users.is_sound()
            && self.by_item.is_sound()
            && (self.by_item.rows(), self.by_item.columns()) == (items, self.users.rows())
            && self.inward.is_sound(items)
            && self.outward.is_sound(items)
            && self.inward.width() == self.outward.width()
    }

    /// Adds `r N'N`, going from the items over their users to those users' items. `weights` is all zero between
    /// calls.
    fn add_linear(&self, history: &[(u32, f32)], weights: &mut [f32], out: &mut [f32]) {
        let mut touched = Vec::new();
        for (item, weight) in known(history, self.items()) {
            for (user, value) in self.by_item.row(item).iter() {
                weights[user] += weight * value;
                touched.push(user);
            }
        }
        for user in touched {
            // A user met twice has nothing left the second time.
            let weight = std::mem::take(&mut weights[user]);
            if weight != 0.0 {
                for (item, value) in self.users.row(user).iter() {
                    out[item] += weight * value;
                }
            }
        }
    }
}

impl Recommender for GraphFilter {
    fn items(&self) -> usize {
        self.users.columns()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        self.batch_scores(&[history], out);
    }

    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        let (items, rank) = (self.items(), self.inward.width());
        out.clear();
        out.resize(histories.len() * items, 0.0);
        if items == 0 {
            return;
        }
        let mut folded = Dense::zeros(histories.len(), rank);
        for (row, history) in folded
            .values_mut()
            .chunks_exact_mut(rank.max(1))
            .zip(histories)
        {
            let (indices, values): (Vec<_>, Vec<_>) = known(history, items)
                .map(|(item, weight)| (item as u32, weight))
                .unzip();
            add_rows(
                super::Row {
                    indices: &indices,
                    values: &values,
                },
                &self.inward,
                row,
            );
        }
        let target = MatMut::from_row_major_slice_mut(out.as_mut_slice(), histories.len(), items);
        let outward: MatRef<'_, f32> = self.outward.mat();
        matmul(
            target,
            Accum::Replace,
            folded.mat(),
            outward.transpose(),
            1.0,
            Par::Seq,
        );
        let mut weights = vec![0.0; self.users.rows()];
        for (row, history) in out.chunks_exact_mut(items).zip(histories) {
            self.add_linear(history, &mut weights, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, dense, random};

    #[test]
    fn scores_are_those_of_the_formula() {
        for seed in 0..6 {
            let (users, items) = (40, 25);
            let matrix = random(seed, users, items, 0.15);
            let n = normalised(&matrix);
            let power = |p: f64| -> Vec<f64> {
                let sum = |i: usize| dense(&matrix).iter().map(|row| row[i]).sum::<f64>();
                (0..items as usize)
                    .map(|i| if sum(i) > 0.0 { sum(i).powf(p) } else { 0.0 })
                    .collect()
            };
            let (down, up) = (power(-0.5), power(0.5));
            let gram = faer::Mat::from_fn(items as usize, items as usize, |i, j| {
                n.iter().map(|row| row[i] * row[j]).sum::<f64>()
            });
            let decomposed = gram
                .self_adjoint_eigen(faer::Side::Lower)
                .expect("converges");
            let rank = 4;
            let vectors = decomposed.U().subcols(items as usize - rank, rank);
            let projector = vectors * vectors.transpose();
            let history = [(2, 1.0), (7, 3.0)];
            let r = |i: usize| {
                history
                    .iter()
                    .filter(|h| h.0 == i)
                    .map(|h| h.1)
                    .sum::<f64>()
            };
            let expected: Vec<_> = (0..items as usize)
                .map(|j| {
                    (0..items as usize)
                        .map(|i| r(i) * (gram[(i, j)] + 0.3 * down[i] * projector[(i, j)] * up[j]))
                        .sum()
                })
                .collect();
            let options = GraphFilterOptions {
                rank,
                iterations: 60,
                ..Default::default()
            };
            let model = GraphFilter::fit(&matrix, &options).expect("fits");
            let mut scores = Vec::new();
            model.scores(&[(2, 1.0), (7, 3.0)], &mut scores);
            close(&scores, &expected, 1e-3);
        }
    }

    fn normalised(matrix: &Matrix) -> Vec<Vec<f64>> {
        let rows = dense(matrix);
        let of_item = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>();
        let value = |row: &[f64], i: usize| match row[i] {
            0.0 => 0.0,
            v => v / (row.iter().sum::<f64>() * of_item(i)).sqrt(),
        };
        rows.iter()
            .map(|row| (0..row.len()).map(|i| value(row, i)).collect())
            .collect()
    }

    #[test]
    fn the_linear_part_alone_and_bad_options() {
        let matrix = random(2, 20, 12, 0.3);
        let options = GraphFilterOptions {
            rank: 0,
            ..Default::default()
        };
        let model = GraphFilter::fit(&matrix, &options).expect("fits");
        assert_eq!(
            model
                .recommend(&[(1, 1.0)], 3, &roaring::RoaringBitmap::new())
                .len(),
            3
        );
        for low_pass in [-1.0, f32::NAN] {
            assert!(
                GraphFilter::fit(
                    &matrix,
                    &GraphFilterOptions {
                        low_pass,
                        ..options
                    }
                )
                .is_err()
            );
        }
    }
}
