//! Sequences of choices, to train networks on.

use parking_lot::RwLock;

use super::Log;

/// Users or sessions read while the log is locked.
const SLICE: usize = 4096;

/// Items chosen by each user, and in each session without a known user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequences {
    /// Number of items; sequences have their numbers in the event log, which never change.
    pub items: usize,
    /// Sequences, each with the oldest item first. Several events with an item in a row count once.
    pub sequences: Vec<Vec<u32>>,
}

impl Sequences {
    /// Reads a log in slices.
    pub(crate) fn of(log: &RwLock<Log>) -> Self {
        let ((users, sessions), items, end) = {
            let log = log.read();
            (log.capacities(), log.names().len(), log.end())
        };
        let mut sequences = Vec::new();
        for start in (0..users).step_by(SLICE) {
            let log = log.read();
            let slice = log.users(start..users.min(start + SLICE), end);
            sequences.extend(slice.map(|activity| activity.sequence()));
        }
        for start in (0..sessions).step_by(SLICE) {
            let log = log.read();
            let slice = log.sessions(start..sessions.min(start + SLICE), end);
            let distinct = slice.filter(|activity| !activity.repeats_user);
            sequences.extend(distinct.map(|activity| activity.sequence()));
        }
        sequences.retain(|sequence| !sequence.is_empty());
        Self { items, sequences }
    }
}
