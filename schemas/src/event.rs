//! Behaviour events.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use utoipa::ToSchema;

/// What a shopper did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// Identifier for deduplication; made from the content where absent.
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
    /// RFC 3339; the time of arrival where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// Rating or amount.
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
    /// Position in the request, from 0.
    pub index: u64,
    /// What happened.
    pub status: EventStatus,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answer of `POST /v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsResponse {
    /// One line an event, in the order sent.
    pub results: Vec<EventResult>,
}
