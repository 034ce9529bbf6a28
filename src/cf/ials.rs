//! Implicit alternating least squares: vectors of users and items whose products predict
//! interactions.

use std::ops::Range;

use faer::{Accum, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Matrix, Recommender, Request, Row, Scored,
    dense::{self, Dense},
    kinds::ModelKind,
    known_items, rank,
};
use crate::{Error, Result};

/// Rows solved together, so that the term they share is one matrix product.
const BLOCK_ROWS: usize = 64;

/// Items ranked together: their scores for a block of users fill a quarter of a usual second-level
/// cache.
const BLOCK_ITEMS: usize = 1024;

/// Options of [`Ials`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IalsOptions {
    /// Dimension of the vectors.
    pub factors: usize,
    /// Iterations; each solves all users, then all items.
    pub iterations: usize,
    /// Weight of each pair of user and item with target 0; observed pairs have target 1 and their
    /// own weights.
    pub unobserved: f32,
    /// Strength of the regularization.
    pub regularization: f32,
    /// Exponent of the evidence in the regularization. 1 regularizes all vectors alike, 0 those
    /// with much evidence less.
    pub nu: f32,
    /// Standard deviation of the products at the random start: factors start with
    /// `deviation / sqrt(factors)`.
    pub deviation: f32,
    /// Conjugate-gradient steps per solution.
    pub steps: usize,
    /// Seed of the random start.
    pub seed: u64,
}

impl Default for IalsOptions {
    fn default() -> Self {
        Self {
            factors: 128,
            iterations: 16,
            unobserved: 0.03,
            regularization: 0.001,
            nu: 1.0,
            deviation: 0.1,
            steps: 3,
            seed: 0,
        }
    }
}

impl IalsOptions {
    fn check(&self) -> Result<()> {
        let positive = |x: f32| x > 0.0 && x.is_finite();
        let checks = [
            (
                "/factors",
                (1..=4096).contains(&self.factors),
                "must be from 1 to 4096",
            ),
            ("/steps", self.steps > 0, "must be at least 1"),
            ("/unobserved", positive(self.unobserved), "must be above 0"),
            (
                "/regularization",
                positive(self.regularization),
                "must be above 0",
            ),
            ("/nu", (0.0..=2.0).contains(&self.nu), "must be from 0 to 2"),
            ("/deviation", positive(self.deviation), "must be above 0"),
        ];
        match checks.iter().find(|c| !c.1) {
            Some((pointer, _, detail)) => Err(Error::invalid(*pointer, *detail)),
            None => Ok(()),
        }
    }

    /// Returns the regularization of a vector with `observed` interactions out of `others`.
    fn strength(&self, observed: usize, others: usize) -> f32 {
        let evidence = observed as f32 + self.unobserved * others as f32;
        self.regularization * evidence.powf(self.nu)
    }
}

/// iALS (Hu, Koren and Volinsky 2008) as tuned by Rendle, Krichene, Zhang and Koren (2021):
/// minimizes the sum of `weight * (1 - x.y)^2` over observed pairs, `unobserved * (x.y)^2` over all
/// pairs, and the squared norms times `regularization * (observed + unobserved * others)^nu`. Least
/// squares are solved by a few steps of conjugate gradients from the last solution (Takacs, Pilaszy
/// and Tikk 2011).
///
/// Only the item vectors are kept: a user's vector is the exact solution for their history,
/// computed at query time (fold-in).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Factors")]
pub struct Ials {
    items: Dense,
    options: IalsOptions,
    /// `unobserved` times the products of all pairs of factors.
    #[serde(skip)]
    shared: Mat<f32>,
}

/// Stored fields of the model.
#[derive(Deserialize)]
struct Factors {
    items: Dense,
    options: IalsOptions,
}

impl TryFrom<Factors> for Ials {
    type Error = &'static str;

    fn try_from(Factors { items, options }: Factors) -> Result<Self, Self::Error> {
        let is_consistent = options.check().is_ok()
            && items.width() == options.factors
            && items.is_consistent(items.rows());
        if !is_consistent {
            return Err("inconsistent factors");
        }
        Ok(Self {
            shared: shared(&items, &options),
            items,
            options,
        })
    }
}

impl Ials {
    /// Fits to users x items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &IalsOptions) -> Result<Self> {
        options.check()?;
        let by_item = interactions.transpose();
        let start = options.deviation / (options.factors as f32).sqrt();
        let normal = |rows, seed| Dense::normal(rows, options.factors, start, seed);
        let mut users = normal(interactions.rows(), options.seed);
        let mut items = normal(interactions.columns(), options.seed.wrapping_add(1));
        for _ in 0..options.iterations {
            improve(&mut users, interactions, &items, options);
            improve(&mut items, &by_item, &users, options);
        }
        Ok(Self {
            shared: shared(&items, options),
            items,
            options: *options,
        })
    }

    /// Returns the vector of an item, whose product with [`Ials::fold_in`] is its score; None for
    /// an unknown item.
    pub fn item(&self, item: u32) -> Option<&[f32]> {
        ((item as usize) < self.items.rows()).then(|| self.items.row(item as usize))
    }

    /// Returns the vector of a user with this history: the exact minimum for the fixed item
    /// vectors. Zero without history.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Vec<f32> {
        let size = self.options.factors;
        let mut vector = vec![0.0; size];
        let seen: Vec<_> = known_items(history, self.items.rows())
            .filter(|h| h.1 > 0.0)
            .collect();
        if seen.is_empty() {
            return vector;
        }
        let mut rooted = Dense::zeros(seen.len(), size);
        for (row, (item, weight)) in rooted.values_mut().chunks_exact_mut(size).zip(&seen) {
            dense::add_scaled(*weight, self.items.row(*item), &mut vector);
            dense::add_scaled(weight.sqrt(), self.items.row(*item), row);
        }
        let mut system = self.shared.clone();
        matmul(
            &mut system,
            Accum::Add,
            rooted.mat().transpose(),
            rooted.mat(),
            1.0,
            Par::Seq,
        );
        let strength = self.options.strength(seen.len(), self.items.rows());
        system
            .diagonal_mut()
            .column_vector_mut()
            .iter_mut()
            .for_each(|x| *x += strength);
        let solution = MatMut::from_column_major_slice_mut(&mut vector, size, 1);
        let solved = dense::solve(system.as_mut(), solution);
        // Extreme weights exceed the precision of f32 and leave no solution: no recommendation.
        if !solved || vector.iter().any(|x| !x.is_finite()) {
            vector.fill(0.0);
        }
        vector
    }
}

impl ModelKind for Ials {
    type Options = IalsOptions;

    const NAME: &'static str = "ials";

    fn fit_matrix(interactions: &Matrix, options: &IalsOptions) -> Result<Self> {
        Self::fit(interactions, options)
    }

    fn training_memory(options: &IalsOptions, users: u64, items: u64) -> u64 {
        8 * options.factors as u64 * (items + users)
    }

    fn is_consistent(&self) -> bool {
        // Checked on deserialization.
        true
    }
}

impl Recommender for Ials {
    fn items(&self) -> usize {
        self.items.rows()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let vector = self.fold_in(history);
        out.clear();
        out.extend((0..self.items.rows()).map(|item| dense::dot(&vector, self.items.row(item))));
    }

    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        out.clear();
        out.resize(histories.len() * self.items.rows(), 0.0);
        let vectors: Vec<_> = histories.iter().flat_map(|h| self.fold_in(h)).collect();
        self.products(&vectors, 0..self.items.rows(), out);
    }

    /// Ranks block by block of items, while the scores are in the cache.
    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        let items = self.items.rows();
        let recommend = |scores: &mut Vec<f32>, requests: &[Request<'_>]| -> Vec<_> {
            let vectors = requests.iter().flat_map(|r| self.fold_in(r.history));
            let vectors: Vec<_> = vectors.collect();
            let mut best: Vec<_> = requests.iter().map(|_| rank::TopK::new(k)).collect();
            for first in (0..items).step_by(BLOCK_ITEMS) {
                let block = first..items.min(first + BLOCK_ITEMS);
                scores.resize(requests.len() * block.len(), 0.0);
                self.products(&vectors, block.clone(), scores);
                let rows = scores.chunks_exact_mut(block.len());
                for (row, (best, request)) in rows.zip(best.iter_mut().zip(requests)) {
                    best.offer(first as u32, row, request.excluded);
                }
            }
            best.into_iter().map(rank::TopK::sorted).collect()
        };
        let batches = requests
            .par_chunks(BLOCK_ROWS)
            .map_init(Vec::new, recommend);
        batches.flatten_iter().collect()
    }
}

impl Ials {
    /// Replaces `out` by the products of vectors with a range of items, one row per vector.
    fn products(&self, vectors: &[f32], items: Range<usize>, out: &mut [f32]) {
        let (size, count) = (self.options.factors, items.len());
        let rows = vectors.len() / size;
        let target = MatMut::from_row_major_slice_mut(out, rows, count);
        matmul(
            target,
            Accum::Replace,
            MatRef::from_row_major_slice(vectors, rows, size),
            self.items.mat().subrows(items.start, count).transpose(),
            1.0,
            Par::Seq,
        );
    }
}

fn shared(others: &Dense, options: &IalsOptions) -> Mat<f32> {
    let gram = others.gram();
    Mat::from_fn(others.width(), others.width(), |r, c| {
        options.unobserved * gram[(r, c)] as f32
    })
}

/// Moves every row of `solved` towards its minimum with `others` fixed.
fn improve(solved: &mut Dense, interactions: &Matrix, others: &Dense, options: &IalsOptions) {
    let shared = shared(others, options);
    let width = options.factors;
    let blocks = solved
        .values_mut()
        .par_chunks_mut(BLOCK_ROWS * width)
        .enumerate();
    blocks.for_each_init(Scratch::default, |scratch, (block, vectors)| {
        let first = block * BLOCK_ROWS;
        let rows = first..first + vectors.len() / width;
        let rows: Vec<_> = rows.map(|r| interactions.row(r)).collect();
        let system = System {
            strengths: rows
                .iter()
                .map(|r| options.strength(r.indices.len(), others.rows()))
                .collect(),
            rows,
            others,
            shared: shared.as_ref(),
        };
        system.descend(vectors, options.steps, scratch);
    });
}

/// Least-squares problems of some rows.
struct System<'a> {
    rows: Vec<Row<'a>>,
    strengths: Vec<f32>,
    others: &'a Dense,
    shared: MatRef<'a, f32>,
}

/// Buffers of conjugate gradients for a block, one row per vector.
#[derive(Default)]
struct Scratch {
    residual: Vec<f32>,
    direction: Vec<f32>,
    image: Vec<f32>,
}

impl System<'_> {
    /// Runs conjugate gradients (Hestenes and Stiefel 1952) on all rows in parallel.
    fn descend(&self, vectors: &mut [f32], steps: usize, scratch: &mut Scratch) {
        let Scratch {
            residual,
            direction,
            image,
        } = scratch;
        let width = self.others.width();
        self.image_of(vectors, image, |weight, product| weight * (product - 1.0));
        residual.clear();
        residual.extend(image.iter().map(|x| -x));
        direction.clone_from(residual);
        let mut norms: Vec<_> = residual
            .chunks_exact(width)
            .map(|r| dense::dot(r, r))
            .collect();
        for step in 1..=steps {
            self.image_of(direction, image, |weight, product| weight * product);
            for (row, norm) in norms.iter_mut().enumerate() {
                let span = row * width..(row + 1) * width;
                let (residual, image) = (&mut residual[span.clone()], &image[span.clone()]);
                let direction = &mut direction[span.clone()];
                let curvature = dense::dot(direction, image);
                if curvature <= f32::MIN_POSITIVE {
                    continue;
                }
                let length = *norm / curvature;
                dense::add_scaled(length, direction, &mut vectors[span]);
                if step < steps {
                    dense::add_scaled(-length, image, residual);
                    let before = std::mem::replace(norm, dense::dot(residual, residual));
                    let beta = *norm / before;
                    direction
                        .iter_mut()
                        .zip(residual)
                        .for_each(|(d, r)| *d = *r + beta * *d);
                }
            }
        }
    }

    /// Multiplies each vector by its matrix; `f` maps the weight and the product of an observation
    /// to the factor of the other vector.
    fn image_of(&self, vectors: &[f32], image: &mut Vec<f32>, f: impl Fn(f32, f32) -> f32) {
        let width = self.others.width();
        image.clear();
        image.resize(vectors.len(), 0.0);
        let count = self.rows.len();
        let source = MatRef::from_row_major_slice(vectors, count, width);
        let target = MatMut::from_row_major_slice_mut(image.as_mut_slice(), count, width);
        matmul(target, Accum::Replace, source, self.shared, 1.0, Par::Seq);
        let pairs = image
            .chunks_exact_mut(width)
            .zip(vectors.chunks_exact(width));
        for ((image, vector), (row, strength)) in pairs.zip(self.rows.iter().zip(&self.strengths)) {
            dense::add_projections(*row, self.others, vector, &f, image);
            dense::add_scaled(*strength, vector, image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, random};

    fn strength(options: &IalsOptions, observed: usize, others: usize) -> f64 {
        let evidence = observed as f64 + f64::from(options.unobserved) * others as f64;
        f64::from(options.regularization) * evidence.powf(f64::from(options.nu))
    }

    /// Exact least squares of one row in f64, by Gaussian elimination through faer's general
    /// solver.
    fn exact(row: &[(usize, f64)], others: &[Vec<f64>], options: &IalsOptions) -> Vec<f64> {
        use faer::linalg::solvers::Solve;
        let size = options.factors;
        let system = Mat::from_fn(size, size, |a, b| {
            let all: f64 = others
                .iter()
                .map(|y| f64::from(options.unobserved) * y[a] * y[b])
                .sum();
            let seen: f64 = row
                .iter()
                .map(|(i, w)| w * others[*i][a] * others[*i][b])
                .sum();
            all + seen
                + if a == b {
                    strength(options, row.len(), others.len())
                } else {
                    0.0
                }
        });
        let right = Mat::from_fn(size, 1, |a, _| {
            row.iter().map(|(i, w)| w * others[*i][a]).sum::<f64>()
        });
        let solution = system.partial_piv_lu().solve(&right);
        (0..size).map(|a| solution[(a, 0)]).collect()
    }

    fn rows(dense: &Dense) -> Vec<Vec<f64>> {
        (0..dense.rows())
            .map(|r| dense.row(r).iter().map(|x| f64::from(*x)).collect())
            .collect()
    }

    fn entries(row: Row<'_>) -> Vec<(usize, f64)> {
        row.iter().map(|(i, v)| (i, f64::from(v))).collect()
    }

    #[test]
    fn alternating_solutions_and_fold_in_are_exact() {
        for seed in 0..4 {
            let matrix = random(seed, 80, 30, 0.2);
            // With as many steps as factors, solutions are exact up to rounding.
            let options = IalsOptions {
                factors: 5,
                iterations: 3,
                steps: 8,
                regularization: 0.05,
                nu: 0.7,
                seed,
                ..Default::default()
            };
            let model = Ials::fit(&matrix, &options).expect("fits");
            let by_item = matrix.transpose();
            let mut items = rows(&Dense::normal(
                30,
                5,
                options.deviation / 5.0_f32.sqrt(),
                seed + 1,
            ));
            for _ in 0..3 {
                let users: Vec<_> = matrix
                    .iter()
                    .map(|row| exact(&entries(row), &items, &options))
                    .collect();
                items = by_item
                    .iter()
                    .map(|row| exact(&entries(row), &users, &options))
                    .collect();
            }
            let fitted: Vec<_> = (0..30)
                .flat_map(|i| model.item(i).expect("known").to_vec())
                .collect();
            close(&fitted, &items.concat(), 2e-3);
            let history = [(4, 2.0), (9, 1.0), (9, 0.5)];
            let user_vector = exact(
                &[(4, 2.0), (9, 1.0), (9, 0.5)],
                &rows(&model.items),
                &options,
            );
            close(&model.fold_in(&history), &user_vector, 1e-4);
            let expected: Vec<f64> = rows(&model.items)
                .iter()
                .map(|y| y.iter().zip(&user_vector).map(|(a, b)| a * b).sum())
                .collect();
            let mut scores = Vec::new();
            model.scores(&history, &mut scores);
            close(&scores, &expected, 1e-4);
        }
    }

    #[test]
    fn options_out_of_range_are_rejected() {
        let matrix = random(1, 3, 3, 0.5);
        let good = IalsOptions::default();
        let bad = [
            IalsOptions { factors: 0, ..good },
            IalsOptions { steps: 0, ..good },
            IalsOptions {
                unobserved: 0.0,
                ..good
            },
            IalsOptions {
                regularization: -1.0,
                ..good
            },
            IalsOptions {
                nu: f32::NAN,
                ..good
            },
            IalsOptions {
                deviation: f32::INFINITY,
                ..good
            },
        ];
        assert!(
            bad.iter()
                .all(|options| Ials::fit(&matrix, options).is_err())
        );
    }
}
