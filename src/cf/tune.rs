//! Tuning of options that depend on the data, by how well they rank held-out items.
//!
//! The evidence that a similarity needs differs between a shop where users buy twice and one where
//! they come daily; a wrong [`ItemKnnOptions::shrinkage`] costs more than any other choice. Other
//! options have wide optima.

use std::borrow::Cow;

use rand::{SeedableRng, rngs::StdRng, seq::index};
use roaring::RoaringBitmap;

use super::{
    GraphFilter, GraphFilterOptions, ItemKnn, ItemKnnOptions, Matrix, Recommender, Request,
    metrics::Figures,
};
use crate::Result;

/// Maximum number of test users: enough to tell the candidates apart.
const MAX_TEST_USERS: usize = 5_000;

/// Depth of the rankings that are compared.
const DEPTH: usize = 20;

/// Maximum number of co-occurrences computed per candidate, which takes seconds.
const MAX_COOCCURRENCES: u64 = 1 << 30;

/// Candidates of the evidence that a similarity needs.
const EVIDENCE_CANDIDATES: [f32; 5] = [0.0, 3.0, 10.0, 30.0, 100.0];

/// One held-out item of each of some users, and the interactions without these.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// Interactions to fit on.
    pub train: Matrix,
    /// Held-out pairs of user and item, ascending by user.
    pub tested: Vec<(u32, u32)>,
}

impl HeldOut {
    /// Holds out one random item of each of at most `users` random users with at least two items.
    ///
    /// # Errors
    /// None for a valid matrix.
    pub fn random(interactions: &Matrix, users: usize, seed: u64) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let (rows, columns) = (interactions.rows(), interactions.columns());
        let eligible: Vec<_> = (0..rows)
            .filter(|u| interactions.row(*u).indices.len() > 1)
            .collect();
        let mut chosen: Vec<_> = index::sample(&mut rng, eligible.len(), users.min(eligible.len()))
            .iter()
            .map(|n| eligible[n])
            .collect();
        chosen.sort_unstable();
        let mut tested = Vec::with_capacity(chosen.len());
        for user in chosen {
            let items = interactions.row(user).indices;
            let item = items[index::sample(&mut rng, items.len(), 1).index(0)];
            tested.push((user as u32, item));
        }
        let kept = (0_u32..).zip(interactions.iter()).flat_map(|(user, row)| {
            let out = tested.binary_search_by_key(&user, |t| t.0);
            let out = out.ok().map(|n| tested[n].1 as usize);
            row.iter()
                .filter(move |(item, _)| Some(*item) != out)
                .map(move |(item, weight)| (user, item as u32, weight))
        });
        Ok(Self {
            train: Matrix::from_triples(rows, columns, kept)?,
            tested,
        })
    }

    /// Returns the items that the test users have left.
    fn items(&self) -> RoaringBitmap {
        let rows = self.tested.iter().map(|t| self.train.row(t.0 as usize));
        rows.flat_map(|row| row.indices).copied().collect()
    }

    /// Returns the set with fewer users, so that the neighbors of their items take at most
    /// `max_cooccurrences` steps.
    fn within(&self, max_cooccurrences: u64) -> Cow<'_, Self> {
        let mut bounded = Cow::Borrowed(self);
        loop {
            let items = bounded.items();
            let cooccurrences = self.train.iter().map(|row| {
                let tested = row.indices.iter().filter(|i| items.contains(**i)).count();
                tested as u64 * row.indices.len() as u64
            });
            if cooccurrences.sum::<u64>() <= max_cooccurrences || bounded.tested.len() <= 1 {
                return bounded;
            }
            // Every other user, since the order of user numbers may not be random.
            let half = bounded.tested.iter().step_by(2).copied().collect();
            bounded.to_mut().tested = half;
        }
    }

    /// Returns the mean metrics at 20 of a model fitted on [`HeldOut::train`]; rankings are over
    /// all items that a user does not have.
    pub fn figures(&self, model: &dyn Recommender) -> Figures {
        let entries = |user: u32| self.train.row(user as usize).iter();
        let history = |(user, _): &(u32, u32)| -> Vec<_> {
            entries(*user)
                .map(|(item, weight)| (item as u32, weight))
                .collect()
        };
        let histories: Vec<_> = self.tested.iter().map(history).collect();
        let seen = |history: &Vec<(u32, f32)>| history.iter().map(|h| h.0).collect();
        let seen: Vec<RoaringBitmap> = histories.iter().map(seen).collect();
        let requests = histories.iter().zip(&seen);
        let requests: Vec<_> = requests
            .map(|(history, excluded)| Request { history, excluded })
            .collect();
        let recommended = model.recommend_many(&requests, DEPTH);
        let figures = self.tested.iter().zip(&recommended);
        let figures: Vec<_> = figures
            .map(|((_, item), list)| Figures::of(list, &[*item], DEPTH))
            .collect();
        Figures::mean(&figures)
    }

    /// Returns the candidate with the best NDCG; the first of equals.
    fn best<O: Copy, M: Recommender>(
        &self,
        candidates: impl Iterator<Item = O>,
        fit: impl Fn(&Matrix, &O) -> Result<M>,
    ) -> Result<Option<O>> {
        let mut best: Option<(f64, O)> = None;
        for options in candidates {
            let ndcg = self.figures(&fit(&self.train, &options)?).ndcg;
            if best.is_none_or(|(highest, _)| ndcg > highest) {
                best = Some((ndcg, options));
            }
        }
        Ok(best.map(|(_, options)| options))
    }
}

/// Returns `options` with the shrinkage that ranks randomly held-out items best.
///
/// # Errors
/// Options out of range.
pub fn item_knn(
    interactions: &Matrix,
    options: &ItemKnnOptions,
    seed: u64,
) -> Result<ItemKnnOptions> {
    item_knn_on_held_out(
        &HeldOut::random(interactions, MAX_TEST_USERS, seed)?,
        options,
    )
}

/// Returns `options` with the shrinkage that ranks the held-out items best, in the time of at most
/// five fits: neighbors are only computed for the items of the test users, and of fewer users if
/// that takes long.
///
/// # Errors
/// Options out of range.
pub fn item_knn_on_held_out(
    held_out: &HeldOut,
    options: &ItemKnnOptions,
) -> Result<ItemKnnOptions> {
    let held_out = held_out.within(MAX_COOCCURRENCES);
    let items = held_out.items();
    let candidates = EVIDENCE_CANDIDATES.map(|shrinkage| ItemKnnOptions {
        shrinkage,
        ..*options
    });
    let fit = |train: &Matrix, options: &_| ItemKnn::fit_for_items(train, options, &items);
    let best = held_out.best(candidates.into_iter(), fit)?;
    Ok(best.unwrap_or(*options))
}

/// Returns `options` with the smoothing whose linear part ranks held-out items best.
///
/// # Errors
/// Options out of range.
pub fn graph_filter(
    interactions: &Matrix,
    options: &GraphFilterOptions,
    seed: u64,
) -> Result<GraphFilterOptions> {
    let held_out = HeldOut::random(interactions, MAX_TEST_USERS, seed)?;
    let candidates = EVIDENCE_CANDIDATES.map(|smoothing| GraphFilterOptions {
        smoothing,
        rank: 0,
        ..*options
    });
    let best = held_out.best(candidates.into_iter(), GraphFilter::fit)?;
    Ok(best.map_or(*options, |best| GraphFilterOptions {
        rank: options.rank,
        ..best
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::random;

    #[test]
    fn one_item_per_user_is_held_out() {
        let matrix = random(1, 60, 20, 0.2);
        for users in [0, 10, 1_000] {
            let held_out = HeldOut::random(&matrix, users, 1).expect("valid");
            let eligible = matrix.iter().filter(|r| r.indices.len() > 1).count();
            assert_eq!(held_out.tested.len(), users.min(eligible));
            assert_eq!(held_out.train.len() + held_out.tested.len(), matrix.len());
            for (user, item) in &held_out.tested {
                assert!(matrix.row(*user as usize).indices.contains(item));
                assert!(!held_out.train.row(*user as usize).indices.contains(item));
            }
        }
    }

    #[test]
    fn the_evidence_that_is_needed_is_found() {
        // Each user has two items that their group shares, and two that they share by chance with
        // another user: similarities that rest on one user must count little.
        let mut triples = Vec::new();
        for user in 0..600_u32 {
            let group = user % 2;
            triples.extend([group, 2 + group].map(|item| (user, item, 1.0)));
            triples.push((user, 10 + user / 2, 1.0));
            triples.push((user, 10 + 300 + (user * 7) % 300, 1.0));
        }
        let matrix = Matrix::from_triples(600, 610, triples).expect("valid");
        let options = item_knn(&matrix, &ItemKnnOptions::default(), 3).expect("valid");
        assert!(options.shrinkage > 0.0, "{options:?}");
        let filter = graph_filter(&matrix, &GraphFilterOptions::default(), 3).expect("valid");
        assert!(filter.smoothing > 0.0, "{filter:?}");
        assert_eq!(filter.rank, GraphFilterOptions::default().rank);
    }

    #[test]
    fn too_many_cooccurrences_reduce_the_users() {
        let matrix = random(2, 60, 20, 0.3);
        let held_out = HeldOut::random(&matrix, 60, 1).expect("valid");
        assert_eq!(held_out.within(u64::MAX).tested, held_out.tested);
        let few = held_out.within(400).into_owned();
        assert!(few.tested.len() < held_out.tested.len() / 2 && !few.tested.is_empty());
        assert_eq!(few.train, held_out.train);
        assert_eq!(held_out.within(0).tested.len(), 1);
    }

    #[test]
    fn nothing_to_hold_out_changes_nothing() {
        let empty = Matrix::from_triples(0, 0, []).expect("valid");
        let options = ItemKnnOptions::default();
        let tuned = item_knn(&empty, &options, 1).expect("valid");
        assert_eq!(tuned.shrinkage, EVIDENCE_CANDIDATES[0]);
    }
}
