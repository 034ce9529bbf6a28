//! Consent: the purposes that the data of a user or session may be used for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Decision about a purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentDecision {
    /// The data may be used.
    #[default]
    Granted,
    /// The data must not be used.
    Denied,
}

/// Consent settings of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentConfig {
    /// Decision where a user or session has made none: `granted`, or `denied` for shops that ask
    /// first (opt-in).
    pub default: ConsentDecision,
}

/// Decisions of a user or session. The default of the collection applies to absent purposes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentDecisions {
    /// Use for their own answers: recommendations, personal searches, followed authors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<ConsentDecision>,
    /// Use for what others get: models, item neighbors, popularity, rankers, heads, suggestions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<ConsentDecision>,
    /// Use for the search log: figures of searches, results of experiments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analytics: Option<ConsentDecision>,
}

/// Consent of a user or session in a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentStatus {
    /// Use for their own answers.
    pub recommendations: ConsentDecision,
    /// Use for what others get.
    pub training: ConsentDecision,
    /// Use for the search log.
    pub analytics: ConsentDecision,
    /// Time of the last change, RFC 3339; absent if all are the default of the collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<String>,
}

/// Consent of a user or session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentResponse {
    /// By collection.
    pub collections: BTreeMap<String, ConsentStatus>,
}
