//! Item neighbourhoods: items that the same users had, with the number of those users to explain it.

use rayon::prelude::*;

use super::{Matrix, Recommender, Scored, known, rank};
use crate::{Error, Result};

/// What an entry of the matrix counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighting {
    /// The weight as it is: cosine.
    Plain,
    /// Okapi BM25 (Robertson and Zaragoza 2009) with users as documents and items as terms: repeated events
    /// saturate, long histories and common items count less.
    Bm25 {
        /// Saturation of the weight, usually 0.5 to 2.
        k1: f32,
        /// Part of the discount for long histories that is given, 0 to 1.
        b: f32,
    },
}

/// How neighbours are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemKnnOptions {
    /// Neighbours kept of each item.
    pub neighbors: usize,
    /// What an entry counts.
    pub weighting: Weighting,
    /// How much of the squared norm of the item in the history is divided by; the neighbour's takes the rest. 0.5
    /// is symmetric; above it, popular neighbours are held back less (asymmetric cosine, Aiolli 2013).
    pub alpha: f32,
    /// A user of `n` items counts `n^-user_power`: 0 is plain cosine, 1 the random walk of RP3beta (Paudel,
    /// Christoffel, Newell and Bernstein 2016) and the linear part of GF-CF.
    pub user_power: f32,
    /// Added to the product of the norms: similarities resting on few users shrink.
    pub shrinkage: f32,
    /// Items of a user looked at, those of most weight; a robot's history would cost its square.
    pub history: usize,
}

impl Default for ItemKnnOptions {
    /// Good on check-ins (Gowalla) and, where shrinkage matters, on sparse purchases (Amazon Sports): `make bench-cf`.
    fn default() -> Self {
        Self {
            neighbors: 200,
            weighting: Weighting::Plain,
            alpha: 0.7,
            user_power: 0.5,
            shrinkage: 10.0,
            history: 2_000,
        }
    }
}

impl ItemKnnOptions {
    fn check(&self) -> Result<()> {
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
}

/// A neighbour of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemNeighbor {
    /// Number of the neighbour.
    pub item: u32,
    /// Higher is nearer.
    pub similarity: f32,
    /// Users who had both.
    pub users: u32,
}

/// The nearest neighbours of every item (Sarwar, Karypis, Konstan and Riedl 2001; Deshpande and Karypis 2004). An
/// item scores the sum over the history of weight times similarity, so the parts of the sum explain it.
#[derive(Clone, Debug)]
pub struct ItemKnn {
    /// Neighbours of each item, the nearest first.
    neighbors: Vec<Vec<ItemNeighbor>>,
}

impl ItemKnn {
    /// Fits to users x items, in time of the sum over users of their squared number of items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &ItemKnnOptions) -> Result<Self> {
        options.check()?;
        let users = weighted(&heaviest(interactions, options.history)?, options.weighting);
        let by_item = users.transpose();
        let norms: Vec<f32> = by_item.row_norms().iter().map(|n| n * n).collect();
        let power = |norms: &[f32], p: f32| norms.iter().map(|n| n.powf(p)).collect::<Vec<_>>();
        let fit = Fit {
            shares: users
                .row_counts()
                .iter()
                .map(|n| (*n as f32).powf(-options.user_power))
                .collect(),
            source: power(&norms, options.alpha),
            target: power(&norms, 1.0 - options.alpha),
            users,
            by_item,
            options,
        };
        let items = 0..interactions.columns();
        let neighbors = items.into_par_iter().map_init(
            || Overlap::new(interactions.columns()),
            |overlap, item| fit.neighbors(item, overlap),
        );
        Ok(Self {
            neighbors: neighbors.collect(),
        })
    }

    /// Neighbours of an item, the nearest first; none of an unknown item.
    pub fn neighbors(&self, item: u32) -> &[ItemNeighbor] {
        self.neighbors.get(item as usize).map_or(&[], Vec::as_slice)
    }

    /// The items of a history that speak for `item`, the strongest first, each as the history's item with its part
    /// of the score.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let part = |(from, weight): (usize, f32)| {
            let neighbor = self.neighbors[from].iter().find(|n| n.item == item)?;
            Some(Scored {
                item: from as u32,
                score: weight * neighbor.similarity,
            })
        };
        let mut parts: Vec<_> = known(history, self.items()).filter_map(part).collect();
        parts.sort_by(rank::order);
        parts
    }
}

impl Recommender for ItemKnn {
    fn items(&self) -> usize {
        self.neighbors.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.neighbors.len(), 0.0);
        for (item, weight) in known(history, self.items()) {
            for neighbor in &self.neighbors[item] {
                out[neighbor.item as usize] += weight * neighbor.similarity;
            }
        }
    }
}

/// Each row's `limit` entries of most weight.
fn heaviest(interactions: &Matrix, limit: usize) -> Result<Matrix> {
    if interactions.iter().all(|row| row.indices.len() <= limit) {
        return Ok(interactions.clone());
    }
    let rows = (0_u32..).zip(interactions.iter());
    let triples = rows.flat_map(|(user, row)| {
        let mut kept: Vec<_> = row.iter().collect();
        kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        kept.truncate(limit);
        kept.into_iter()
            .map(move |(item, weight)| (user, item as u32, weight))
    });
    Matrix::from_triples(interactions.rows(), interactions.columns(), triples)
}

fn weighted(interactions: &Matrix, weighting: Weighting) -> Matrix {
    let Weighting::Bm25 { k1, b } = weighting else {
        return interactions.clone();
    };
    let users = interactions.rows() as f32;
    let common = interactions.column_counts();
    // Always positive, even of an item that everybody has.
    let idf: Vec<f32> = common.iter().map(|n| (users / *n as f32).ln_1p()).collect();
    let lengths: Vec<f32> = interactions
        .iter()
        .map(|row| row.values.iter().sum())
        .collect();
    let mean = lengths.iter().sum::<f32>() / users.max(1.0);
    interactions.map(|user, item, weight| {
        let discount = k1 * (1.0 - b + b * lengths[user] / mean);
        idf[item] * weight * (k1 + 1.0) / (weight + discount)
    })
}

/// What finding neighbours reads.
struct Fit<'a> {
    users: Matrix,
    by_item: Matrix,
    /// What each user counts.
    shares: Vec<f32>,
    /// Powers of the squared norms, by which similarities are divided.
    source: Vec<f32>,
    target: Vec<f32>,
    options: &'a ItemKnnOptions,
}

impl Fit<'_> {
    fn neighbors(&self, item: usize, overlap: &mut Overlap) -> Vec<ItemNeighbor> {
        for (user, weight) in self.by_item.row(item).iter() {
            overlap.add(self.users.row(user), weight * self.shares[user]);
        }
        let mut found = Vec::with_capacity(overlap.touched.len());
        for other in overlap.touched.drain(..) {
            let number = other as usize;
            let (dot, users) = std::mem::take(&mut overlap.sums[number]);
            if number != item {
                let norm = self.source[item] * self.target[number] + self.options.shrinkage;
                found.push(ItemNeighbor {
                    item: other,
                    similarity: dot / norm,
                    users,
                });
            }
        }
        let order = |a: &ItemNeighbor, b: &ItemNeighbor| {
            b.similarity
                .total_cmp(&a.similarity)
                .then(a.item.cmp(&b.item))
        };
        let limit = self.options.neighbors;
        if found.len() > limit {
            found.select_nth_unstable_by(limit - 1, order);
            found.truncate(limit);
            found.shrink_to_fit();
        }
        found.sort_unstable_by(order);
        found
    }
}

/// Products and co-counts of one item with all others.
struct Overlap {
    sums: Vec<(f32, u32)>,
    /// Items with a sum.
    touched: Vec<u32>,
}

impl Overlap {
    fn new(items: usize) -> Self {
        Self {
            sums: vec![(0.0, 0); items],
            touched: Vec::new(),
        }
    }

    fn add(&mut self, user: super::Row<'_>, weight: f32) {
        for (item, value) in user.indices.iter().zip(user.values) {
            let (sum, count) = &mut self.sums[*item as usize];
            if *count == 0 {
                self.touched.push(*item);
            }
            *sum += weight * value;
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, dense, random};

    /// Similarities by the formula, in f64.
    fn naive(matrix: &Matrix, options: &ItemKnnOptions) -> Vec<Vec<f64>> {
        let mut x = dense(matrix);
        let users = x.len();
        let counts: Vec<_> = x
            .iter()
            .map(|row| row.iter().filter(|v| **v > 0.0).count() as f64)
            .collect();
        if let Weighting::Bm25 { k1, b } = options.weighting {
            let (k1, b) = (f64::from(k1), f64::from(b));
            let lengths: Vec<f64> = x.iter().map(|row| row.iter().sum()).collect();
            let mean = lengths.iter().sum::<f64>() / users as f64;
            let had = |i: usize| x.iter().filter(|row| row[i] > 0.0).count() as f64;
            let idf: Vec<_> = (0..matrix.columns())
                .map(|i| (1.0 + users as f64 / had(i)).ln())
                .collect();
            for (row, length) in x.iter_mut().zip(&lengths) {
                for (value, idf) in row.iter_mut().zip(&idf).filter(|(v, _)| **v > 0.0) {
                    *value =
                        idf * *value * (k1 + 1.0) / (*value + k1 * (1.0 - b + b * length / mean));
                }
            }
        }
        let items = 0..matrix.columns();
        let (alpha, power) = (f64::from(options.alpha), f64::from(options.user_power));
        let similarity = |i: usize, j: usize| {
            let dot: f64 = x
                .iter()
                .zip(&counts)
                .map(|(row, n)| row[i] * row[j] / n.max(1.0).powf(power))
                .sum();
            let norm = |i: usize| x.iter().map(|row| row[i] * row[i]).sum::<f64>();
            let norms = norm(i).powf(alpha) * norm(j).powf(1.0 - alpha);
            if i == j || dot == 0.0 {
                0.0
            } else {
                dot / (norms + f64::from(options.shrinkage))
            }
        };
        items
            .clone()
            .map(|i| items.clone().map(|j| similarity(i, j)).collect())
            .collect()
    }

    #[test]
    fn similarities_are_those_of_the_formula() {
        let weightings = [Weighting::Plain, Weighting::Bm25 { k1: 1.2, b: 0.75 }];
        for (seed, weighting) in (0..).zip(weightings.into_iter().cycle().take(8)) {
            let matrix = random(seed, 30, 20, 0.2);
            let (alpha, shrinkage, user_power) =
                (0.1 * seed as f32, seed as f32, 0.2 * seed as f32);
            let options = ItemKnnOptions {
                weighting,
                alpha,
                shrinkage,
                user_power,
                ..Default::default()
            };
            let model = ItemKnn::fit(&matrix, &options).expect("fits");
            let history = [(3, 1.0), (5, 2.0)];
            let similarity = naive(&matrix, &options);
            let expected: Vec<_> = (0..20)
                .map(|j| similarity[3][j] + 2.0 * similarity[5][j])
                .collect();
            let mut scores = Vec::new();
            model.scores(&history, &mut scores);
            close(&scores, &expected, 1e-4);
        }
    }

    #[test]
    fn neighbors_carry_their_users_and_explain_scores() {
        let had = [(0, [0, 1]), (1, [0, 1]), (2, [0, 2])];
        let triples = had
            .into_iter()
            .flat_map(|(u, items)| items.map(|i| (u, i, 1.0)));
        let matrix = Matrix::from_triples(3, 4, triples).expect("valid");
        let model = ItemKnn::fit(&matrix, &ItemKnnOptions::default()).expect("fits");
        let users: Vec<_> = model
            .neighbors(0)
            .iter()
            .map(|n| (n.item, n.users))
            .collect();
        assert_eq!(users, [(1, 2), (2, 1)]);
        assert!(model.neighbors(3).is_empty() && model.neighbors(99).is_empty());
        let history = [(1, 1.0), (2, 0.5), (3, 1.0), (99, 1.0)];
        let reasons = model.reasons(&history, 0);
        assert_eq!(reasons.iter().map(|r| r.item).collect::<Vec<_>>(), [1, 2]);
        let mut scores = Vec::new();
        model.scores(&history, &mut scores);
        assert_eq!(scores[0], reasons.iter().map(|r| r.score).sum::<f32>());
    }

    #[test]
    fn robots_are_cut_and_only_the_nearest_kept() {
        let triples = (0..40)
            .map(|i| (0, i, 1.0 + i as f32))
            .chain((0..40).map(|i| (1 + i % 3, i, 1.0)));
        let matrix = Matrix::from_triples(4, 40, triples).expect("valid");
        let options = ItemKnnOptions {
            history: 20,
            neighbors: 5,
            ..Default::default()
        };
        let model = ItemKnn::fit(&matrix, &options).expect("fits");
        assert!((0..40).all(|i| model.neighbors(i).len() == 5));
        let kept = heaviest(&matrix, 20).expect("valid");
        assert_eq!(kept.row(0).indices, (20..40).collect::<Vec<_>>());
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let matrix = random(1, 3, 3, 0.5);
        let good = ItemKnnOptions::default();
        let bad = [
            ItemKnnOptions {
                neighbors: 0,
                ..good
            },
            ItemKnnOptions { alpha: 1.5, ..good },
            ItemKnnOptions {
                shrinkage: f32::NAN,
                ..good
            },
            ItemKnnOptions {
                user_power: -1.0,
                ..good
            },
            ItemKnnOptions {
                weighting: Weighting::Bm25 { k1: 1.0, b: 2.0 },
                ..good
            },
        ];
        assert!(
            bad.iter()
                .all(|options| ItemKnn::fit(&matrix, options).is_err())
        );
    }
}
