//! Secure aggregation of vectors of integers modulo 2^32: a coordinator learns the sum of the
//! vectors of all participants that stay, and nothing else about any one of them.
//!
//! The protocol is that of [Bonawitz et al. 2017](https://eprint.iacr.org/2017/281), with the
//! sparse graph of masks of [Bell et al. 2020](https://eprint.iacr.org/2020/704) (SecAgg+) from
//! 65 participants on. Four messages of each participant make a sum:
//!
//! 1. public keys ([`Advertised`]),
//! 2. shares of its secrets, sealed for its neighbors ([`Shared`]),
//! 3. its vector under the masks ([`Masked`]),
//! 4. shares of the seeds of those who stayed, and of the keys of those who left.
//!
//! A participant that leaves after the second message is not in the sum: its neighbors' shares
//! restore its key, and with it the masks that others added for it. One that leaves after the
//! third is in the sum. All primitives come from libraries: X25519, HKDF-SHA256, ChaCha20,
//! ChaCha20-Poly1305, and Shamir's secret sharing over GF(256).

mod aggregation;
mod context;
mod crypto;
mod graph;
mod messages;
mod participant;
mod shares;
#[cfg(test)]
mod tests;

pub use self::{
    aggregation::Aggregation,
    context::{Context, Id},
    crypto::random_key,
    graph::{MIN_PARTICIPANTS, least_survivors},
    messages::{Commitment, Inbox, PublicKeys, Revealed, Roster, SealedShares},
    participant::{Advertised, Masked, Shared},
};

/// A refusal of the protocol. Participants are named by their number in the roster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecureError {
    /// Too few participants for a sum that hides each of them, or to remove the masks.
    #[error("expected at least {min} participants {when}, got {found}")]
    TooFew {
        /// Step of the protocol.
        when: &'static str,
        /// Number of participants.
        found: usize,
        /// Required number.
        min: usize,
    },
    /// A message that differs from what its sender committed to, or that cannot be opened.
    #[error("participant {participant}: {what}; it must leave the round")]
    Tampered {
        /// Sender of the message.
        participant: Id,
        /// The defect.
        what: &'static str,
    },
    /// A message of the wrong participant, step or size.
    #[error("participant {participant}: {reason}")]
    Unexpected {
        /// Sender of the message.
        participant: Id,
        /// Expected and actual message.
        reason: String,
    },
    /// A request that would reveal more than the sum.
    #[error("the coordinator asks for {0}; refused, since it would reveal a single vector")]
    Refused(&'static str),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system: {0}")]
    Random(String),
}
