//! A shop in a training: asks what is to be done, and does it, until the heads are finished.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::Duration,
};

use super::{
    api::{Answer, Api},
    work::{Progress, Stage, Work},
};
use crate::federate::{
    Features, FederateError, PROTOCOL, Plan, Shop,
    messages::{Join, Joined, Step},
};
use crate::space::heads::Heads;
use crate::train::Pairs;

/// Interval between signs of life, also while a shop trains or sends.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// A shop with its pairs.
pub struct Member<'a> {
    /// The coordinator.
    pub api: &'a Api,
    /// Name of the shop, for the log of the coordinator.
    pub shop: String,
    /// Encoders of the shop.
    pub features: Features,
    /// Pairs to train on.
    pub pairs: &'a Pairs,
    /// Seed of the local trainings.
    pub seed: u64,
}

/// Result of a training.
pub struct Finished {
    /// Settings.
    pub plan: Plan,
    /// Heads after the last round.
    pub heads: Heads,
}

impl Member<'_> {
    /// Takes part until the training is over; `progress` is called with what it has done.
    ///
    /// # Errors
    /// The coordinator cannot be reached, refuses the shop, or gives the training up; or the local
    /// training failed.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Finished, FederateError> {
        let join = Join {
            protocol: PROTOCOL,
            shop: self.shop.clone(),
            features: self.features.clone(),
            summed: None,
        };
        let joined = self.api.join(&join)?;
        let secret = Mutex::new(joined.member.clone());
        std::thread::scope(|scope| {
            // Its end stops the signs of life.
            let (_running, stopped) = channel::<()>();
            scope.spawn(|| show_life(self.api, &secret, stopped));
            self.take_part(join, joined, &secret, progress)
        })
    }

    fn take_part(
        &self,
        mut join: Join,
        joined: Joined,
        secret: &Mutex<String>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Finished, FederateError> {
        let plan = joined.plan;
        plan.check()?;
        plan.check_features(&self.features)?;
        let mut work = Work {
            api: self.api,
            start: plan.start()?,
            shop: Shop::new(&plan, self.pairs, self.seed)?,
            member: joined.member,
            stage: Stage::Idle,
            computed: None,
            summed: None,
        };
        loop {
            match self.api.step(&work.member)? {
                Answer::Body(Step::Done) => {
                    let heads = work.download()?;
                    self.api.leave(&work.member, "finished")?;
                    return Ok(Finished { plan, heads });
                }
                Answer::Body(Step::Failed { reason }) => {
                    return Err(FederateError::Coordinator(reason));
                }
                Answer::Body(step) => work.answer(step, progress)?,
                Answer::Unknown => {
                    // The coordinator was restarted, or took this shop for dead.
                    join.summed = work.summed;
                    let joined = self.api.join(&join)?;
                    if joined.plan != plan {
                        let reason = "the coordinator changed the plan; join again";
                        return Err(FederateError::Misfit(reason.to_owned()));
                    }
                    secret
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone_from(&joined.member);
                    (work.member, work.computed) = (joined.member, None);
                }
            }
        }
    }
}

/// Tells the coordinator that the shop with this secret lives, until `stopped` is disconnected.
fn show_life(api: &Api, secret: &Mutex<String>, stopped: Receiver<()>) {
    while stopped.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
        let member = secret
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        api.sign_of_life(&member);
    }
}
