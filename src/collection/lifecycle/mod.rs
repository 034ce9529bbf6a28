//! Life cycle of a collection: opening, background maintenance, closing, and statistics.

pub(super) mod maintain;
pub(super) mod memory;
mod open;
mod open_state;
mod quarantine;
pub(super) mod rankers;
pub(super) mod recall_canary;
pub(super) mod state_file;
pub(super) mod stats;
