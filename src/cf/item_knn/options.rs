//! Options of [`ItemKnn`](super::ItemKnn).

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Weight of an entry of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Weighting {
    /// Plain weights: cosine.
    Plain,
    /// Okapi BM25 (Robertson and Zaragoza 2009) with users as documents and items as terms:
    /// repeated events saturate; long histories and common items count less.
    Bm25 {
        /// Saturation of the weight, usually 0.5 to 2.
        k1: f32,
        /// Strength of the discount for long histories, 0 to 1.
        b: f32,
    },
}

/// Options of [`ItemKnn`](super::ItemKnn).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemKnnOptions {
    /// Number of neighbors kept per item.
    pub neighbors: usize,
    /// Weighting of the entries.
    pub weighting: Weighting,
    /// Exponent of the squared norm of the history's item in the normalization; that of the
    /// neighbor is `1 - alpha`. 0.5 is symmetric; above it, popular neighbors are penalized less
    /// (asymmetric cosine, Aiolli 2013).
    pub alpha: f32,
    /// A user of `n` items has weight `n^-user_power`: 0 is plain cosine, 1 the random walk of
    /// RP3beta (Paudel, Christoffel, Newell and Bernstein 2016) and the linear part of GF-CF.
    pub user_power: f32,
    /// Added to the product of the norms: similarities that rest on few users shrink.
    pub shrinkage: f32,
    /// Maximum number of items of a user, those of most weight: the history of a bot would take
    /// quadratic time.
    pub history: usize,
}

impl Default for ItemKnnOptions {
    /// Wide optima on check-ins (Gowalla) and sparse purchases (Amazon Sports), except for the
    /// shrinkage, which is between the best values of the two: `make bench-cf`,
    /// [`tune`](crate::cf::tune).
    fn default() -> Self {
        Self {
            neighbors: 200,
            weighting: Weighting::Plain,
            alpha: 0.7,
            user_power: 0.6,
            shrinkage: 10.0,
            history: 2_000,
        }
    }
}

impl ItemKnnOptions {
    pub(super) fn check(&self) -> Result<()> {
        let unit = |x: f32| (0.0..=1.0).contains(&x);
        let natural = |x: f32| x >= 0.0 && x.is_finite();
        let (k1, b) = match self.weighting {
            Weighting::Plain => (0.0, 0.0),
            Weighting::Bm25 { k1, b } => (k1, b),
        };
        let checks = [
            ("/neighbors", self.neighbors > 0, "must be at least 1"),
            ("/history", self.history > 0, "must be at least 1"),
            ("/alpha", unit(self.alpha), "must be from 0 to 1"),
            ("/user_power", natural(self.user_power), "must be 0 or more"),
            ("/shrinkage", natural(self.shrinkage), "must be 0 or more"),
            ("/weighting/k1", natural(k1), "must be 0 or more"),
            ("/weighting/b", unit(b), "must be from 0 to 1"),
        ];
        match checks.iter().find(|c| !c.1) {
            Some((pointer, _, detail)) => Err(Error::invalid(*pointer, *detail)),
            None => Ok(()),
        }
    }

    /// Returns the divisors of similarities from items with these squared norms.
    pub(super) fn sources(&self, norms: &[f32]) -> Vec<f32> {
        norms.iter().map(|n| n.powf(self.alpha)).collect()
    }

    /// Returns the divisors of similarities to items with these squared norms.
    pub(super) fn targets(&self, norms: &[f32]) -> Vec<f32> {
        norms.iter().map(|n| n.powf(1.0 - self.alpha)).collect()
    }
}
