//! Erasure of users and sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Response of erasing a user or session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EraseResponse {
    /// Number of erased events by collection; collections without any are omitted.
    pub events: BTreeMap<String, u64>,
    /// Number of erased searches of the search log by collection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub searches: BTreeMap<String, u64>,
    /// Id of the erasure, for `GET /v1/erasures/{id}`; absent if there was nothing to erase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<String>,
}

/// Progress of an erasure. It does not say who was erased, and is kept for 400 days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureStatus {
    /// Id of the erasure.
    pub id: String,
    /// Time of the erasure, RFC 3339.
    pub erased_at: String,
    /// True if nothing is due in the database.
    pub is_done: bool,
    /// Steps of the erasure.
    pub steps: ErasureSteps,
    /// Snapshots that were made before; absent without a `backup.target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<ErasureSnapshots>,
}

/// Steps of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureSteps {
    /// Events, searches and dialogues: gone from answers and from the store.
    pub records: ErasureStep,
    /// Names of collections whose models are not trained anew yet.
    pub training_due: Vec<String>,
    /// Files of the database, rewritten without what was erased.
    pub files: ErasureStep,
}

/// A step of an erasure: `done_at` or `due_at` is present.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureStep {
    /// Time at which it was done, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<String>,
    /// Time from which it is due, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
}

impl ErasureStep {
    /// Returns a step that was done at a time.
    pub fn done(at: String) -> Self {
        Self {
            done_at: Some(at),
            due_at: None,
        }
    }

    /// Returns a step that is due at a time.
    pub fn due(at: String) -> Self {
        Self {
            done_at: None,
            due_at: Some(at),
        }
    }
}

/// Snapshots that were made before an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureSnapshots {
    /// Number of them that are kept. They forget who was erased when they are restored.
    pub made_before: u64,
}
