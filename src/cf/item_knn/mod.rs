//! Item neighbourhoods: items that the same users had, with the number of those users to explain it.

mod fit;
mod live;
mod options;
mod sums;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use rayon::prelude::*;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{Matrix, Recommender, Request, Scored, known, rank};
use crate::Result;
pub use live::LiveItemKnn;
pub use options::{ItemKnnOptions, Weighting};

/// A neighbour of an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemNeighbor {
    /// Number of the neighbour.
    pub item: u32,
    /// Higher is nearer.
    pub similarity: f32,
    /// Users who had both.
    pub users: u32,
}

fn nearer(a: &ItemNeighbor, b: &ItemNeighbor) -> Ordering {
    let by_similarity = b.similarity.total_cmp(&a.similarity);
    by_similarity.then(a.item.cmp(&b.item))
}

/// The `limit` nearest, in order.
fn nearest(mut found: Vec<ItemNeighbor>, limit: usize) -> Vec<ItemNeighbor> {
    if found.len() > limit {
        found.select_nth_unstable_by(limit - 1, nearer);
        found.truncate(limit);
        found.shrink_to_fit();
    }
    found.sort_unstable_by(nearer);
    found
}

/// The nearest neighbours of every item (Sarwar, Karypis, Konstan and Riedl 2001; Deshpande and Karypis 2004). An
/// item scores the sum over the history of weight times similarity, so the parts of the sum explain it.
/// [`LiveItemKnn`] counts what happens after the fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemKnn {
    options: ItemKnnOptions,
    /// Squared norm of each item.
    norms: Vec<f32>,
    /// Neighbours of each item, the nearest first.
    neighbors: Vec<Vec<ItemNeighbor>>,
}

impl ItemKnn {
    /// Fits to users x items, in time of the sum over users of their squared number of items.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(interactions: &Matrix, options: &ItemKnnOptions) -> Result<Self> {
        Self::fit_where(interactions, options, |_| true)
    }

    /// The same where only histories of `items` will be asked about: others get no neighbours.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit_of(
        interactions: &Matrix,
        options: &ItemKnnOptions,
        items: &RoaringBitmap,
    ) -> Result<Self> {
        Self::fit_where(interactions, options, |item| items.contains(item as u32))
    }

    fn fit_where(
        interactions: &Matrix,
        options: &ItemKnnOptions,
        wanted: impl Fn(usize) -> bool + Sync,
    ) -> Result<Self> {
        options.check()?;
        let fit = fit::Fit::new(interactions, options)?;
        let items = 0..interactions.columns();
        let neighbors = items.into_par_iter().map_init(
            || fit::Overlap::new(interactions.columns()),
            |overlap, item| match wanted(item) {
                true => fit.neighbors(item, overlap),
                false => Vec::new(),
            },
        );
        Ok(Self {
            neighbors: neighbors.collect(),
            norms: fit.norms,
            options: *options,
        })
    }

    /// Whether the parts fit together, for one that was read.
    pub(super) fn is_sound(&self) -> bool {
        let items = self.neighbors.len();
        let mut neighbors = self.neighbors.iter().flatten();
        self.options.check().is_ok()
            && self.norms.len() == items
            && self.norms.iter().all(|n| *n >= 0.0 && n.is_finite())
            && neighbors.all(|n| (n.item as usize) < items && n.similarity.is_finite())
    }

    /// How it was fitted.
    pub fn options(&self) -> &ItemKnnOptions {
        &self.options
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

    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let request = Request { history, excluded };
        self.best(&request, k, &mut sums::Sums::new(self.items()))
    }

    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        let best = |sums: &mut sums::Sums, request: &Request<'_>| self.best(request, k, sums);
        let requests = requests.par_iter().with_min_len(64);
        requests
            .map_init(|| sums::Sums::new(self.items()), best)
            .collect()
    }
}

impl ItemKnn {
    /// The same as from all scores, in time of the neighbours of the history only.
    fn best(&self, request: &Request<'_>, k: usize, sums: &mut sums::Sums) -> Vec<Scored> {
        for (item, weight) in known(request.history, self.items()) {
            for neighbor in &self.neighbors[item] {
                sums.add(neighbor.item, weight * neighbor.similarity);
            }
        }
        let best = rank::best_of(sums.drain(request.excluded), k);
        // Items without a sum have score 0: they come before negative ones, and where there are too few.
        if best.len() == k && best.iter().all(|s| s.score > 0.0) {
            return best;
        }
        let mut scores = Vec::new();
        self.scores(request.history, &mut scores);
        rank::best(&mut scores, k, request.excluded)
    }
}
