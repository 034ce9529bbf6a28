//! Messages between coordinator and shops, as JSON; vectors and heads travel as bytes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    plan::{Features, Plan},
    secagg::{Context, Id, Inbox, Roster},
};

/// Request to take part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Version of the messages.
    pub protocol: u32,
    /// Name of the shop, for the log of the coordinator.
    pub shop: String,
    /// Encoders of the shop.
    pub features: Features,
    /// Last round for whose sum the shop revealed shares; it refuses to repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summed: Option<u32>,
}

/// Answer to [`Join`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Joined {
    /// Secret by which the coordinator knows the shop from then on.
    pub member: String,
    /// Settings of the training.
    pub plan: Plan,
}

/// The message that the coordinator waits for from a shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
// The tag comes first and apart: buffered maps would have no numbers as keys.
#[serde(tag = "step", content = "of", rename_all = "snake_case")]
pub enum Step {
    /// Nothing now.
    Wait,
    /// Training from the heads of a round on, and then public keys.
    Keys {
        /// The sum.
        context: Context,
    },
    /// Sealed shares.
    Shares {
        /// Number of the shop in the round.
        id: Id,
        /// Participants of the round.
        roster: Roster,
    },
    /// The masked vector.
    Vector {
        /// Sealed shares of the others.
        inbox: Inbox,
    },
    /// Shares that remove the masks.
    Reveal {
        /// Participants whose vectors are in the sum.
        survivors: BTreeSet<Id>,
    },
    /// Nothing more: the heads are finished.
    Done,
    /// Nothing more: the training failed.
    Failed {
        /// Cause.
        reason: String,
    },
}

/// A refusal, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// Reason and remedy.
    pub error: String,
}
