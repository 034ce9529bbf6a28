//! Histograms of gradients by the bins of each feature.

use rayon::prelude::*;

use super::bins::{Bins, MAX_BINS};

/// Number of candidates that one task adds up. The sums of the tasks are added in order, so that
/// they do not depend on the number of threads.
const CHUNK: usize = 8_192;

/// Sums over candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub gradient: f64,
    pub hessian: f64,
    pub count: u32,
}

impl Sums {
    pub fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.count += other.count;
    }

    pub fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            count: self.count - other.count,
        }
    }
}

/// Sums by feature and bin.
pub(super) struct Histogram(Vec<Sums>);

/// Gradients of the loss by the score of each candidate: the first and the second derivative.
pub(super) struct Gradients {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Histogram {
    /// Adds up the gradients of some candidates.
    pub fn of(bins: &Bins, gradients: &Gradients, rows: &[u32]) -> Self {
        let size = bins.width() * MAX_BINS;
        let sum = |rows: &[u32]| {
            let mut sums = vec![Sums::default(); size];
            for row in rows {
                let row = *row as usize;
                let (gradient, hessian) = (gradients.first[row], gradients.second[row]);
                let (gradient, hessian) = (f64::from(gradient), f64::from(hessian));
                for (feature, bin) in sums.chunks_exact_mut(MAX_BINS).zip(bins.row(row)) {
                    let sums = &mut feature[usize::from(*bin) % MAX_BINS];
                    sums.gradient += gradient;
                    sums.hessian += hessian;
                    sums.count += 1;
                }
            }
            sums
        };
        if rows.len() <= CHUNK {
            return Self(sum(rows));
        }
        // A few chunks at a time limit the memory.
        let mut total = vec![Sums::default(); size];
        for rows in rows.chunks(CHUNK * 16) {
            let parts: Vec<Vec<Sums>> = rows.par_chunks(CHUNK).map(sum).collect();
            for part in parts {
                total
                    .iter_mut()
                    .zip(part)
                    .for_each(|(sum, part)| sum.add(part));
            }
        }
        Self(total)
    }

    /// Returns the histogram without the candidates of another one.
    pub fn less(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(own, other)| own.less(*other)).collect())
    }

    /// Returns the sums by bin of a feature.
    pub fn feature(&self, feature: usize) -> &[Sums] {
        &self.0[feature * MAX_BINS..(feature + 1) * MAX_BINS]
    }
}
