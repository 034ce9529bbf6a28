//! Collaborative filtering: who looked at, liked or bought what says what goes with what.
//!
//! Models are fitted on a [`Matrix`] of users x items and answer through one trait, [`Recommender`]: from a history
//! of weighted items to a score of every item. The history is folded in at the time of the question, so an event
//! counts at once and a user never seen before is served like any other; only what items have to do with each
//! other waits for the next fit.
//!
//! Items are numbers here, `0..items`. Names, events, storage and rules of a shop belong to the callers.

mod dense;
mod ease;
mod graph_filter;
mod ials;
mod item_knn;
mod matrix;
pub mod metrics;
mod model;
mod popularity;
mod rank;
mod session_knn;
mod settings;
pub mod split;
mod svd;
#[cfg(test)]
mod tests;
pub mod tune;

pub use ease::{Ease, EaseOptions};
pub use graph_filter::{GraphFilter, GraphFilterOptions};
pub use ials::{Ials, IalsOptions};
pub use item_knn::{ItemKnn, ItemKnnOptions, ItemNeighbor, LiveItemKnn, Weighting};
pub use matrix::{Matrix, Row};
pub use model::Model;
pub use popularity::Popularity;
pub use rank::Scored;
pub use session_knn::{NearSessions, SessionKnn, SessionKnnOptions};
pub use settings::{PopularityOptions, Settings, options, written};

use rayon::prelude::*;
use roaring::RoaringBitmap;

/// Users scored at a time: enough to make one matrix product of it.
const BATCH: usize = 64;

/// Scores a batch may hold, 64 MiB.
const BATCH_SCORES: usize = 1 << 24;

/// What one user is recommended from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Items with weights, the oldest first.
    pub history: &'a [(u32, f32)],
    /// Items that must not come back.
    pub excluded: &'a RoaringBitmap,
}

/// A fitted model.
///
/// A history lists items with weights, the oldest first. Items the model does not know and weights that are not
/// finite are passed over. Without any known item every score is the same, but for models that know what is
/// popular.
pub trait Recommender: Send + Sync {
    /// Number of items known: scores are for `0..items`.
    fn items(&self) -> usize;

    /// Replaces `out` by a finite score for each item; higher is better, only the order has a meaning.
    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>);

    /// Scores for several histories, one row of `items` scores after another.
    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        let mut row = Vec::new();
        out.clear();
        for history in histories {
            self.scores(history, &mut row);
            out.extend_from_slice(&row);
        }
    }

    /// The best `min(k, items that are not excluded)` by score, then number.
    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let mut scores = Vec::new();
        self.scores(history, &mut scores);
        rank::best(&mut scores, k, excluded)
    }

    /// [`Recommender::recommend`] for many users on all threads, in the order of the requests.
    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        if self.items() == 0 {
            return vec![Vec::new(); requests.len()];
        }
        let batch = (BATCH_SCORES / self.items()).clamp(1, BATCH);
        let answer = |scores: &mut Vec<f32>, requests: &[Request<'_>]| -> Vec<_> {
            let histories: Vec<_> = requests.iter().map(|r| r.history).collect();
            self.batch_scores(&histories, scores);
            let rows = scores.chunks_exact_mut(self.items()).zip(requests);
            rows.map(|(row, request)| rank::best(row, k, request.excluded))
                .collect()
        };
        requests
            .par_chunks(batch)
            .map_init(Vec::new, answer)
            .flatten_iter()
            .collect()
    }
}

/// What of a history a model of `items` items can use.
fn known(
    history: &[(u32, f32)],
    items: usize,
) -> impl DoubleEndedIterator<Item = (usize, f32)> + '_ {
    let entries = history
        .iter()
        .map(|(item, weight)| (*item as usize, *weight));
    entries.filter(move |(item, weight)| *item < items && weight.is_finite())
}
