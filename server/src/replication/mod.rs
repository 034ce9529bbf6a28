//! Read replicas through an object store: one writer publishes states of its database, any number
//! of replicas serve them.
//!
//! The files of a state are those of a snapshot (see [`crate::backup`]), by the hash of their
//! content, so a state costs what changed since the one before. A replica opens a state beside the
//! one in use and exchanges the two under running requests.

mod cache;
mod claim;
mod follower;
mod forward;
mod mark;
mod point_in_time;
mod publisher;
mod replay;
mod settings;
mod state;
mod status;
mod store;

pub use self::{
    claim::{Claim, claim},
    follower::Follower,
    forward::{FORWARDED, forward, refuse},
    point_in_time::{RestoreAtArgs, restore_at},
    publisher::Publisher,
    settings::ReplicationSettings,
    state::{State, Version},
    status::Replication,
    store::{Heartbeat, StateStore},
};
