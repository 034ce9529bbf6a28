//! The rounds of a session: when a sum begins, and what becomes of it.

use std::{collections::BTreeSet, time::Instant};

use super::{
    Phase, Session,
    sum::{Outcome, Sum},
};
use crate::federate::{FederateError, secagg::Context, state};

/// Failed attempts in a row after which a training is given up.
pub(super) const MAX_ATTEMPTS: u32 = 5;

impl Session {
    /// Goes on where nothing more is to come, or time is over.
    pub fn advance(&mut self, now: Instant) {
        let silence = self.waits.silence;
        self.members.retain(|_, member| {
            let is_alive = now.saturating_duration_since(member.seen) <= silence;
            if !is_alive {
                tracing::warn!(
                    shop = member.shop,
                    "no sign of life; the round goes on without it"
                );
            }
            is_alive
        });
        let members: BTreeSet<String> = self.members.keys().cloned().collect();
        let outcome = match &mut self.phase {
            Phase::Joining(since) => {
                let began = *since.get_or_insert(now);
                if members.len() < self.template.min_shops {
                    *since = None;
                } else if now.saturating_duration_since(began) >= self.waits.join {
                    self.begin(now);
                }
                return;
            }
            Phase::Summing(sum) => sum.advance(&members, self.waits, now),
            Phase::Done | Phase::Failed(_) => return,
        };
        match outcome {
            Outcome::Open => {}
            Outcome::Sum(sum, shops) => {
                let applied = self.apply(&sum, shops);
                self.close(applied.map_err(|error| error.to_string()), now);
            }
            Outcome::Lost(reason) => self.close(Err(reason), now),
            Outcome::Void(reason) => self.retry(&reason),
        }
    }

    fn is_over(&self) -> bool {
        self.round > self.template.rounds
    }

    /// Starts the next sum.
    fn begin(&mut self, now: Instant) {
        let Some((plan, global)) = &self.training else {
            return;
        };
        let context = Context {
            session: self.id.clone(),
            round: self.round,
            attempt: self.attempt,
        };
        let length = global.length(plan, self.round);
        let sum = Sum::new(context, length, plan.min_shops, now);
        self.phase = Phase::Summing(Box::new(sum));
        self.is_resumed = false;
    }

    /// Applies a sum.
    fn apply(&mut self, sum: &[u32], shops: usize) -> Result<(), FederateError> {
        let Some((plan, global)) = &mut self.training else {
            return Ok(());
        };
        let norm = match self.round {
            0 => {
                global.apply_statistics(plan, sum, shops)?;
                None
            }
            _ => Some(global.apply(plan, sum, shops)?),
        };
        let norm = norm.map(|norm| format!("{norm:.4}"));
        tracing::info!(round = self.round, shops, norm, "round finished");
        Ok(())
    }

    /// Goes on after a round in which shops revealed shares. It is never repeated, even if its sum
    /// was refused: the difference of two sums of the same changes can be the change of one shop.
    fn close(&mut self, applied: Result<(), String>, now: Instant) {
        let round = self.round;
        if let Err(reason) = &applied {
            if round == 0 {
                self.phase = Phase::Failed(format!(
                    "round 0: {reason}; the moments of the features are summed only once, so start \
                     the coordinator and all shops again"
                ));
                return;
            }
            tracing::warn!(round, attempt = self.attempt, reason, "round is skipped");
            self.attempt += 1;
        } else {
            self.attempt = 1;
        }
        self.round += 1;
        self.save();
        match applied {
            Err(reason) if self.attempt > MAX_ATTEMPTS => {
                self.phase = Phase::Failed(format!("round {round}: {reason}"));
            }
            _ if self.is_over() => self.phase = Phase::Done,
            _ => self.begin(now),
        }
    }

    /// Saves the state; the training goes on if that fails.
    fn save(&self) {
        let (Some(folder), Some((plan, global))) = (&self.folder, &self.training) else {
            return;
        };
        if let Err(error) = state::save(folder, plan, global, self.round) {
            tracing::error!(
                round = self.round,
                %error,
                "the state is not saved: a restart would repeat rounds"
            );
        }
    }

    /// Skips rounds that a shop has summed and the state of a restarted coordinator lacks: the shop
    /// refuses to repeat them.
    pub(super) fn skip_summed(&mut self, summed: u32) {
        if !self.is_resumed || summed < self.round || self.is_over() {
            return;
        }
        tracing::warn!(
            from = self.round,
            to = summed,
            "rounds are skipped: they were summed before the restart, but not saved"
        );
        self.round = summed.min(self.template.rounds).saturating_add(1);
        self.save();
        if self.is_over() {
            self.phase = Phase::Done;
        }
    }

    /// Waits for shops again, after a sum for which no shop revealed shares.
    fn retry(&mut self, reason: &str) {
        tracing::warn!(
            round = self.round,
            attempt = self.attempt,
            reason,
            "round is void"
        );
        self.attempt += 1;
        self.phase = match self.attempt > MAX_ATTEMPTS {
            true => Phase::Failed(format!("round {}: {reason}", self.round)),
            false => Phase::Joining(None),
        };
    }
}
