//! The coordinator of a training, without a network: shops join, and each round goes through the
//! steps of a secure sum. What a shop does not send in time is done without it.

mod rounds;
mod sum;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use self::sum::Sum;
use super::{
    FederateError, Global, Plan,
    messages::{Join, Joined, Step},
    plan::PROTOCOL,
    secagg::{PublicKeys, Revealed, SealedShares, random_key},
    state, vector,
};
use crate::space::heads::Heads;

/// Limits on waiting.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For more shops, once there are enough.
    pub join: Duration,
    /// For the training of a round.
    pub train: Duration,
    /// For each other message.
    pub message: Duration,
    /// For a sign of life of a shop.
    pub silence: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            join: Duration::from_secs(10),
            train: Duration::from_secs(3_600),
            message: Duration::from_secs(60),
            silence: Duration::from_secs(30),
        }
    }
}

/// A request that is refused.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The shop is not known (any more); it may join again.
    #[error("unknown member; join again")]
    Unknown,
    /// The request is invalid.
    #[error(transparent)]
    Invalid(#[from] FederateError),
}

struct Member {
    shop: String,
    seen: Instant,
    /// Hash of its last message that was taken.
    taken: Option<blake3::Hash>,
}

/// State of the training.
enum Phase {
    /// Waiting for shops, since there were enough of them.
    Joining(Option<Instant>),
    Summing(Box<Sum>),
    Done,
    Failed(String),
}

/// A training in progress.
pub struct Session {
    id: String,
    /// Settings; the encoders are those of the first shop.
    template: Plan,
    waits: Waits,
    training: Option<(Plan, Global)>,
    members: BTreeMap<String, Member>,
    phase: Phase,
    /// Number of the next sum; 0 sums moments of features.
    round: u32,
    attempt: u32,
    /// Folder of the state, from which a restarted coordinator resumes.
    folder: Option<PathBuf>,
    /// True from the load of the state on, until a sum begins.
    is_resumed: bool,
}

impl Session {
    /// Starts a training with the settings of `template`, or resumes that of `folder`.
    ///
    /// # Errors
    /// A setting is out of range, or the folder cannot be read or is that of other settings.
    pub fn open(
        template: Plan,
        waits: Waits,
        folder: Option<PathBuf>,
    ) -> Result<Self, FederateError> {
        template.check()?;
        let mut session = Self {
            id: new_secret()?,
            template,
            waits,
            training: None,
            members: BTreeMap::new(),
            phase: Phase::Joining(None),
            round: 0,
            attempt: 1,
            folder,
            is_resumed: false,
        };
        let saved = session.folder.as_deref().map(state::load).transpose()?;
        if let Some(saved) = saved.flatten() {
            let features = saved.plan.features.clone();
            let expected = Plan {
                features,
                ..session.template.clone()
            };
            if saved.plan != expected {
                let reason =
                    "the state folder is of a training with other settings; name another one";
                return Err(FederateError::Plan(reason.to_owned()));
            }
            session.round = saved.round;
            session.is_resumed = true;
            if session.round > saved.plan.rounds {
                session.phase = Phase::Done;
            }
            session.training = Some((saved.plan, saved.global));
        }
        Ok(session)
    }

    /// Takes in a shop. The first one decides on the encoders.
    ///
    /// # Errors
    /// Its encoders or its version differ.
    pub fn join(&mut self, join: &Join, now: Instant) -> Result<Joined, FederateError> {
        if join.protocol != PROTOCOL {
            let got = join.protocol;
            return Err(FederateError::Misfit(format!(
                "expected protocol {PROTOCOL}, got {got}; use the coordinator's version of \
                 vitrine-indexer"
            )));
        }
        if self.training.is_none() {
            let plan = Plan {
                features: join.features.clone(),
                ..self.template.clone()
            };
            plan.features.check()?;
            plan.check()?;
            let global = Global::new(&plan)?;
            self.round = u32::from(!plan.has_statistics());
            self.training = Some((plan, global));
        }
        let Some((plan, _)) = &self.training else {
            return Err(FederateError::Plan("no training".to_owned()));
        };
        plan.check_features(&join.features)?;
        let plan = plan.clone();
        if let Some(summed) = join.summed {
            self.skip_summed(summed);
        }
        // A shop that joins again was restarted.
        self.members.retain(|_, member| member.shop != join.shop);
        let member = new_secret()?;
        let shop = join.shop.clone();
        tracing::info!(shop, "joined");
        self.members.insert(
            member.clone(),
            Member {
                shop,
                seen: now,
                taken: None,
            },
        );
        self.advance(now);
        Ok(Joined { member, plan })
    }

    /// Returns what a shop is to do.
    ///
    /// # Errors
    /// It is unknown.
    pub fn step(&mut self, member: &str, now: Instant) -> Result<Step, Denied> {
        self.members.get_mut(member).ok_or(Denied::Unknown)?.seen = now;
        self.advance(now);
        Ok(match &self.phase {
            Phase::Joining(_) => Step::Wait,
            Phase::Summing(sum) => sum.step(member),
            Phase::Done => Step::Done,
            Phase::Failed(reason) => Step::Failed {
                reason: reason.clone(),
            },
        })
    }

    /// Takes the public keys of a shop, which has trained.
    ///
    /// # Errors
    /// It is unknown, or it is another step's turn.
    pub fn keys(&mut self, member: &str, keys: PublicKeys, now: Instant) -> Result<(), Denied> {
        let digest = digest("keys", &json(&keys)?);
        self.receive(member, digest, now, |sum| sum.keys(member, keys))
    }

    /// Takes the sealed shares of a shop.
    ///
    /// # Errors
    /// As [`Session::keys`], or the shares are incomplete.
    pub fn shares(
        &mut self,
        member: &str,
        shares: SealedShares,
        now: Instant,
    ) -> Result<(), Denied> {
        let digest = digest("shares", &json(&shares)?);
        self.receive(member, digest, now, |sum| sum.shares(member, shares))
    }

    /// Takes the masked vector of a shop.
    ///
    /// # Errors
    /// As [`Session::keys`], or its length differs.
    pub fn vector(&mut self, member: &str, vector: &[u32], now: Instant) -> Result<(), Denied> {
        let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        let digest = digest("vector", &bytes);
        self.receive(member, digest, now, |sum| sum.vector(member, vector))
    }

    /// Number of bytes of a vector of the current sum; 0 before a shop has joined.
    pub fn vector_bytes(&self) -> usize {
        let training = self.training.as_ref();
        let length = training.map_or(0, |(plan, global)| global.length(plan, self.round));
        length * size_of::<u32>()
    }

    /// Takes revealed shares of a shop.
    ///
    /// # Errors
    /// As [`Session::keys`], or a share was changed.
    pub fn reveal(
        &mut self,
        member: &str,
        revealed: &Revealed,
        now: Instant,
    ) -> Result<(), Denied> {
        let digest = digest("reveal", &json(revealed)?);
        self.receive(member, digest, now, |sum| sum.reveal(member, revealed))
    }

    /// Lets a shop leave, with its reason.
    pub fn leave(&mut self, member: &str, reason: &str, now: Instant) {
        if let Some(member) = self.members.remove(member) {
            tracing::warn!(shop = member.shop, reason, "left");
        }
        self.advance(now);
    }

    /// Returns the heads as bytes; see [`vector::to_bytes`].
    ///
    /// # Errors
    /// No shop has joined yet.
    pub fn model(&self) -> Result<Vec<u8>, FederateError> {
        Ok(vector::to_bytes(self.heads()?)?)
    }

    /// Returns the digest of the heads.
    ///
    /// # Errors
    /// No shop has joined yet.
    pub fn digest(&self) -> Result<String, FederateError> {
        Ok(self.heads()?.digest()?)
    }

    fn heads(&self) -> Result<&Heads, FederateError> {
        let none = || FederateError::Coordinator("no shop has joined yet".to_owned());
        let (_, global) = self.training.as_ref().ok_or_else(none)?;
        Ok(&global.heads)
    }

    /// Returns the result once no more rounds will come: the reason of a failure, or success.
    pub fn finished(&self) -> Option<Result<(), String>> {
        match &self.phase {
            Phase::Done => Some(Ok(())),
            Phase::Failed(reason) => Some(Err(reason.clone())),
            _ => None,
        }
    }

    /// Number of the current round of training, and the number of shops.
    pub fn progress(&self) -> (u32, usize) {
        (self.round, self.members.len())
    }

    /// The plan and the heads, once a shop has joined.
    pub fn training(&self) -> Option<(&Plan, &Global)> {
        self.training.as_ref().map(|(plan, global)| (plan, global))
    }

    /// Takes a message. A shop repeats its last one, perhaps turns later, if the answer was lost:
    /// that succeeds without effect.
    fn receive(
        &mut self,
        member: &str,
        digest: blake3::Hash,
        now: Instant,
        take: impl FnOnce(&mut Sum) -> Result<(), FederateError>,
    ) -> Result<(), Denied> {
        let sender = self.members.get_mut(member).ok_or(Denied::Unknown)?;
        sender.seen = now;
        if sender.taken == Some(digest) {
            return Ok(());
        }
        let Phase::Summing(sum) = &mut self.phase else {
            let reason = "the message comes too late: it is not this step's turn".to_owned();
            return Err(FederateError::Coordinator(reason).into());
        };
        take(sum)?;
        sender.taken = Some(digest);
        self.advance(now);
        Ok(())
    }
}

/// Returns the hash of a message of a kind.
fn digest(kind: &str, message: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(message);
    hasher.finalize()
}

fn json(message: &impl serde::Serialize) -> Result<Vec<u8>, FederateError> {
    let invalid = |error| FederateError::Coordinator(format!("unexpected message: {error}"));
    serde_json::to_vec(message).map_err(invalid)
}

/// Returns 32 random bytes of the operating system, hexadecimal.
fn new_secret() -> Result<String, FederateError> {
    Ok(blake3::Hash::from(random_key()?).to_hex().to_string())
}
