//! Item neighborhoods: items with common users, and the number of these users as an explanation.

mod by_domain;
mod fit;
mod live;
mod options;
mod sums;
#[cfg(test)]
mod tests;
mod tuning;

use std::cmp::Ordering;

use rayon::prelude::*;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{
    Matrix, Recommender, Request, Scored, held_out::HeldOut, kinds::ModelKind, known_items, rank,
};
use crate::Result;
pub use live::LiveItemKnn;
pub use options::{ItemKnnOptions, Weighting};

/// A neighbor of an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemNeighbor {
    /// Number of the neighbor.
    pub item: u32,
    /// Similarity; higher is nearer.
    pub similarity: f32,
    /// Number of users with both items.
    pub users: u32,
}

/// Orders neighbors, the nearest first.
pub(crate) fn nearer(a: &ItemNeighbor, b: &ItemNeighbor) -> Ordering {
    let by_similarity = b.similarity.total_cmp(&a.similarity);
    by_similarity.then(a.item.cmp(&b.item))
}

/// Returns the `limit` nearest, in order.
fn nearest(mut neighbors: Vec<ItemNeighbor>, limit: usize) -> Vec<ItemNeighbor> {
    if neighbors.len() > limit {
        neighbors.select_nth_unstable_by(limit - 1, nearer);
        neighbors.truncate(limit);
        neighbors.shrink_to_fit();
    }
    neighbors.sort_unstable_by(nearer);
    neighbors
}

/// The nearest neighbors of every item (Sarwar, Karypis, Konstan and Riedl 2001; Deshpande and
/// Karypis 2004). The score of an item is the sum over the history of weight times similarity,
/// whose terms explain it. [`LiveItemKnn`] counts events after the fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemKnn {
    options: ItemKnnOptions,
    /// Squared norm of each item.
    norms: Vec<f32>,
    /// Neighbors of each item, the nearest first.
    neighbors: Vec<Vec<ItemNeighbor>>,
}

impl ItemKnn {
    /// Fits to users x items. The time is proportional to the sum over users of the squared number
    /// of their items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &ItemKnnOptions) -> Result<Self> {
        Self::fit_where(interactions, options, |_| true, |_| true)
    }

    /// Fits to rows of users and of their sessions; only those for which `is_counted` is true are
    /// counted as [users](ItemNeighbor::users), so that nobody is counted twice.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit_counting(
        interactions: &Matrix,
        options: &ItemKnnOptions,
        is_counted: impl Fn(usize) -> bool + Sync,
    ) -> Result<Self> {
        Self::fit_where(interactions, options, |_| true, is_counted)
    }

    /// Fits for histories of `items` only: other items get no neighbors.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit_for_items(
        interactions: &Matrix,
        options: &ItemKnnOptions,
        items: &RoaringBitmap,
    ) -> Result<Self> {
        let is_wanted = |item: usize| items.contains(item as u32);
        Self::fit_where(interactions, options, is_wanted, |_| true)
    }

    fn fit_where(
        interactions: &Matrix,
        options: &ItemKnnOptions,
        wanted: impl Fn(usize) -> bool + Sync,
        is_counted: impl Fn(usize) -> bool + Sync,
    ) -> Result<Self> {
        options.check()?;
        let fit = fit::Fit::new(interactions, options)?;
        let items = 0..interactions.columns();
        let neighbors = items.into_par_iter().map_init(
            || fit::Overlap::new(interactions.columns()),
            |overlap, item| {
                if wanted(item) {
                    fit.neighbors(item, overlap, &is_counted)
                } else {
                    Vec::new()
                }
            },
        );
        Ok(Self {
            neighbors: neighbors.collect(),
            norms: fit.norms,
            options: *options,
        })
    }

    /// Returns the options of the fit.
    pub fn options(&self) -> &ItemKnnOptions {
        &self.options
    }

    /// Returns the neighbors of an item, the nearest first; empty for an unknown item.
    pub fn neighbors(&self, item: u32) -> &[ItemNeighbor] {
        self.neighbors.get(item as usize).map_or(&[], Vec::as_slice)
    }

    /// Returns the items of a history that contribute to the score of `item`, the strongest first,
    /// each with its contribution.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let contribution = |(from, weight): (usize, f32)| {
            let neighbor = self.neighbors[from].iter().find(|n| n.item == item)?;
            Some(Scored {
                item: from as u32,
                score: weight * neighbor.similarity,
            })
        };
        let history = known_items(history, self.items());
        let mut reasons: Vec<_> = history.filter_map(contribution).collect();
        reasons.sort_by(rank::order);
        reasons
    }
}

impl ModelKind for ItemKnn {
    type Options = ItemKnnOptions;

    const NAME: &'static str = "item-knn";
    const AUTO_MAX_ITEMS: Option<usize> = Some(usize::MAX);

    fn fit_matrix(interactions: &Matrix, options: &ItemKnnOptions) -> Result<Self> {
        Self::fit(interactions, options)
    }

    fn tuned(options: &ItemKnnOptions, held_out: &HeldOut) -> Result<ItemKnnOptions> {
        tuning::shrinkage_on_held_out(held_out, options)
    }

    /// Neighbors of 12 bytes, and one row of sums per thread.
    fn training_memory(options: &ItemKnnOptions, _users: u64, items: u64) -> u64 {
        let threads = rayon::current_num_threads() as u64;
        items * (options.neighbors as u64).min(items) * 12 + threads * items * 16
    }

    fn is_consistent(&self) -> bool {
        let items = self.neighbors.len();
        let mut neighbors = self.neighbors.iter().flatten();
        self.options.check().is_ok()
            && self.norms.len() == items
            && self.norms.iter().all(|n| *n >= 0.0 && n.is_finite())
            && neighbors.all(|n| (n.item as usize) < items && n.similarity.is_finite())
    }
}

impl Recommender for ItemKnn {
    fn items(&self) -> usize {
        self.neighbors.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.neighbors.len(), 0.0);
        for (item, weight) in known_items(history, self.items()) {
            for neighbor in &self.neighbors[item] {
                out[neighbor.item as usize] += weight * neighbor.similarity;
            }
        }
    }

    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let request = Request { history, excluded };
        self.top_k(&request, k, &mut sums::Sums::new(self.items()))
    }

    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        let best = |sums: &mut sums::Sums, request: &Request<'_>| self.top_k(request, k, sums);
        let requests = requests.par_iter().with_min_len(64);
        requests
            .map_init(|| sums::Sums::new(self.items()), best)
            .collect()
    }
}

impl ItemKnn {
    /// Returns the same as a ranking of all scores, in time proportional to the neighbors of the
    /// history.
    fn top_k(&self, request: &Request<'_>, k: usize, sums: &mut sums::Sums) -> Vec<Scored> {
        for (item, weight) in known_items(request.history, self.items()) {
            for neighbor in &self.neighbors[item] {
                sums.add(neighbor.item, weight * neighbor.similarity);
            }
        }
        let best = rank::top_k_of(sums.drain(request.excluded), k);
        // Items without a sum have score 0: they rank above negative ones, and fill the rest.
        if best.len() == k && best.iter().all(|s| s.score > 0.0) {
            return best;
        }
        let mut scores = Vec::new();
        self.scores(request.history, &mut scores);
        rank::top_k(&mut scores, k, request.excluded)
    }
}
