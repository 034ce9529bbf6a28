//! One attempt at one sum: whose turn it is, and what came.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::Waits;
use crate::federate::{
    FederateError,
    messages::Step,
    secagg::{Aggregation, Context, Id, PublicKeys, Revealed, SealedShares, least_survivors},
};

/// State of a sum.
pub enum Outcome {
    /// More messages are to come.
    Open,
    /// The sum of the vectors of a number of shops.
    Sum(Vec<u32>, usize),
    /// It failed before any shop revealed shares, and can be tried again.
    Void(String),
    /// It failed while shops revealed shares. They refuse to repeat the round, since they cannot
    /// know whether the sum came about.
    Lost(String),
}

/// Turn of the shops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Keys,
    Shares,
    Vector,
    Reveal,
}

/// An attempt at a sum.
pub struct Sum {
    context: Context,
    length: usize,
    min_shops: usize,
    keys: BTreeMap<String, PublicKeys>,
    ids: BTreeMap<String, Id>,
    aggregation: Option<Aggregation>,
    turn: Turn,
    since: Instant,
}

impl Sum {
    /// Starts to wait for the keys of at least `min_shops` shops.
    pub fn new(context: Context, length: usize, min_shops: usize, now: Instant) -> Self {
        Self {
            context,
            length,
            min_shops,
            keys: BTreeMap::new(),
            ids: BTreeMap::new(),
            aggregation: None,
            turn: Turn::Keys,
            since: now,
        }
    }

    /// Returns what a shop is to send.
    pub fn step(&self, member: &str) -> Step {
        let Some(sum) = &self.aggregation else {
            return match self.keys.contains_key(member) {
                true => Step::Wait,
                false => Step::Keys {
                    context: self.context.clone(),
                },
            };
        };
        let Some(id) = self.ids.get(member).copied() else {
            return Step::Wait;
        };
        let has_shared = sum.shared().contains(&id);
        let is_in_sum = sum.survivors().contains(&id);
        match self.turn {
            Turn::Shares if !has_shared => Step::Shares {
                id,
                roster: sum.roster().clone(),
            },
            Turn::Vector if has_shared && !is_in_sum => Step::Vector {
                inbox: sum.inbox(id),
            },
            Turn::Reveal if is_in_sum && !sum.revealed().contains(&id) => Step::Reveal {
                survivors: sum.survivors().clone(),
            },
            _ => Step::Wait,
        }
    }

    pub fn keys(&mut self, member: &str, keys: PublicKeys) -> Result<(), FederateError> {
        self.expect(Turn::Keys)?;
        let known = *self.keys.entry(member.to_owned()).or_insert(keys);
        match known == keys {
            true => Ok(()),
            false => {
                let reason = "expected the keys that the shop sent before, got others; join again";
                Err(FederateError::Coordinator(reason.to_owned()))
            }
        }
    }

    pub fn shares(&mut self, member: &str, shares: SealedShares) -> Result<(), FederateError> {
        let (sum, id) = self.running(Turn::Shares, member)?;
        Ok(sum.add_shares(id, shares)?)
    }

    pub fn vector(&mut self, member: &str, vector: &[u32]) -> Result<(), FederateError> {
        let (sum, id) = self.running(Turn::Vector, member)?;
        Ok(sum.add_masked(id, vector)?)
    }

    pub fn reveal(&mut self, member: &str, revealed: &Revealed) -> Result<(), FederateError> {
        let (sum, id) = self.running(Turn::Reveal, member)?;
        Ok(sum.add_revealed(id, revealed)?)
    }

    fn expect(&self, turn: Turn) -> Result<(), FederateError> {
        match self.turn == turn {
            true => Ok(()),
            false => {
                let reason = format!("expected {:?}, got {turn:?}: too late or early", self.turn);
                Err(FederateError::Coordinator(reason))
            }
        }
    }

    fn running(
        &mut self,
        turn: Turn,
        member: &str,
    ) -> Result<(&mut Aggregation, Id), FederateError> {
        self.expect(turn)?;
        let id = self.ids.get(member).copied();
        let none = || FederateError::Coordinator("this round began without the shop".to_owned());
        self.aggregation.as_mut().zip(id).ok_or_else(none)
    }

    /// Goes on if all living `members` sent their message, or it is too late for the others.
    pub fn advance(&mut self, members: &BTreeSet<String>, waits: Waits, now: Instant) -> Outcome {
        let wait = match self.turn {
            Turn::Keys => waits.train,
            _ => waits.message,
        };
        let is_late = now.saturating_duration_since(self.since) >= wait;
        let turn = self.turn;
        let outcome = match turn {
            Turn::Keys => self.close_keys(members, is_late),
            Turn::Shares => self.close(members, is_late, Turn::Vector, Aggregation::shared),
            Turn::Vector => {
                let in_sum = |sum: &Aggregation| sum.survivors().clone();
                self.close(members, is_late, Turn::Reveal, in_sum)
            }
            Turn::Reveal => self.finish(members, is_late),
        };
        if self.turn != turn {
            self.since = now;
        }
        outcome
    }

    fn close_keys(&mut self, members: &BTreeSet<String>, is_late: bool) -> Outcome {
        self.keys.retain(|member, _| members.contains(member));
        let found = self.keys.len();
        if found < self.min_shops {
            let reason = format!("expected {} shops, got {found}", self.min_shops);
            return if is_late {
                Outcome::Void(reason)
            } else {
                Outcome::Open
            };
        }
        if found < members.len() && !is_late {
            return Outcome::Open;
        }
        let mut keys = BTreeMap::new();
        // Shops beyond the last number wait for the next sum.
        for (id, (member, own)) in (1..=Id::MAX).zip(&self.keys) {
            self.ids.insert(member.clone(), id);
            keys.insert(id, *own);
        }
        match Aggregation::new(self.context.clone(), keys, self.length) {
            Ok(sum) => {
                self.aggregation = Some(sum);
                self.turn = Turn::Shares;
                Outcome::Open
            }
            Err(error) => Outcome::Void(error.to_string()),
        }
    }

    /// Goes to the `next` turn if all living shops are in `done`.
    fn close(
        &mut self,
        members: &BTreeSet<String>,
        is_late: bool,
        next: Turn,
        done: impl Fn(&Aggregation) -> BTreeSet<Id>,
    ) -> Outcome {
        let Some(sum) = &self.aggregation else {
            return Outcome::Open;
        };
        let done = done(sum);
        let can_still = |(member, id): (&String, &Id)| {
            let is_expected = next == Turn::Vector || sum.shared().contains(id);
            !done.contains(id) && members.contains(member) && is_expected
        };
        if self.ids.iter().any(can_still) && !is_late {
            return Outcome::Open;
        }
        let (min, found) = (least_survivors(self.ids.len()), done.len());
        if found < min {
            return Outcome::Void(format!("expected {min} shops that stay, got {found}"));
        }
        self.turn = next;
        Outcome::Open
    }

    fn finish(&mut self, members: &BTreeSet<String>, is_late: bool) -> Outcome {
        let Some(sum) = &self.aggregation else {
            return Outcome::Open;
        };
        if sum.is_complete() {
            let shops = sum.survivors().len();
            let sum = self.aggregation.take().map(Aggregation::sum);
            return match sum {
                Some(Ok(sum)) => Outcome::Sum(sum, shops),
                Some(Err(error)) => Outcome::Lost(error.to_string()),
                None => Outcome::Open,
            };
        }
        let can_still = |(member, id): (&String, &Id)| {
            sum.survivors().contains(id) && !sum.revealed().contains(id) && members.contains(member)
        };
        match self.ids.iter().any(can_still) && !is_late {
            true => Outcome::Open,
            false => Outcome::Lost("too few shops stayed to remove the masks".to_owned()),
        }
    }
}
