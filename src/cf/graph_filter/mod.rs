//! Low-pass filter on the graph of users and items.

mod tuning;

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use serde::{Deserialize, Serialize};

use super::{
    Matrix, Recommender,
    dense::{Dense, add_rows},
    held_out::HeldOut,
    kinds::ModelKind,
    known_items, svd,
};
use crate::{Error, Result};

/// Options of [`GraphFilter`]. The degree of a user or item is the sum of its weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphFilterOptions {
    /// Exponent of the degree of the history's item in the normalization; that of the recommended
    /// item is `1 - alpha`. 0.5 is symmetric; above it, popular items are penalized less (RP3beta,
    /// Paudel, Christoffel, Newell and Bernstein 2016).
    pub alpha: f32,
    /// A user of degree `n` has weight `n^-user_power`.
    pub user_power: f32,
    /// Added to the degree of each item: relations that rest on few users count less.
    pub smoothing: f32,
    /// Weight of the ideal low-pass part relative to the linear part.
    pub low_pass: f32,
    /// Weight by which that part falls with the frequency: a component of squared singular value
    /// `s` times the largest has the weight `low_pass - sharpening * s`. Above 0, taste that is
    /// common to all users counts less, as in the sharpening of BSPM (Choi, Hong, Park and Cho
    /// 2023), of which this is one Euler step within the leading components.
    pub sharpening: f32,
    /// Exponent `alpha` of the ideal low-pass part.
    pub low_pass_alpha: f32,
    /// Number of singular vectors of the ideal low-pass part.
    pub rank: usize,
    /// Iterations that refine the singular vectors.
    pub iterations: usize,
    /// Seed of the random start.
    pub seed: u64,
}

impl Default for GraphFilterOptions {
    /// Chosen on check-ins (Gowalla) and sparse purchases (Amazon Sports): `make bench-cf`.
    fn default() -> Self {
        Self {
            alpha: 0.7,
            user_power: 0.7,
            smoothing: 3.0,
            low_pass: 0.1,
            sharpening: 0.0,
            low_pass_alpha: 0.8,
            rank: 256,
            iterations: 4,
            seed: 0,
        }
    }
}

impl GraphFilterOptions {
    /// Returns the options of GF-CF as published (Shen, Wu, Zhang, Shan, Zhang, Letaief and Li
    /// 2021).
    pub fn gf_cf() -> Self {
        Self {
            alpha: 0.5,
            user_power: 1.0,
            smoothing: 0.0,
            low_pass: 0.3,
            sharpening: 0.0,
            low_pass_alpha: 1.0,
            rank: 256,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<()> {
        let unit = |x: f32| (0.0..=1.0).contains(&x);
        let natural = |x: f32| x >= 0.0 && x.is_finite();
        let checks = [
            ("/alpha", unit(self.alpha), "must be from 0 to 1"),
            ("/user_power", natural(self.user_power), "must be 0 or more"),
            ("/smoothing", natural(self.smoothing), "must be 0 or more"),
            ("/low_pass", natural(self.low_pass), "must be 0 or more"),
            ("/sharpening", natural(self.sharpening), "must be 0 or more"),
            (
                "/low_pass_alpha",
                unit(self.low_pass_alpha),
                "must be from 0 to 1",
            ),
        ];
        match checks.iter().find(|c| !c.1) {
            Some((pointer, _, detail)) => Err(Error::invalid(*pointer, *detail)),
            None => Ok(()),
        }
    }

    /// Returns powers of the smoothed degrees of items; an item without interactions keeps score 0.
    fn item_powers(&self, degrees: &[f32], p: f32) -> Vec<f32> {
        let power = |d: &f32| match *d > 0.0 {
            true => (d + self.smoothing).powf(p),
            false => 0.0,
        };
        degrees.iter().map(power).collect()
    }

    /// Returns the weight of each user.
    fn user_shares(&self, interactions: &Matrix) -> Vec<f32> {
        let share = |sum: &f32| match *sum > 0.0 {
            true => sum.powf(-self.user_power),
            false => 0.0,
        };
        sums(interactions).iter().map(share).collect()
    }

    /// Returns the weights of components with these singular values, which descend.
    fn response(&self, singular: &[f32]) -> Vec<f32> {
        let largest = singular.first().map_or(0.0, |s| s * s);
        let weight = |s: &f32| self.low_pass * largest - self.sharpening * s * s;
        singular.iter().map(weight).collect()
    }
}

/// Returns the sum of each row.
fn sums(matrix: &Matrix) -> Vec<f32> {
    matrix.iter().map(|row| row.values.iter().sum()).collect()
}

/// Leading components of the normalized interactions.
pub(super) struct Spectrum {
    /// Singular values, which descend.
    singular: Vec<f32>,
    /// Right singular vectors, items x components.
    vectors: Dense,
}

impl Spectrum {
    /// Decomposes users x items.
    ///
    /// # Errors
    /// Weights of too many magnitudes.
    pub(super) fn of(interactions: &Matrix, options: &GraphFilterOptions) -> Result<Self> {
        let degrees = sums(&interactions.transpose());
        let rooted = options.item_powers(&degrees, -0.5);
        let shares = options.user_shares(interactions);
        let normalized = interactions.map(|u, i, v| v * shares[u].sqrt() * rooted[i]);
        let (rank, iterations) = (options.rank, options.iterations);
        let transposed = normalized.transpose();
        let (singular, vectors) =
            svd::right_vectors(&normalized, &transposed, rank, iterations, options.seed)?;
        Ok(Self { singular, vectors })
    }
}

/// Low-pass filter on the graph of users and items: GF-CF (Shen, Wu, Zhang, Shan, Zhang, Letaief
/// and Li 2021) with the powers of degrees as options; [`GraphFilterOptions::gf_cf`] has those of
/// the paper.
///
/// With `D` the degrees of items, `S` those of users to the power of `-user_power`, `V` the first
/// right singular vectors of `S^1/2 R D^-1/2`, and `L` the diagonal of their squared singular
/// values, the largest of which is `l`, a history `r` scores `r D^-alpha R'SR D^(alpha - 1)
/// + r D^(1/2 - a) V (low_pass * l - sharpening * L) V' D^(a - 1/2)` with `a` for
/// `low_pass_alpha`. Only `V` is trained; the linear part is computed at query time from
/// the items over their users to those users' items, so that, unlike with
/// [`ItemKnn`](super::ItemKnn), no neighbor is cut off.
///
/// Holds both directions of the interactions and two rows of `rank` numbers per item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphFilter {
    users: Matrix,
    by_item: Matrix,
    /// Diagonal of `S`.
    shares: Vec<f32>,
    /// `D^-alpha` and `D^(alpha - 1)`.
    source: Vec<f32>,
    target: Vec<f32>,
    /// `D^(1/2 - a) V` and `D^(a - 1/2) V (low_pass * l - sharpening * L)`, one row per item.
    inward: Dense,
    outward: Dense,
}

impl GraphFilter {
    /// Fits to users x items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &GraphFilterOptions) -> Result<Self> {
        options.check()?;
        let spectrum = Spectrum::of(interactions, options)?;
        Ok(Self::with_spectrum(interactions, options, &spectrum))
    }

    /// Fits with the components of the same interactions, which do not depend on `low_pass`,
    /// `sharpening` and the two `alpha`.
    pub(super) fn with_spectrum(
        interactions: &Matrix,
        options: &GraphFilterOptions,
        spectrum: &Spectrum,
    ) -> Self {
        let by_item = interactions.transpose();
        let degrees = sums(&by_item);
        let power = |p| options.item_powers(&degrees, p);
        let tilt = options.low_pass_alpha - 0.5;
        Self {
            inward: spectrum.vectors.scaled(&power(-tilt)),
            outward: spectrum
                .vectors
                .scaled(&power(tilt))
                .with_columns_scaled(&options.response(&spectrum.singular)),
            source: power(-options.alpha),
            target: power(options.alpha - 1.0),
            shares: options.user_shares(interactions),
            users: interactions.clone(),
            by_item,
        }
    }

    /// Adds the linear part to `out`, which is all zero; `weights` is all zero between calls.
    fn linear(&self, history: &[(u32, f32)], weights: &mut [f32], out: &mut [f32]) {
        let mut touched = Vec::new();
        for (item, weight) in known_items(history, self.items()) {
            let weight = weight * self.source[item];
            for (user, value) in self.by_item.row(item).iter() {
                weights[user] += weight * value;
                touched.push(user);
            }
        }
        for user in touched {
            // The weight of a user who is listed twice is taken the first time.
            let weight = self.shares[user] * std::mem::take(&mut weights[user]);
            if weight != 0.0 {
                for (item, value) in self.users.row(user).iter() {
                    out[item] += weight * value;
                }
            }
        }
        out.iter_mut().zip(&self.target).for_each(|(s, t)| *s *= t);
    }
}

impl ModelKind for GraphFilter {
    type Options = GraphFilterOptions;

    const NAME: &'static str = "graph-filter";
    const AUTO_MAX_ITEMS: Option<usize> = Some(20_000);

    fn fit_matrix(interactions: &Matrix, options: &GraphFilterOptions) -> Result<Self> {
        Self::fit(interactions, options)
    }

    fn tuned(options: &GraphFilterOptions, held_out: &HeldOut) -> Result<GraphFilterOptions> {
        tuning::tuned(held_out, options)
    }

    fn training_memory(options: &GraphFilterOptions, users: u64, items: u64) -> u64 {
        12 * options.rank as u64 * (items + users)
    }

    fn is_consistent(&self) -> bool {
        let (users, items) = (self.users.rows(), self.users.columns());
        let numbers = |values: &[f32], count: usize| {
            values.len() == count && values.iter().all(|v| v.is_finite())
        };
        self.users.is_consistent()
            && self.by_item.is_consistent()
            && (self.by_item.rows(), self.by_item.columns()) == (items, users)
            && numbers(&self.shares, users)
            && numbers(&self.source, items)
            && numbers(&self.target, items)
            && self.inward.is_consistent(items)
            && self.outward.is_consistent(items)
            && self.inward.width() == self.outward.width()
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
            let (indices, values): (Vec<_>, Vec<_>) = known_items(history, items)
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
        let mut weights = vec![0.0; self.users.rows()];
        for (row, history) in out.chunks_exact_mut(items).zip(histories) {
            self.linear(history, &mut weights, row);
        }
        let target = MatMut::from_row_major_slice_mut(out.as_mut_slice(), histories.len(), items);
        let outward: MatRef<'_, f32> = self.outward.mat();
        matmul(
            target,
            Accum::Add,
            folded.mat(),
            outward.transpose(),
            1.0,
            Par::Seq,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, dense, random};

    /// The formula, in f64.
    fn naive(matrix: &Matrix, options: &GraphFilterOptions, r: &[f64]) -> Vec<f64> {
        let (rows, items) = (dense(matrix), matrix.columns());
        let degree = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>();
        let power = |i: usize, p: f64| match degree(i) {
            0.0 => 0.0,
            d => (d + f64::from(options.smoothing)).powf(p),
        };
        let gram = faer::Mat::from_fn(items, items, |i, j| {
            let share = |row: &[f64]| row.iter().sum::<f64>().powf(-f64::from(options.user_power));
            let filled = rows.iter().filter(|row| row[i] * row[j] > 0.0);
            filled.map(|row| share(row) * row[i] * row[j]).sum::<f64>()
        });
        let normalized = faer::Mat::from_fn(items, items, |i, j| {
            power(i, -0.5) * gram[(i, j)] * power(j, -0.5)
        });
        let decomposed = normalized
            .self_adjoint_eigen(faer::Side::Lower)
            .expect("converges");
        let largest = decomposed.S().column_vector()[items - 1];
        let vectors = decomposed.U().subcols(items - options.rank, options.rank);
        let values = decomposed.S().column_vector();
        let response = faer::Mat::from_fn(items, items, |i, j| {
            let component = |n: usize| {
                let value = values[items - options.rank + n];
                let weight =
                    f64::from(options.low_pass) * largest - f64::from(options.sharpening) * value;
                vectors[(i, n)] * weight * vectors[(j, n)]
            };
            (0..options.rank).map(component).sum::<f64>()
        });
        let (alpha, tilt) = (
            f64::from(options.alpha),
            f64::from(options.low_pass_alpha) - 0.5,
        );
        let score = |j: usize| -> f64 {
            let part = |i: usize| {
                let linear = power(i, -alpha) * gram[(i, j)] * power(j, alpha - 1.0);
                linear + power(i, -tilt) * response[(i, j)] * power(j, tilt)
            };
            (0..items).map(|i| r[i] * part(i)).sum()
        };
        (0..items).map(score).collect()
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        let small = |options| GraphFilterOptions {
            rank: 4,
            iterations: 60,
            ..options
        };
        for seed in 0..6 {
            let matrix = random(seed, 40, 25, 0.15);
            let mut r = vec![0.0; 25];
            (r[2], r[7]) = (1.0, 3.0);
            let sharpened = GraphFilterOptions {
                sharpening: 0.3,
                ..Default::default()
            };
            let published = GraphFilterOptions::gf_cf();
            for options in [published, GraphFilterOptions::default(), sharpened] {
                let options = small(options);
                let model = GraphFilter::fit(&matrix, &options).expect("fits");
                let mut scores = Vec::new();
                model.scores(&[(2, 1.0), (7, 3.0)], &mut scores);
                close(&scores, &naive(&matrix, &options, &r), 1e-3);
            }
        }
    }

    #[test]
    fn the_linear_part_alone_and_bad_options() {
        let matrix = random(2, 20, 12, 0.3);
        let good = GraphFilterOptions {
            rank: 0,
            ..Default::default()
        };
        let model = GraphFilter::fit(&matrix, &good).expect("fits");
        let best = model.recommend(&[(1, 1.0)], 3, &roaring::RoaringBitmap::new());
        assert_eq!(best.len(), 3);
        for (low_pass, alpha, smoothing, sharpening) in [
            (-1.0, 0.5, 0.0, 0.0),
            (f32::NAN, 0.5, 0.0, 0.0),
            (0.3, 1.5, 0.0, 0.0),
            (0.3, 0.5, -1.0, 0.0),
            (0.3, 0.5, 0.0, -0.1),
        ] {
            let bad = GraphFilterOptions {
                low_pass,
                alpha,
                smoothing,
                sharpening,
                ..good
            };
            assert!(GraphFilter::fit(&matrix, &bad).is_err());
        }
    }
}
