//! Session-kNN: scores items by the sessions most similar to this one.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{
    Matrix, Recommender, Scored,
    kinds::ModelKind,
    rank,
    sequence::{decayed, sequences},
    split::Interaction,
};
use crate::{Error, Result};

/// Options of [`SessionKnn`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionKnnOptions {
    /// Number of similar sessions that vote.
    pub neighbors: usize,
    /// Number of sessions compared for each item of a history: the latest that have it.
    pub sample: usize,
    /// Weight of an item relative to the next one in the session, above 0 and at most 1.
    pub decay: f32,
    /// Maximum number of sessions kept; the oldest are dropped.
    pub capacity: usize,
}

impl Default for SessionKnnOptions {
    fn default() -> Self {
        Self {
            neighbors: 200,
            sample: 1_000,
            decay: 0.8,
            capacity: 1_000_000,
        }
    }
}

/// Session neighbors (VS-kNN, Ludewig and Jannach 2018): items of a history count less the older
/// they are, and rare items more than frequent ones (idf). Of the latest sessions that share an
/// item with the history, those nearest by cosine vote for their items with their similarity times
/// the idf of the item. Nothing is fitted: a session counts once it is pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionKnn {
    options: SessionKnnOptions,
    /// Sessions, the oldest first; their items ascend.
    sessions: VecDeque<Box<[u32]>>,
    /// Number of dropped sessions, which is the number of the first session kept.
    dropped: u64,
    /// Numbers of the sessions with each item, the oldest first.
    by_item: Vec<VecDeque<u64>>,
}

impl SessionKnn {
    /// Creates a model of `items` items without sessions.
    ///
    /// # Errors
    /// Options out of range.
    pub fn new(items: usize, options: SessionKnnOptions) -> Result<Self> {
        let checks = [
            ("/neighbors", options.neighbors > 0, "must be at least 1"),
            ("/sample", options.sample > 0, "must be at least 1"),
            ("/capacity", options.capacity > 0, "must be at least 1"),
            (
                "/decay",
                options.decay > 0.0 && options.decay <= 1.0,
                "must be above 0 and at most 1",
            ),
        ];
        if let Some((pointer, _, detail)) = checks.iter().find(|c| !c.1) {
            return Err(Error::invalid(*pointer, *detail));
        }
        Ok(Self {
            options,
            sessions: VecDeque::new(),
            dropped: 0,
            by_item: vec![VecDeque::new(); items],
        })
    }

    /// Creates a model of sessions, each given with its end; keeps the latest up to the capacity.
    /// Sessions of a single item are left out, since they relate no items.
    ///
    /// # Errors
    /// Options out of range, or an unknown item.
    pub fn fit(
        items: usize,
        options: SessionKnnOptions,
        mut sessions: Vec<(i64, Box<[u32]>)>,
    ) -> Result<Self> {
        let mut model = Self::new(items, options)?;
        sessions.retain(|(_, items)| items.len() > 1);
        sessions.sort_by_key(|(end, _)| *end);
        let old = sessions.len().saturating_sub(options.capacity);
        for (_, session) in sessions.into_iter().skip(old) {
            model.push(&session)?;
        }
        Ok(model)
    }

    /// Adds a session, later than those before.
    ///
    /// # Errors
    /// An unknown item.
    pub fn push(&mut self, session: &[u32]) -> Result<()> {
        let items = self.by_item.len();
        if let Some(unknown) = session.iter().find(|item| **item as usize >= items) {
            let detail = format!("expected a number below {items}, got {unknown}");
            return Err(Error::invalid("/item", detail));
        }
        let mut session = session.to_vec();
        session.sort_unstable();
        session.dedup();
        let number = self.dropped + self.sessions.len() as u64;
        for item in &session {
            self.by_item[*item as usize].push_back(number);
        }
        self.sessions.push_back(session.into());
        if self.sessions.len() > self.options.capacity {
            self.drop_first();
        }
        Ok(())
    }

    /// Iterates over the items of each session, the latest session first.
    pub fn latest(&self) -> impl Iterator<Item = &[u32]> {
        self.sessions.iter().rev().map(|session| &**session)
    }

    fn drop_first(&mut self) {
        let first = self.sessions.pop_front().unwrap_or_default();
        for item in &first {
            self.by_item[*item as usize].pop_front();
        }
        self.dropped += 1;
    }

    /// Returns the items of a session that was not dropped.
    fn session(&self, number: u64) -> &[u32] {
        &self.sessions[(number - self.dropped) as usize]
    }

    /// Returns how rare an item is: `ln(1 + sessions / (sessions with the item + 1))`.
    fn idf(&self, item: usize) -> f32 {
        let with_item = self.by_item[item].len() as f32;
        (self.sessions.len() as f32 / (with_item + 1.0)).ln_1p()
    }

    /// Returns the history as a sparse vector: each item once, ascending, later and rarer ones with
    /// more weight.
    fn vector(&self, history: &[(u32, f32)]) -> Vec<(usize, f32)> {
        let mut vector: Vec<_> = decayed(history, self.by_item.len(), self.options.decay)
            .map(|(item, weight)| (item, weight * self.idf(item)))
            .collect();
        vector.sort_by_key(|(item, _)| *item);
        vector.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        vector
    }

    /// Returns the sessions most similar to a history.
    pub fn similar_to(&self, history: &[(u32, f32)]) -> SimilarSessions<'_> {
        let vector = self.vector(history);
        let sessions = self.neighbors(&vector).into_iter();
        SimilarSessions {
            sessions: sessions
                .map(|(number, cosine)| (self.session(number), cosine))
                .collect(),
            history: vector.into_iter().map(|(item, _)| item as u32).collect(),
            model: self,
        }
    }

    /// Returns the numbers and cosines of the most similar sessions, by cosine, then the latest
    /// first.
    fn neighbors(&self, vector: &[(usize, f32)]) -> Vec<(u64, f32)> {
        let mut products: FxHashMap<u64, f32> = FxHashMap::default();
        for (item, weight) in vector {
            let latest = self.by_item[*item].iter().rev().take(self.options.sample);
            for number in latest {
                *products.entry(*number).or_default() += weight;
            }
        }
        let squares = vector.iter().map(|(_, weight)| weight * weight);
        let norm = squares.sum::<f32>().sqrt();
        let mut near: Vec<_> = products
            .into_iter()
            .map(|(number, product)| {
                let length = self.session(number).len() as f32;
                (number, product / (norm * length.sqrt()))
            })
            .collect();
        let order = |a: &(u64, f32), b: &(u64, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if near.len() > self.options.neighbors {
            near.select_nth_unstable_by(self.options.neighbors, order);
            near.truncate(self.options.neighbors);
        }
        near.sort_unstable_by(order);
        near
    }
}

impl ModelKind for SessionKnn {
    type Options = SessionKnnOptions;

    const NAME: &'static str = "session-knn";
    const USES_TIMES: bool = true;

    fn fit_matrix(interactions: &Matrix, options: &SessionKnnOptions) -> Result<Self> {
        let sessions = (0..).zip(interactions.iter());
        let sessions = sessions.map(|(user, row)| (user, row.indices.into()));
        Self::fit(interactions.columns(), *options, sessions.collect())
    }

    /// All interactions of a user are one session.
    fn fit_interactions(
        interactions: &[Interaction],
        _users: usize,
        items: usize,
        options: &SessionKnnOptions,
    ) -> Result<Self> {
        Self::fit(items, *options, sequences(interactions))
    }

    /// Consistent models equal one rebuilt from their sessions.
    fn is_consistent(&self) -> bool {
        let Ok(mut rebuilt) = Self::new(self.by_item.len(), self.options) else {
            return false;
        };
        rebuilt.dropped = self.dropped;
        self.dropped < u64::MAX / 2
            && self.sessions.iter().all(|s| rebuilt.push(s).is_ok())
            && rebuilt == *self
    }
}

impl Recommender for SessionKnn {
    fn items(&self) -> usize {
        self.by_item.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.by_item.len(), 0.0);
        let similar = self.similar_to(history);
        similar.for_each_vote(|item, vote| out[item as usize] += vote);
        let scored = out
            .iter_mut()
            .enumerate()
            .filter(|(_, votes)| **votes > 0.0);
        scored.for_each(|(item, votes)| *votes *= self.idf(item));
    }
}

/// Sessions similar to a history, with the votes and the reasons of recommendations.
pub struct SimilarSessions<'a> {
    /// Items and cosine of each session, the most similar first.
    sessions: Vec<(&'a [u32], f32)>,
    /// Items of the history that count, ascending.
    history: Vec<u32>,
    model: &'a SessionKnn,
}

impl SimilarSessions<'_> {
    /// Calls `f` with each item of each session and its vote; the sum of an item's votes times its
    /// [`SimilarSessions::rarity`] is its score.
    pub fn for_each_vote(&self, mut f: impl FnMut(u32, f32)) {
        for (items, cosine) in &self.sessions {
            items.iter().for_each(|item| f(*item, *cosine));
        }
    }

    /// Returns the factor of an item's votes: rare items count more than frequent ones.
    pub fn rarity(&self, item: u32) -> f32 {
        self.model.idf(item as usize)
    }

    /// Returns the items of the history in the sessions that vote for `item`, those with most votes
    /// first.
    pub fn reasons(&self, item: u32) -> Vec<Scored> {
        let mut votes = vec![0.0; self.history.len()];
        for (items, cosine) in &self.sessions {
            if items.binary_search(&item).is_err() {
                continue;
            }
            for (vote, item) in votes.iter_mut().zip(&self.history) {
                if items.binary_search(item).is_ok() {
                    *vote += cosine;
                }
            }
        }
        let voted = self
            .history
            .iter()
            .zip(votes)
            .filter(|(_, vote)| *vote > 0.0);
        let mut reasons: Vec<_> = voted
            .map(|(item, score)| Scored { item: *item, score })
            .collect();
        reasons.sort_by(rank::order);
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{close, dense, random};

    fn model(options: SessionKnnOptions, sessions: &[&[u32]]) -> SessionKnn {
        let mut model = SessionKnn::new(10, options).expect("valid");
        sessions
            .iter()
            .for_each(|session| model.push(session).expect("known items"));
        model
    }

    fn scores(model: &SessionKnn, history: &[(u32, f32)]) -> Vec<f32> {
        let mut scores = Vec::new();
        model.scores(history, &mut scores);
        scores
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        for seed in 0..6 {
            let matrix = random(seed, 60, 10, 0.3);
            let sessions: Vec<_> = matrix.iter().map(|row| row.indices).collect();
            let options = SessionKnnOptions {
                neighbors: 7,
                decay: 0.5,
                ..Default::default()
            };
            let rows = dense(&matrix);
            let idf = |i: usize| {
                let with_item = rows.iter().filter(|row| row[i] > 0.0).count() as f64;
                (60.0 / (with_item + 1.0)).ln_1p()
            };
            // Item 3 occurs twice: its weight of 2 decays twice, that of 1 does not.
            let current = [(3, (2.0 * 0.25 + 1.0) * idf(3)), (5, 0.5 * idf(5))];
            let norm = current.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            let mut near: Vec<_> = rows.iter().enumerate().collect();
            let cosine = |row: &[f64]| {
                let shared: f64 = current
                    .iter()
                    .filter(|(i, _)| row[*i] > 0.0)
                    .map(|(_, w)| w)
                    .sum();
                let length = row.iter().filter(|v| **v > 0.0).count() as f64;
                if shared > 0.0 {
                    shared / norm / length.sqrt()
                } else {
                    0.0
                }
            };
            near.sort_by(|a, b| cosine(b.1).total_cmp(&cosine(a.1)).then(b.0.cmp(&a.0)));
            near.truncate(7);
            let vote = |i: usize| {
                near.iter()
                    .filter(|(_, row)| row[i] > 0.0)
                    .map(|(_, row)| cosine(row) * idf(i))
                    .sum()
            };
            let expected: Vec<f64> = (0..10).map(vote).collect();
            close(
                &scores(&model(options, &sessions), &[(3, 2.0), (5, 1.0), (3, 1.0)]),
                &expected,
                1e-5,
            );
        }
    }

    #[test]
    fn only_the_latest_sessions_count_and_the_oldest_are_dropped() {
        let sessions: [&[u32]; 4] = [&[0, 1], &[0, 2], &[0, 3], &[4]];
        let plain = SessionKnnOptions::default();
        let sampled = model(SessionKnnOptions { sample: 2, ..plain }, &sessions);
        let votes: Vec<_> = scores(&sampled, &[(0, 1.0)])[1..4]
            .iter()
            .map(|s| *s > 0.0)
            .collect();
        assert_eq!(votes, [false, true, true]);
        let small = model(
            SessionKnnOptions {
                capacity: 2,
                ..plain
            },
            &sessions,
        );
        let votes: Vec<_> = scores(&small, &[(0, 1.0)])[1..4]
            .iter()
            .map(|s| *s > 0.0)
            .collect();
        assert_eq!(votes, [false, false, true]);
    }

    #[test]
    fn a_fit_takes_the_latest_of_several_items_in_the_order_of_time() {
        let options = SessionKnnOptions {
            capacity: 2,
            ..Default::default()
        };
        let session = |end: i64, items: &[u32]| (end, Box::from(items));
        let sessions = vec![
            session(7, &[0, 3]),
            session(9, &[0]),
            session(2, &[0, 1]),
            session(5, &[0, 2]),
        ];
        let fitted = SessionKnn::fit(10, options, sessions).expect("known items");
        assert_eq!(fitted, model(options, &[&[0, 2], &[0, 3]]));
    }

    #[test]
    fn reasons_are_items_that_the_voters_share_with_the_history() {
        let model = model(
            SessionKnnOptions::default(),
            &[&[0, 1, 7], &[1, 7], &[2, 8], &[3, 7]],
        );
        let near = model.similar_to(&[(0, 1.0), (1, 1.0), (2, 1.0)]);
        let reasons: Vec<_> = near.reasons(7).iter().map(|r| r.item).collect();
        assert_eq!(reasons, [1, 0], "1 is in two of the sessions with 7");
        assert!(near.reasons(9).is_empty());
    }

    #[test]
    fn the_last_item_counts_most() {
        let model = model(SessionKnnOptions::default(), &[&[0, 8], &[1, 9]]);
        let scores = scores(&model, &[(0, 1.0), (1, 1.0)]);
        assert!(scores[9] > scores[8]);
    }

    #[test]
    fn bad_input_is_rejected() {
        let good = SessionKnnOptions::default();
        let bad = [
            SessionKnnOptions {
                neighbors: 0,
                ..good
            },
            SessionKnnOptions { sample: 0, ..good },
            SessionKnnOptions {
                capacity: 0,
                ..good
            },
            SessionKnnOptions { decay: 0.0, ..good },
            SessionKnnOptions {
                decay: f32::NAN,
                ..good
            },
        ];
        assert!(
            bad.iter()
                .all(|options| SessionKnn::new(1, *options).is_err())
        );
        assert!(SessionKnn::new(1, good).expect("valid").push(&[1]).is_err());
    }
}
