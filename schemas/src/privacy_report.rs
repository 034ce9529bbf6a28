//! Reports of what is stored about people: for the operator, and for each person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    ConsentDecision, ConsentStatus, Event, EventKind, PeriodBudget, PrivacyConfig, SearchEvent,
};

/// Kind of data about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonalDataKind {
    /// Events.
    Events,
    /// Recorded searches.
    Searches,
    /// Consents.
    Consents,
    /// Models learned from events.
    Models,
    /// Dialogues.
    Dialogues,
    /// Access and audit logs.
    Logs,
    /// Snapshots.
    Snapshots,
}

/// Data about people of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonalData {
    /// Kind of the data.
    pub kind: PersonalDataKind,
    /// Content of the records, in words.
    pub what: String,
    /// Place of the records.
    pub place: String,
    /// Uses of the records.
    pub purpose: String,
    /// Time for which they are kept, in words.
    pub kept: String,
    /// Age in days at which it is removed; absent if age does not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<f64>,
    /// Number of records; absent if they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Number of users; absent if they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Number of sessions, those of users included; absent if they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Time of the oldest record, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
}

/// Number of decisions about a purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionCounts {
    /// Number of users and sessions that granted it.
    pub granted: u64,
    /// Number of users and sessions that denied it.
    pub denied: u64,
}

impl DecisionCounts {
    /// Counts a decision, if there is one.
    pub fn add(&mut self, decision: Option<ConsentDecision>) {
        match decision {
            Some(ConsentDecision::Granted) => self.granted += 1,
            Some(ConsentDecision::Denied) => self.denied += 1,
            None => {}
        }
    }
}

/// Consents in a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentCounts {
    /// Decision where a user or session has made none.
    pub default: ConsentDecision,
    /// Number of users with a consent.
    pub users: u64,
    /// Number of sessions with a consent.
    pub sessions: u64,
    /// Decisions about answers to themselves.
    pub recommendations: DecisionCounts,
    /// Decisions about what others get.
    pub training: DecisionCounts,
    /// Decisions about the search log.
    pub analytics: DecisionCounts,
}

/// Data about people in a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CollectionPrivacy {
    /// Data by kind.
    pub data: Vec<PersonalData>,
    /// Consents.
    pub consent: ConsentCounts,
    /// Differential privacy of a private collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyConfig>,
    /// Budgets of a private collection by period, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<PeriodBudget>,
}

/// Report of what is stored about people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyReport {
    /// Time of the report, RFC 3339.
    pub generated_at: String,
    /// Form of the ids of users and sessions in the database, in words.
    pub ids: String,
    /// Data by collection.
    pub collections: BTreeMap<String, CollectionPrivacy>,
    /// Data that the server keeps besides.
    pub server: Vec<PersonalData>,
}

/// Query parameters of the report about a user or session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubjectPrivacyParams {
    /// Collection or alias; default: all collections that the key covers.
    #[serde(default)]
    pub collection: Option<String>,
    /// Maximum number of events, and of searches, of each collection: the latest.
    #[serde(default = "default_limit")]
    #[param(minimum = 0, maximum = 1000, default = 100)]
    pub limit: usize,
}

fn default_limit() -> usize {
    100
}

/// Stored events of a user or session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectEvents {
    /// Number of events.
    pub total: u64,
    /// Number by kind.
    pub kinds: BTreeMap<EventKind, u64>,
    /// Time of the first, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The latest, the newest first.
    pub latest: Vec<Event>,
}

/// Recorded searches of a user or session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectSearches {
    /// Number of searches.
    pub total: u64,
    /// Time of the first, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The latest, the newest first.
    pub latest: Vec<SearchEvent>,
}

/// Data of a user or session in a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectPrivacy {
    /// All of it in words.
    pub summary: Vec<String>,
    /// Consent.
    pub consent: ConsentStatus,
    /// Events, with those of the user's sessions that have no user.
    pub events: SubjectEvents,
    /// Recorded searches, with those of the user's sessions that have no user.
    pub searches: SubjectSearches,
}

/// Report of what is stored about a user or session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectPrivacyReport {
    /// Time of the report, RFC 3339.
    pub generated_at: String,
    /// Data by collection.
    pub collections: BTreeMap<String, SubjectPrivacy>,
    /// Number of dialogues in the memory of this server.
    pub dialogues: u64,
}
