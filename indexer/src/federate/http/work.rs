//! A shop's messages in the sums of a training.

use std::{collections::BTreeSet, time::Duration};

use super::api::Api;
use crate::federate::{
    FederateError, Shop, Update,
    messages::Step,
    secagg::{Advertised, Context, Id, Inbox, Masked, Roster, Shared},
    vector,
};
use crate::space::heads::Heads;

/// Interval between questions.
const POLL: Duration = Duration::from_millis(200);

/// An event in the work of a shop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// It trained in a round; with the L2 norm of its update before clipping.
    Trained {
        /// Number of the round.
        round: u32,
        /// The norm.
        norm: f64,
    },
    /// It masked its vector of a round, and will send it next.
    Masked(u32),
    /// It sent its vector of a round.
    Sent(u32),
}

/// State between messages of a sum.
pub(super) enum Stage {
    Idle,
    Advertised(Advertised),
    Shared(Box<Shared>, usize),
    /// With the number of the round.
    Masked(Masked, u32),
}

/// Result of a local computation, kept if the sum is tried again.
pub(super) enum Computed {
    Statistics(Vec<u32>),
    Trained(Update),
}

/// A shop's side of a training.
pub(super) struct Work<'a> {
    pub api: &'a Api,
    pub shop: Shop<'a>,
    pub start: Heads,
    /// Secret of the shop.
    pub member: String,
    pub stage: Stage,
    /// Result of a round, by its number.
    pub computed: Option<(u32, Computed)>,
    /// Last round for whose sum this shop revealed shares.
    pub summed: Option<u32>,
}

impl Work<'_> {
    /// Sends what the coordinator waits for. If the round cannot go on with this shop, it goes on
    /// without it, and the shop joins the next one.
    pub fn answer(
        &mut self,
        step: Step,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), FederateError> {
        if step == Step::Wait {
            std::thread::sleep(POLL);
            return Ok(());
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        let result = match (step, stage) {
            (Step::Keys { context }, _) => self.advertise(context, progress),
            (Step::Shares { id, roster }, Stage::Advertised(advertised)) => {
                self.share(advertised, id, roster)
            }
            (Step::Vector { inbox }, Stage::Shared(shared, shops)) => {
                self.send(*shared, shops, &inbox, progress)
            }
            (Step::Reveal { survivors }, Stage::Masked(masked, round)) => {
                self.reveal(masked, round, &survivors)
            }
            // A message of a round that began before this shop joined again.
            _ => Ok(Stage::Idle),
        };
        match result {
            Ok(stage) => self.stage = stage,
            Err(error @ (FederateError::Secure(_) | FederateError::Coordinator(_))) => {
                tracing::warn!(%error, "this round goes on without this shop");
                self.api.leave(&self.member, &error.to_string())?;
            }
            Err(error) => {
                // The coordinator learns the reason if it can be reached.
                self.api.leave(&self.member, &error.to_string()).ok();
                return Err(error);
            }
        }
        if matches!(self.stage, Stage::Idle) {
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn advertise(
        &mut self,
        context: Context,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Stage, FederateError> {
        let round = context.round;
        self.check_not_summed(round)?;
        if self.computed.as_ref().is_none_or(|(of, _)| *of != round) {
            let computed = self.compute(round)?;
            if let Computed::Trained(update) = &computed {
                let norm = update.norm;
                progress(Progress::Trained { round, norm });
            }
            self.computed = Some((round, computed));
        }
        let advertised = Advertised::new(context)?;
        self.api.keys(&self.member, advertised.keys())?;
        Ok(Stage::Advertised(advertised))
    }

    fn share(
        &self,
        advertised: Advertised,
        id: Id,
        roster: Roster,
    ) -> Result<Stage, FederateError> {
        let shops = roster.keys.len();
        let (shared, sealed) = advertised.share(id, roster)?;
        self.api.shares(&self.member, &sealed)?;
        Ok(Stage::Shared(Box::new(shared), shops))
    }

    fn send(
        &self,
        shared: Shared,
        shops: usize,
        inbox: &Inbox,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Stage, FederateError> {
        let Some((round, computed)) = &self.computed else {
            return Ok(Stage::Idle);
        };
        let values = match computed {
            Computed::Statistics(values) => values.clone(),
            Computed::Trained(update) => self.shop.quantized(update, shops)?,
        };
        let (masked, values) = shared.mask(inbox, values)?;
        progress(Progress::Masked(*round));
        self.api.vector(&self.member, &values)?;
        progress(Progress::Sent(*round));
        Ok(Stage::Masked(masked, *round))
    }

    fn reveal(
        &mut self,
        masked: Masked,
        round: u32,
        survivors: &BTreeSet<Id>,
    ) -> Result<Stage, FederateError> {
        let revealed = masked.reveal(survivors)?;
        // From here on the sum may be known, even if no answer comes.
        self.summed = self.summed.max(Some(round));
        self.api.reveal(&self.member, &revealed)?;
        Ok(Stage::Idle)
    }

    /// Refuses rounds up to the last one for which this shop revealed shares.
    fn check_not_summed(&self, round: u32) -> Result<(), FederateError> {
        let Some(summed) = self.summed.filter(|summed| round <= *summed) else {
            return Ok(());
        };
        Err(FederateError::Misfit(format!(
            "expected a round after {summed}, got {round}: round {summed} was summed already, and \
             the difference of two sums can be the change of one shop; start this shop again once \
             the coordinator is past round {summed}, or start a new training: the coordinator with \
             another --state folder, and all shops"
        )))
    }

    pub fn download(&self) -> Result<Heads, FederateError> {
        vector::from_bytes(&self.start, &self.api.model(&self.member)?)
    }

    /// Computes the vector of a round.
    fn compute(&self, round: u32) -> Result<Computed, FederateError> {
        if round == 0 {
            return Ok(Computed::Statistics(self.shop.statistics()?));
        }
        let global = self.download()?;
        self.shop.train(&global, round).map(Computed::Trained)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::federate::{
        samples::{pairs, plan},
        secagg::Aggregation,
    };

    fn context(round: u32) -> Context {
        Context {
            session: "a session".to_owned(),
            round,
            attempt: 1,
        }
    }

    /// Returns a participant of a sum of three that has masked its vector.
    fn masked() -> Masked {
        let advertised: Vec<Advertised> = (0..3)
            .map(|_| Advertised::new(context(2)).expect("keys"))
            .collect();
        let keys: BTreeMap<Id, _> = (1..).zip(advertised.iter().map(Advertised::keys)).collect();
        let mut sum = Aggregation::new(context(2), keys, 4).expect("three");
        let mut all = Vec::new();
        for (id, participant) in (1..).zip(advertised) {
            let (shared, sealed) = participant.share(id, sum.roster().clone()).expect("shares");
            sum.add_shares(id, sealed).expect("in order");
            all.push(shared);
        }
        let first = all.swap_remove(0);
        first.mask(&sum.inbox(1), vec![0; 4]).expect("a vector").0
    }

    #[test]
    fn a_shop_refuses_to_repeat_a_round_for_which_it_revealed_shares() {
        let (plan, own) = (plan(3), pairs(30, 1));
        // No one listens there: what is sent is lost.
        let api = Api::new("http://127.0.0.1:1", "a key", None, Duration::ZERO).expect("a client");
        let mut work = Work {
            api: &api,
            start: plan.start().expect("heads"),
            shop: Shop::new(&plan, &own, 1).expect("a shop"),
            member: "a secret".to_owned(),
            stage: Stage::Masked(masked(), 2),
            computed: None,
            summed: None,
        };
        let survivors: BTreeSet<Id> = (1..=3).collect();
        let reveal = Step::Reveal { survivors };
        assert!(work.answer(reveal, &mut |_| {}).is_err(), "no answer");
        assert_eq!(work.summed, Some(2), "the shares may have arrived");
        for round in [1, 2] {
            let keys = Step::Keys {
                context: context(round),
            };
            let error = work.answer(keys, &mut |_| {}).expect_err("refused");
            let is_refused = matches!(error, FederateError::Misfit(_));
            assert!(is_refused, "{error}");
            assert!(
                error.to_string().contains("round 2 was summed already"),
                "{error}"
            );
        }
        assert!(work.check_not_summed(3).is_ok());
    }
}
