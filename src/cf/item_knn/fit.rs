//! Fit of item neighborhoods from the co-occurrences of all pairs of items.

use super::{ItemKnnOptions, ItemNeighbor, Weighting, nearest};
use crate::{
    Result,
    cf::{Matrix, Row},
};

/// Returns the `limit` entries of most weight of each row.
pub(super) fn heaviest(interactions: &Matrix, limit: usize) -> Result<Matrix> {
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
    // Always positive, even for an item that all users have.
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

/// Inputs of the computation of neighbors.
pub(super) struct Fit<'a> {
    users: Matrix,
    by_item: Matrix,
    /// Weight of each user.
    shares: Vec<f32>,
    /// Squared norm of each item.
    pub norms: Vec<f32>,
    /// Powers of the norms, the divisors of similarities.
    source: Vec<f32>,
    target: Vec<f32>,
    options: &'a ItemKnnOptions,
}

impl<'a> Fit<'a> {
    pub fn new(interactions: &Matrix, options: &'a ItemKnnOptions) -> Result<Self> {
        let users = weighted(&heaviest(interactions, options.history)?, options.weighting);
        let by_item = users.transpose();
        let norms: Vec<f32> = by_item.row_norms().iter().map(|n| n * n).collect();
        let share = |items: &u32| (*items as f32).powf(-options.user_power);
        Ok(Self {
            shares: users.row_counts().iter().map(share).collect(),
            source: options.sources(&norms),
            target: options.targets(&norms),
            users,
            by_item,
            norms,
            options,
        })
    }

    /// Returns the neighbors of an item; rows for which `is_counted` is false are not counted as
    /// users of theirs.
    pub fn neighbors(
        &self,
        item: usize,
        overlap: &mut Overlap,
        is_counted: &impl Fn(usize) -> bool,
    ) -> Vec<ItemNeighbor> {
        for (user, weight) in self.by_item.row(item).iter() {
            let weight = weight * self.shares[user];
            overlap.add(self.users.row(user), weight, is_counted(user));
        }
        let mut neighbors = Vec::with_capacity(overlap.touched.len());
        for other in overlap.touched.drain(..) {
            let number = other as usize;
            let Sum { dot, users, .. } = std::mem::take(&mut overlap.sums[number]);
            if number != item {
                let norm = self.source[item] * self.target[number] + self.options.shrinkage;
                neighbors.push(ItemNeighbor {
                    item: other,
                    similarity: dot / norm,
                    // Those of a row that is not counted are someone.
                    users: users.max(1),
                });
            }
        }
        nearest(neighbors, self.options.neighbors)
    }
}

/// Sums over the rows that two items have in common.
#[derive(Clone, Copy, Default)]
struct Sum {
    dot: f32,
    rows: u32,
    users: u32,
}

/// Products and common users of one item with all others.
pub(super) struct Overlap {
    sums: Vec<Sum>,
    /// Items with a sum.
    touched: Vec<u32>,
}

impl Overlap {
    pub fn new(items: usize) -> Self {
        Self {
            sums: vec![Sum::default(); items],
            touched: Vec::new(),
        }
    }

    fn add(&mut self, user: Row<'_>, weight: f32, is_counted: bool) {
        for (item, value) in user.indices.iter().zip(user.values) {
            let sum = &mut self.sums[*item as usize];
            if sum.rows == 0 {
                self.touched.push(*item);
            }
            sum.dot += weight * value;
            sum.rows += 1;
            sum.users += u32::from(is_counted);
        }
    }
}
