//! The sum that a message belongs to, and the numbers of participants.

use serde::{Deserialize, Serialize};

/// Number of a participant in a round, from 1: also the point of its Shamir shares.
pub type Id = u8;

/// The sum that keys belong to: keys of one are useless in another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Session of the coordinator.
    pub session: String,
    /// Number of the round.
    pub round: u32,
    /// Number of the attempt: a round that failed is tried again with new keys.
    pub attempt: u32,
}

impl Context {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let numbers = [self.round.to_le_bytes(), self.attempt.to_le_bytes()].concat();
        [&numbers, self.session.as_bytes()].concat()
    }
}
