//! Held-out items, on which the options of models are compared.

use std::borrow::Cow;

use rand::{SeedableRng, rngs::StdRng, seq::index};
use roaring::RoaringBitmap;

use super::{Matrix, Recommender, Request, metrics::Figures};
use crate::Result;

/// Depth of the rankings that are compared.
const DEPTH: usize = 20;

/// Candidates of the evidence that a similarity needs.
pub(super) const EVIDENCE_CANDIDATES: [f32; 5] = [0.0, 3.0, 10.0, 30.0, 100.0];

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
    pub(super) fn items(&self) -> RoaringBitmap {
        let rows = self.tested.iter().map(|t| self.train.row(t.0 as usize));
        rows.flat_map(|row| row.indices).copied().collect()
    }

    /// Returns the set with fewer users, so that the neighbors of their items take at most
    /// `max_cooccurrences` steps.
    pub(super) fn within(&self, max_cooccurrences: u64) -> Cow<'_, Self> {
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
    pub(super) fn best<O: Copy, M: Recommender>(
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
    fn too_many_cooccurrences_reduce_the_users() {
        let matrix = random(2, 60, 20, 0.3);
        let held_out = HeldOut::random(&matrix, 60, 1).expect("valid");
        assert_eq!(held_out.within(u64::MAX).tested, held_out.tested);
        let few = held_out.within(400).into_owned();
        assert!(few.tested.len() < held_out.tested.len() / 2 && !few.tested.is_empty());
        assert_eq!(few.train, held_out.train);
        assert_eq!(held_out.within(0).tested.len(), 1);
    }
}
