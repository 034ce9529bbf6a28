//! Collaborative filtering: learns item relations from views, likes and purchases.
//!
//! Models are fitted to a [`Matrix`] of users x items and used through one trait, [`Recommender`],
//! which maps a history of weighted items to a score of every item. The history is folded in at
//! query time, so events count at once and new users are served like any other; only relations
//! between items wait for the next fit.
//!
//! Items are numbers, `0..items`. Ids, events, storage and merchandising rules belong to the
//! callers. To add a model, see `kinds.rs`.

#[macro_use]
mod kinds;

mod content_map;
mod dense;
mod domain_model;
mod domains;
mod ease;
mod graph_filter;
pub mod held_out;
mod ials;
mod item_knn;
mod matrix;
pub mod metrics;
mod model;
mod options;
mod popularity;
mod rank;
mod sequence;
mod session_knn;
mod settings;
pub mod split;
mod stored;
mod svd;
#[cfg(test)]
mod tests;
mod transfer;
pub mod tune;

pub use content_map::{ContentMap, ContentMapOptions, ENOUGH_EVENTS};
pub use domain_model::DomainModel;
pub use domains::ItemDomains;
pub use ease::{Ease, EaseOptions};
pub use graph_filter::{GraphFilter, GraphFilterOptions};
pub use ials::{Ials, IalsOptions};
pub(crate) use item_knn::nearer;
pub use item_knn::{ItemKnn, ItemKnnOptions, ItemNeighbor, LiveItemKnn, Weighting};
pub use matrix::{Matrix, Row};
pub use options::{parse_options, to_spec_string};
pub use popularity::{Popularity, PopularityOptions};
pub use rank::Scored;
pub use sequence::{
    Gru, GruWeights, SequenceModel, SequentialRules, SequentialRulesOptions, ServedNetwork,
};
pub use session_knn::{SessionKnn, SessionKnnOptions, SimilarSessions};
pub(crate) use transfer::TRIAL_BYTES;
pub use transfer::{TransferEstimate, TransferTrial};

use rayon::prelude::*;
use roaring::RoaringBitmap;

use crate::{Error, Result};

models! {
    /// Popularity with decay.
    Popularity(PopularityOptions),
    /// Item neighborhoods.
    ItemKnn(ItemKnnOptions),
    /// Low-pass filter on the graph of users and items.
    GraphFilter(GraphFilterOptions),
    /// Linear item-item regression.
    Ease(EaseOptions),
    /// Item vectors from implicit matrix factorization.
    Ials(IalsOptions),
    /// Similar sessions.
    SessionKnn(SessionKnnOptions),
    /// Sequential rules.
    SequentialRules(SequentialRulesOptions),
}

/// Users scored together, in one matrix product.
const BATCH_USERS: usize = 64;

/// Maximum number of scores of a batch, 64 MiB.
const MAX_BATCH_SCORES: usize = 1 << 24;

/// Input of a recommendation for one user.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Items with weights, the oldest first.
    pub history: &'a [(u32, f32)],
    /// Items that must not be recommended.
    pub excluded: &'a RoaringBitmap,
}

/// A fitted model.
///
/// A history lists items with weights, the oldest first. Unknown items and weights that are not
/// finite are ignored. Without any known item, all scores are equal, except for models that include
/// popularity.
///
/// # Examples
///
/// ```
/// use roaring::RoaringBitmap;
/// use vitrine::cf::{Matrix, ModelSettings, Recommender};
///
/// // Users 0 and 1 chose the items 0 and 1, user 2 the items 2 and 3.
/// let pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3)];
/// let matrix = Matrix::from_triples(3, 4, pairs.map(|(user, item)| (user, item, 1.0)))?;
/// let settings: ModelSettings = "item-knn:shrinkage=0".parse()?;
/// let model = settings.fit_matrix(&matrix)?;
/// let best = model.recommend(&[(0, 1.0)], 1, &RoaringBitmap::from([0]));
/// assert_eq!(best[0].item, 1);
/// # Ok::<(), vitrine::Error>(())
/// ```
pub trait Recommender: Send + Sync {
    /// Returns the number of items: scores are for `0..items`.
    fn items(&self) -> usize;

    /// Replaces `out` by a finite score per item; higher is better, only the order is meaningful.
    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>);

    /// Replaces `out` by the scores of several histories, one row of `items` scores each.
    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        let mut row = Vec::new();
        out.clear();
        for history in histories {
            self.scores(history, &mut row);
            out.extend_from_slice(&row);
        }
    }

    /// Returns the best `min(k, items that are not excluded)` items, by score, then number.
    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let mut scores = Vec::new();
        self.scores(history, &mut scores);
        rank::top_k(&mut scores, k, excluded)
    }

    /// Runs [`Recommender::recommend`] for many users on all threads; results are in the order of
    /// the requests.
    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        if self.items() == 0 {
            return vec![Vec::new(); requests.len()];
        }
        let batch = (MAX_BATCH_SCORES / self.items()).clamp(1, BATCH_USERS);
        let recommend = |scores: &mut Vec<f32>, requests: &[Request<'_>]| -> Vec<_> {
            let histories: Vec<_> = requests.iter().map(|r| r.history).collect();
            self.batch_scores(&histories, scores);
            let rows = scores.chunks_exact_mut(self.items()).zip(requests);
            rows.map(|(row, request)| rank::top_k(row, k, request.excluded))
                .collect()
        };
        requests
            .par_chunks(batch)
            .map_init(Vec::new, recommend)
            .flatten_iter()
            .collect()
    }
}

/// Returns the entries of a history that a model of `items` items can use.
fn known_items(
    history: &[(u32, f32)],
    items: usize,
) -> impl DoubleEndedIterator<Item = (usize, f32)> + '_ {
    let entries = history
        .iter()
        .map(|(item, weight)| (*item as usize, *weight));
    entries.filter(move |(item, weight)| *item < items && weight.is_finite())
}
