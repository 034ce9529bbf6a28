//! EASE: linear regression of each item on all others, in closed form. For small catalogs only.

use faer::{
    MatMut, Par,
    dyn_stack::{MemBuffer, MemStack},
    linalg::cholesky::llt,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Matrix, Recommender, dense::add_scaled, kinds::ModelKind, known_items};
use crate::{Error, Result};

/// Options of [`Ease`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EaseOptions {
    /// Added to the squared norm of each item.
    pub regularization: f32,
    /// Maximum number of items. A fit holds three matrices of 4 bytes per pair of items and takes
    /// time of the third power of the number of items.
    pub max_items: usize,
}

impl Default for EaseOptions {
    fn default() -> Self {
        Self {
            regularization: 200.0,
            max_items: 10_000,
        }
    }
}

/// EASE (Steck 2019): the item x item matrix with a zero diagonal that predicts the interactions
/// best in least squares. With `P = (R'R + regularization I)^-1` it is
/// `B[i][j] = -P[i][j] / P[j][j]`; a history `r` scores `r B`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ease {
    items: usize,
    /// Matrix B in row-major order.
    weights: Vec<f32>,
}

impl Ease {
    /// Fits to users x items.
    ///
    /// # Errors
    /// More items than [`EaseOptions::max_items`], or a regularization that is not positive or too
    /// small for the precision of f32.
    pub fn fit(interactions: &Matrix, options: &EaseOptions) -> Result<Self> {
        let items = interactions.columns();
        if items > options.max_items {
            return Err(Error::invalid(
                "/max_items",
                format!(
                    "expected at most {} items for EASE, got {items}; use the graph filter or raise the limit",
                    options.max_items
                ),
            ));
        }
        if !(options.regularization > 0.0 && options.regularization.is_finite()) {
            return Err(Error::invalid("/regularization", "must be above 0"));
        }
        let system = regularized_gram(interactions, options.regularization);
        let inverse = inverse(system, items).ok_or_else(|| {
            let detail = format!(
                "{} is too small for these weights; raise it",
                options.regularization
            );
            Error::invalid("/regularization", detail)
        })?;
        Ok(Self {
            items,
            weights: weights(&inverse, items),
        })
    }
}

impl ModelKind for Ease {
    type Options = EaseOptions;

    const NAME: &'static str = "ease";
    const AUTO_MAX_ITEMS: Option<usize> = Some(2_000);

    fn fit_matrix(interactions: &Matrix, options: &EaseOptions) -> Result<Self> {
        Self::fit(interactions, options)
    }

    fn training_memory(_: &EaseOptions, _users: u64, items: u64) -> u64 {
        12 * items * items
    }

    fn is_consistent(&self) -> bool {
        self.items.checked_mul(self.items) == Some(self.weights.len())
            && self.weights.iter().all(|w| w.is_finite())
    }
}

impl Recommender for Ease {
    fn items(&self) -> usize {
        self.items
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.items, 0.0);
        for (item, weight) in known_items(history, self.items) {
            add_scaled(
                weight,
                &self.weights[item * self.items..][..self.items],
                out,
            );
        }
    }
}

fn regularized_gram(interactions: &Matrix, regularization: f32) -> Vec<f32> {
    let items = interactions.columns();
    let by_item = interactions.transpose();
    let mut gram = vec![0.0; items * items];
    let rows = gram.par_chunks_exact_mut(items.max(1)).enumerate();
    rows.for_each(|(item, sums)| {
        for (user, weight) in by_item.row(item).iter() {
            for (other, value) in interactions.row(user).iter() {
                sums[other] += weight * value;
            }
        }
        sums[item] += regularization;
    });
    gram
}

/// Returns the lower half, in column-major order, of the inverse of a symmetric matrix; None if the
/// matrix is not positive definite.
fn inverse(mut system: Vec<f32>, size: usize) -> Option<Vec<f32>> {
    let par = Par::rayon(0);
    let mut inverse = vec![0.0; size * size];
    let scratch = llt::factor::cholesky_in_place_scratch::<f32>(size, par, Default::default())
        .or(llt::inverse::inverse_scratch::<f32>(size, par));
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let mut factor = MatMut::from_column_major_slice_mut(&mut system, size, size);
    let plain = Default::default();
    llt::factor::cholesky_in_place(factor.as_mut(), plain, par, stack, Default::default()).ok()?;
    let target = MatMut::from_column_major_slice_mut(&mut inverse, size, size);
    llt::inverse::inverse(target, factor.as_ref(), par, stack);
    Some(inverse)
}

fn weights(inverse: &[f32], items: usize) -> Vec<f32> {
    let entry = |a: usize, b: usize| inverse[a.min(b) * items + a.max(b)];
    let mut weights = vec![0.0; items * items];
    let rows = weights.par_chunks_exact_mut(items.max(1)).enumerate();
    rows.for_each(|(from, row)| {
        for (to, weight) in row.iter_mut().enumerate().filter(|(to, _)| *to != from) {
            *weight = -entry(from, to) / entry(to, to);
        }
    });
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, dense, random};

    #[test]
    fn scores_are_those_of_the_formula() {
        for seed in 0..6 {
            let matrix = random(seed, 40, 25, 0.2);
            let rows = dense(&matrix);
            let system = faer::Mat::from_fn(25, 25, |i, j| {
                rows.iter().map(|row| row[i] * row[j]).sum::<f64>() + if i == j { 5.0 } else { 0.0 }
            });
            use faer::linalg::solvers::DenseSolveCore;
            let p = system.partial_piv_lu().inverse();
            let b = |i: usize, j: usize| if i == j { 0.0 } else { -p[(i, j)] / p[(j, j)] };
            let expected: Vec<_> = (0..25).map(|j| b(3, j) + 2.0 * b(8, j)).collect();
            let options = EaseOptions {
                regularization: 5.0,
                ..Default::default()
            };
            let model = Ease::fit(&matrix, &options).expect("fits");
            let mut scores = Vec::new();
            model.scores(&[(3, 1.0), (8, 2.0)], &mut scores);
            close(&scores, &expected, 1e-4);
        }
    }

    #[test]
    fn large_catalogs_and_bad_options_are_rejected() {
        let matrix = random(1, 4, 9, 0.5);
        let error = Ease::fit(
            &matrix,
            &EaseOptions {
                max_items: 8,
                ..Default::default()
            },
        )
        .expect_err("too large");
        assert!(
            error.is_user() && error.to_string().contains("9"),
            "{error}"
        );
        for regularization in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(
                Ease::fit(
                    &matrix,
                    &EaseOptions {
                        regularization,
                        ..Default::default()
                    }
                )
                .is_err()
            );
        }
        let large = Matrix::from_triples(1, 2, [(0, 0, 1e4), (0, 1, 1e4)]).expect("valid");
        let options = EaseOptions {
            regularization: 1e-3,
            ..Default::default()
        };
        assert!(
            Ease::fit(&large, &options).is_err(),
            "not positive definite in f32"
        );
    }

    #[test]
    fn several_fit_at_once_on_the_same_threads() {
        let matrix = random(2, 300, 300, 0.05);
        let fit = |_| {
            Ease::fit(&matrix, &EaseOptions::default())
                .expect("fits")
                .weights
        };
        let all: Vec<_> = (0..8).into_par_iter().map(fit).collect();
        assert!(all.iter().all(|weights| *weights == all[0]));
    }
}
