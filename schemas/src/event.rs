//! Behaviour events.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// What a shopper did.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EventKind {
    View,
    Click,
    AddToCart,
    Purchase,
    Rating,
    Like,
    Hide,
}

/// One behaviour event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Identifier for deduplication; made from the content, the time included, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What happened.
    pub kind: EventKind,
    /// The collection the items are in.
    pub collection: String,
    /// Shopper; one of `user` and `session` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Item ids, at least one.
    pub items: Vec<String>,
    /// RFC 3339; the time of arrival where absent, or up to a day in the future. Later ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// Rating or amount; not negative for a purchase (a return is none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `request_id` of the search that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Body of `POST /v1/events`: one event or an array of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventsRequest {
    /// One event.
    One(Box<Event>),
    /// Several events.
    Many(Vec<Event>),
}

impl EventsRequest {
    /// The events.
    pub fn into_vec(self) -> Vec<Event> {
        match self {
            Self::One(event) => vec![*event],
            Self::Many(events) => events,
        }
    }
}

// Read by hand, so that a fault keeps its line and its field: serde reads untagged enums through a copy without them.
impl<'de> Deserialize<'de> for EventsRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = EventsRequest;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an event or an array of events")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Event::deserialize(MapAccessDeserializer::new(map))
                    .map(|event| EventsRequest::One(Box::new(event)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(EventsRequest::Many)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Stored.
    Accepted,
    /// Stored; some of its items are not in the collection.
    UnknownItems,
    /// An event with this id was there already.
    Duplicate,
    /// Refused, see `error`.
    Rejected,
}

/// Result of one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventResult {
    /// Position in the request, from 0; in an import the line, from 1.
    pub index: u64,
    /// What happened.
    pub status: EventStatus,
    /// It was dated in the future and is stored with the time of arrival.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skewed: bool,
    /// It came more than a week after its time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Totals of stored events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    /// Stored, those with unknown items included.
    pub accepted: u64,
    /// Not stored, they were there already.
    pub duplicate: u64,
    /// Stored; some of their items are not in the collection.
    pub unknown_items: u64,
    /// Refused.
    pub rejected: u64,
    /// Of the stored: dated in the future, stored with the time of arrival.
    pub skewed: u64,
    /// Of the stored: came more than a week after their time.
    pub late: u64,
}

impl EventSummary {
    /// Counts a result in.
    pub fn count(&mut self, result: &EventResult) {
        let stored = match result.status {
            EventStatus::Accepted => true,
            EventStatus::UnknownItems => {
                self.unknown_items += 1;
                true
            }
            EventStatus::Duplicate => {
                self.duplicate += 1;
                false
            }
            EventStatus::Rejected => {
                self.rejected += 1;
                false
            }
        };
        self.accepted += u64::from(stored);
        self.skewed += u64::from(stored && result.skewed);
        self.late += u64::from(stored && result.late);
    }
}

impl AddAssign for EventSummary {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.unknown_items += other.unknown_items;
        self.rejected += other.rejected;
        self.skewed += other.skewed;
        self.late += other.late;
    }
}

/// Answer of `POST /v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsResponse {
    /// One line an event, in the order sent.
    pub results: Vec<EventResult>,
    /// Totals.
    pub summary: EventSummary,
}

/// One line of the answer of an import of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EventLine {
    /// What became of a line.
    Result(EventResult),
    /// The last line.
    Summary {
        /// Totals.
        summary: EventSummary,
    },
    /// The last line where the import was given up.
    Error {
        /// Why.
        error: Problem,
    },
}

/// Query string of `POST /v1/events/import`: what the records do not say themselves. Columns of CSV and Parquet go by
/// their names (`user`, `items`, `kind`, `ts`, `value`, `session`, `id` and common variants) unless one is named here.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventImportParams {
    /// The collection that the items are in.
    pub collection: String,
    /// What happened where a record does not say it.
    pub default_kind: Option<EventKind>,
    /// Column of the shopper.
    pub user: Option<String>,
    /// Column of the visit.
    pub session: Option<String>,
    /// Column of the item or items.
    pub items: Option<String>,
    /// Separates several items in one cell.
    pub items_separator: Option<String>,
    /// Column of what happened.
    pub kind: Option<String>,
    /// Column of the time.
    pub ts: Option<String>,
    /// Form of the times in the letters of strftime, such as `%d/%m/%Y %H:%M`.
    pub ts_format: Option<String>,
    /// Column of the rating or amount.
    pub value: Option<String>,
    /// Column of the event's id.
    pub id: Option<String>,
}

/// Query string of what is asked about a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PersonParams {
    /// One collection only, by its name or an alias; without it all that the key covers.
    pub collection: Option<String>,
}

/// Answer of erasing a user or a visit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EraseResponse {
    /// Events erased, by collection; those without any are left out.
    pub events: BTreeMap<String, u64>,
}

/// Query string of the events of an item.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ItemEventsParams {
    /// Events to show, the latest, 0 to 1000.
    #[serde(default = "ten")]
    #[param(minimum = 0, maximum = 1000)]
    pub limit: usize,
}

fn ten() -> usize {
    10
}

/// Events of an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemEvents {
    /// Events by kind.
    pub counts: BTreeMap<EventKind, u64>,
    /// The latest events, the newest first.
    pub latest: Vec<Event>,
}
