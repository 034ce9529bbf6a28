//! Recorded searches, with the events that followed from them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{EventKind, ExperimentUse};

/// A recorded search: the first page of a search, or of a category page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchEvent {
    /// Id that events refer to.
    pub request_id: String,
    /// Time, RFC 3339.
    pub ts: String,
    /// Text in lower case with single spaces; empty for a search without a text.
    pub query: String,
    /// User id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Session id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Plan of the search, as in its response.
    pub plan: String,
    /// True if the request has a filter.
    #[serde(default, skip_serializing_if = "is_false")]
    pub filtered: bool,
    /// True for a search as you type (`lexical.prefix`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub typing: bool,
    /// True if a word of the query was corrected.
    #[serde(default, skip_serializing_if = "is_false")]
    pub corrected: bool,
    /// Number of matching items.
    pub hits: u64,
    /// Ids of the items of the page, in order, 100 at most.
    pub shown: Vec<String>,
    /// Part in an experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentUse>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// An item in an event that followed from a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchFollowUp {
    /// Kind of the event.
    pub kind: EventKind,
    /// Item id.
    pub item: String,
    /// Position among the hits, from 1: that of the event, or else that in `shown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Time of the event, RFC 3339.
    pub ts: String,
    /// Value of the event; of an event with several items, an equal share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// A recorded search with the events that followed from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchOutcome {
    /// The search.
    #[serde(flatten)]
    pub search: SearchEvent,
    /// Items of the events with its request id, in the order of time.
    pub events: Vec<SearchFollowUp>,
}

/// Query parameters of the export of searches: a range of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchTimeParams {
    /// First time, RFC 3339 or a day; default: 30 days before `to`.
    pub from: Option<String>,
    /// End of the range, exclusive, RFC 3339 or a day; default: now.
    pub to: Option<String>,
}
