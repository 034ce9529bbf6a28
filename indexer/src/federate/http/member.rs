//! A shop in a training: asks what is to be done, and does it, until the heads are finished.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use super::api::{Answer, Api};
use crate::federate::{
    Features, FederateError, PROTOCOL, Plan, Shop, Update,
    messages::{Join, Step},
    secagg::{Advertised, Context, Masked, Shared},
    vector,
};
use crate::space::heads::Heads;
use crate::train::Pairs;

/// Interval between questions.
const POLL: Duration = Duration::from_millis(300);

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

/// State between messages of a sum.
enum Stage {
    Idle,
    Advertised(Advertised),
    Shared(Box<Shared>, usize),
    Masked(Masked),
}

/// What was computed in a round, kept if the sum is tried again.
enum Computed {
    Statistics(Vec<u32>),
    Trained(Update),
}

impl Member<'_> {
    /// Takes part until the training is over; `progress` is called with the number of each round
    /// and the norm of the update before clipping.
    ///
    /// # Errors
    /// The coordinator cannot be reached, refuses the shop, or gives the training up; or the local
    /// training failed.
    pub fn run(&self, progress: &mut dyn FnMut(u32, f64)) -> Result<Finished, FederateError> {
        let join = Join {
            protocol: PROTOCOL,
            shop: self.shop.clone(),
            features: self.features.clone(),
        };
        let mut joined = self.api.join(&join)?;
        joined.plan.check()?;
        joined.plan.check_features(&self.features)?;
        let plan = joined.plan.clone();
        let start = plan.start()?;
        let shop = Shop::new(&plan, self.pairs, self.seed)?;
        let (mut stage, mut computed) = (Stage::Idle, None);
        loop {
            let member = joined.member.as_str();
            let step = match self.api.step(member)? {
                Answer::Body(step) => step,
                Answer::Unknown => {
                    // The coordinator was restarted, or took this shop for dead.
                    joined = self.api.join(&join)?;
                    if joined.plan != plan {
                        let reason = "the coordinator changed the plan; join again";
                        return Err(FederateError::Misfit(reason.to_owned()));
                    }
                    (stage, computed) = (Stage::Idle, None);
                    continue;
                }
            };
            let result = match step {
                Step::Done => {
                    let heads = vector::from_bytes(&start, &self.api.model(member)?)?;
                    self.api.leave(member, "finished")?;
                    return Ok(Finished { plan, heads });
                }
                Step::Failed { reason } => return Err(FederateError::Coordinator(reason)),
                Step::Wait => {
                    std::thread::sleep(POLL);
                    continue;
                }
                Step::Keys { context } => {
                    let is_new = |(round, _): &(u32, Computed)| *round != context.round;
                    if computed.as_ref().is_none_or(is_new) {
                        let own = self.compute(&shop, &start, member, context.round)?;
                        if let Computed::Trained(update) = &own {
                            progress(context.round, update.norm);
                        }
                        computed = Some((context.round, own));
                    }
                    self.advertise(member, context)
                }
                Step::Shares { id, roster } => match stage {
                    Stage::Advertised(advertised) => {
                        let shops = roster.keys.len();
                        let shared = advertised.share(id, roster);
                        shared
                            .map_err(FederateError::from)
                            .and_then(|(shared, sealed)| {
                                self.api.shares(member, &sealed)?;
                                Ok(Stage::Shared(Box::new(shared), shops))
                            })
                    }
                    _ => Ok(Stage::Idle),
                },
                Step::Vector { inbox } => match (stage, &computed) {
                    (Stage::Shared(shared, shops), Some((_, own))) => {
                        let values = match own {
                            Computed::Statistics(values) => values.clone(),
                            Computed::Trained(update) => shop.quantized(update, shops)?,
                        };
                        let masked = shared.mask(&inbox, values);
                        masked
                            .map_err(FederateError::from)
                            .and_then(|(masked, values)| {
                                self.api.vector(member, &values)?;
                                Ok(Stage::Masked(masked))
                            })
                    }
                    _ => Ok(Stage::Idle),
                },
                Step::Reveal { survivors } => match stage {
                    Stage::Masked(masked) => {
                        let revealed = masked.reveal(&survivors);
                        revealed.map_err(FederateError::from).and_then(|revealed| {
                            self.api.reveal(member, &revealed)?;
                            Ok(Stage::Idle)
                        })
                    }
                    _ => Ok(Stage::Idle),
                },
            };
            stage = match result {
                Ok(stage) => stage,
                // The sum goes on without this shop; it may take part in the next one.
                Err(error) => {
                    tracing::warn!(%error, "this round goes on without this shop");
                    self.api.leave(member, &error.to_string())?;
                    Stage::Idle
                }
            };
            if matches!(stage, Stage::Idle) {
                std::thread::sleep(POLL);
            }
        }
    }

    fn advertise(&self, member: &str, context: Context) -> Result<Stage, FederateError> {
        let advertised = Advertised::new(context)?;
        self.api.keys(member, advertised.keys())?;
        Ok(Stage::Advertised(advertised))
    }

    /// Computes the vector of a round, and tells the coordinator meanwhile that the shop lives.
    fn compute(
        &self,
        shop: &Shop,
        start: &Heads,
        member: &str,
        round: u32,
    ) -> Result<Computed, FederateError> {
        if round == 0 {
            return Ok(Computed::Statistics(shop.statistics()?));
        }
        let global = vector::from_bytes(start, &self.api.model(member)?)?;
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The receiver waits until it has the result.
                let _ = send.send(shop.train(&global, round).map(Computed::Trained));
            });
            loop {
                match receive.recv_timeout(Duration::from_secs(2)) {
                    Ok(result) => return result,
                    Err(RecvTimeoutError::Timeout) => {
                        self.api.step(member)?;
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        let reason = "the local training stopped".to_owned();
                        return Err(FederateError::Update(reason));
                    }
                }
            }
        })
    }
}
