//! Sessions like this one: what else was in them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Recommender, Scored, known, rank};
use crate::{Error, Result};

/// An item counts no more once it has faded to this: else a long history costs more than it tells.
const FADED: f64 = 1e-3;

/// How near sessions are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionKnnOptions {
    /// Sessions that vote.
    pub neighbors: usize,
    /// Sessions compared: the latest that share an item.
    pub sample: usize,
    /// What an item counts against the one after it in the session, above 0 and at most 1.
    pub decay: f32,
    /// Sessions remembered; the oldest go.
    pub capacity: usize,
}

impl Default for SessionKnnOptions {
    fn default() -> Self {
        Self {
            neighbors: 100,
            sample: 1_000,
            decay: 0.8,
            capacity: 1_000_000,
        }
    }
}

/// Session neighbours (Jannach and Ludewig 2017; decay by position as in V-SKNN, Ludewig and Jannach 2018). Of the
/// latest sessions that share an item with the history, the nearest by cosine vote for their items with their
/// similarity. There is nothing to fit: a session counts from when it is pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionKnn {
    options: SessionKnnOptions,
    /// The oldest first, items ascending.
    sessions: VecDeque<Box<[u32]>>,
    /// How many sessions have gone: the number of the first remembered.
    gone: u64,
    /// Numbers of the sessions with each item, the oldest first.
    by_item: Vec<VecDeque<u64>>,
}

impl SessionKnn {
    /// No sessions yet, for `items` items.
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
            gone: 0,
            by_item: vec![VecDeque::new(); items],
        })
    }

    /// Remembers sessions, each given with the time of its end; the latest, where there are more than fit. One of a
    /// single item says nothing of others and is passed over.
    ///
    /// # Errors
    /// Options out of range, an unknown item.
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

    /// Remembers a session, later than those before.
    ///
    /// # Errors
    /// An unknown item.
    pub fn push(&mut self, session: &[u32]) -> Result<()> {
        let items = self.by_item.len();
        if let Some(unknown) = session.iter().find(|item| **item as usize >= items) {
            let detail = format!("number {unknown} is out of range, there are {items}");
            return Err(Error::invalid("/item", detail));
        }
        let mut session = session.to_vec();
        session.sort_unstable();
        session.dedup();
        let number = self.gone + self.sessions.len() as u64;
        for item in &session {
            self.by_item[*item as usize].push_back(number);
        }
        self.sessions.push_back(session.into());
        if self.sessions.len() > self.options.capacity {
            self.forget_first();
        }
        Ok(())
    }

    /// Whether the parts fit together, for one that was read: it is what its sessions make of it.
    pub(super) fn is_sound(&self) -> bool {
        let Ok(mut again) = Self::new(self.by_item.len(), self.options) else {
            return false;
        };
        again.gone = self.gone;
        self.gone < u64::MAX / 2
            && self.sessions.iter().all(|s| again.push(s).is_ok())
            && again == *self
    }

    /// Items of the sessions remembered, the latest session first.
    pub fn latest(&self) -> impl Iterator<Item = &[u32]> {
        self.sessions.iter().rev().map(|session| &**session)
    }

    fn forget_first(&mut self) {
        let first = self.sessions.pop_front().unwrap_or_default();
        for item in &first {
            self.by_item[*item as usize].pop_front();
        }
        self.gone += 1;
    }

    /// The session of a number, while it is remembered.
    fn session(&self, number: u64) -> &[u32] {
        &self.sessions[(number - self.gone) as usize]
    }

    /// The history as a vector: each item once, the later the more.
    fn vector(&self, history: &[(u32, f32)]) -> Vec<(usize, f64)> {
        let positive = known(history, self.by_item.len()).filter(|(_, weight)| *weight > 0.0);
        let (mut fade, decay) = (1.0, f64::from(self.options.decay));
        let mut vector: Vec<(usize, f64)> = Vec::new();
        for (item, weight) in positive.rev() {
            if fade < FADED {
                break;
            }
            vector.push((item, f64::from(weight) * fade));
            fade *= decay;
        }
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

    /// The sessions nearest to a history.
    pub fn near(&self, history: &[(u32, f32)]) -> NearSessions<'_> {
        let vector = self.vector(history);
        let sessions = self.neighbors(&vector).into_iter();
        NearSessions {
            sessions: sessions
                .map(|(number, cosine)| (self.session(number), cosine as f32))
                .collect(),
            history: vector.into_iter().map(|(item, _)| item as u32).collect(),
        }
    }

    /// The nearest sessions with their cosine, the nearest first, then the latest.
    fn neighbors(&self, vector: &[(usize, f64)]) -> Vec<(u64, f64)> {
        // The latest of all are among the latest of each item.
        let latest = |(item, weight): &(usize, f64)| {
            let weight = *weight;
            self.by_item[*item]
                .iter()
                .rev()
                .take(self.options.sample)
                .map(move |n| (*n, weight))
        };
        let mut products: Vec<_> = vector.iter().flat_map(latest).collect();
        products.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        products.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        products.truncate(self.options.sample);
        let own = vector
            .iter()
            .map(|(_, weight)| weight * weight)
            .sum::<f64>()
            .sqrt();
        for (number, product) in &mut products {
            *product /= own * (self.session(*number).len() as f64).sqrt();
        }
        products.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        products.truncate(self.options.neighbors);
        products
    }
}

impl Recommender for SessionKnn {
    fn items(&self) -> usize {
        self.by_item.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.by_item.len(), 0.0);
        self.near(history)
            .each_vote(|item, vote| out[item as usize] += vote);
    }
}

/// Sessions near to a history: what the history is recommended, and why.
pub struct NearSessions<'a> {
    /// Items of each, with its cosine; the nearest first.
    sessions: Vec<(&'a [u32], f32)>,
    /// What counts of the history, ascending.
    history: Vec<u32>,
}

impl NearSessions<'_> {
    /// Calls `f` with each item of each session and its vote; the sum of an item's votes is its score.
    pub fn each_vote(&self, mut f: impl FnMut(u32, f32)) {
        for (items, cosine) in &self.sessions {
            items.iter().for_each(|item| f(*item, *cosine));
        }
    }

    /// Items of the history in the sessions that vote for `item`, those of most votes first.
    pub fn reasons(&self, item: u32) -> Vec<Scored> {
        let mut votes = vec![0.0; self.history.len()];
        for (items, cosine) in &self.sessions {
            if items.binary_search(&item).is_err() {
                continue;
            }
            for (vote, own) in votes.iter_mut().zip(&self.history) {
                if items.binary_search(own).is_ok() {
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
            // 3 is there twice: 2 fades twice, 1 fades not at all.
            let current = [(3, 2.0 * 0.25 + 1.0), (5, 0.5)];
            let norm = current.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            let mut near: Vec<_> = dense(&matrix).into_iter().enumerate().collect();
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
            near.sort_by(|a, b| cosine(&b.1).total_cmp(&cosine(&a.1)).then(b.0.cmp(&a.0)));
            near.truncate(7);
            let vote = |i: usize| {
                near.iter()
                    .filter(|(_, row)| row[i] > 0.0)
                    .map(|(_, row)| cosine(row))
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
    fn only_the_latest_sessions_count_and_the_oldest_are_forgotten() {
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
    fn reasons_are_what_the_voters_share_with_the_history() {
        let model = model(
            SessionKnnOptions::default(),
            &[&[0, 1, 7], &[1, 7], &[2, 8], &[3, 7]],
        );
        let near = model.near(&[(0, 1.0), (1, 1.0), (2, 1.0)]);
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
    fn bad_input_is_refused() {
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
