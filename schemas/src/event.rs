//! Behavior events.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// Kind of an event.
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
    /// Takes back the latest purchase of its items by the user or session.
    Return,
    /// The items were shown. No opinion about them, and not learned from.
    Impression,
    /// The user follows the authors (or other values of `feed.followed_field`) that `items` names.
    Follow,
    /// The user follows them no longer.
    Unfollow,
}

impl EventKind {
    /// Returns true if the event is a choice of its items, which has a weight.
    pub fn is_choice(self) -> bool {
        !matches!(
            self,
            Self::Hide | Self::Return | Self::Impression | Self::Follow | Self::Unfollow
        )
    }

    /// Returns true if the event names values of the followed field instead of items.
    pub fn is_about_followed(self) -> bool {
        matches!(self, Self::Follow | Self::Unfollow)
    }
}

/// A behavior event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Identifier for deduplication; derived from the content, including the time, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Kind of the event.
    pub kind: EventKind,
    /// Collection of the items.
    pub collection: String,
    /// User id; `user` or `session` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Session id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Item ids, at least one; values of the followed field for `follow` and `unfollow`.
    pub items: Vec<String>,
    /// Time, RFC 3339, or a number of seconds, milli-, micro- or nanoseconds since 1970; the time
    /// of arrival if absent or up to a day in the future. Later times are rejected.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text_or_number"
    )]
    #[schema(value_type = Option<EventTime>)]
    pub ts: Option<String>,
    /// Number of pieces of each item; a negative number of a purchase is a return. A return without
    /// it takes back the latest purchase as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<f64>,
    /// Rating or amount; must not be negative for a purchase (a return is not a purchase).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `request_id` of the search that led to the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Position of the item among the hits of that search, from 1, counted over all pages; only for
    /// an event with one item. If absent, the position on the first page is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub position: Option<u32>,
}

/// Time of an event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventTime {
    /// RFC 3339, such as `2026-01-31T12:00:00Z`.
    Text(String),
    /// Seconds, milli-, micro- or nanoseconds since 1970.
    Number(f64),
}

/// Reads a time that is a text or a number; numbers become texts.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Time;
    impl<'de> Visitor<'de> for Time {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an RFC 3339 time such as 2026-01-31T12:00:00Z, or a number since 1970")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }
    }
    deserializer.deserialize_any(Time)
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

/// Outcome of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Stored.
    Accepted,
    /// Stored; some of its items are not in the collection.
    UnknownItems,
    /// Not stored: an event with this id exists.
    Duplicate,
    /// Rejected, see `error`.
    Rejected,
}

/// Result of one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventResult {
    /// Index in the request, from 0; in an import the line number, from 1.
    pub index: u64,
    /// Outcome.
    pub status: EventStatus,
    /// True if it was dated in the future and stored with the time of arrival.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skewed: bool,
    /// True if it arrived more than a week after its time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// Reason why it was not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Totals of stored events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    /// Stored events, including those with unknown items.
    pub accepted: u64,
    /// Events not stored because they exist.
    pub duplicate: u64,
    /// Stored events with items that are not in the collection.
    pub unknown_items: u64,
    /// Rejected events.
    pub rejected: u64,
    /// Stored events that were dated in the future and got the time of arrival.
    pub skewed: u64,
    /// Stored events that arrived more than a week after their time.
    pub late: u64,
}

impl EventSummary {
    /// Counts a result.
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

/// Response of `POST /v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsResponse {
    /// One result per event, in the order of the request.
    pub results: Vec<EventResult>,
    /// Totals.
    pub summary: EventSummary,
}

/// A line of the response of an event import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EventLine {
    /// Result of one line.
    Result(EventResult),
    /// Last line of a complete import.
    Summary {
        /// Totals.
        summary: EventSummary,
        /// Version of the database with all of the import, as `x-vitrine-version` of other
        /// changes; absent without replication.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Last line of an aborted import.
    Error {
        /// Cause.
        error: Problem,
    },
}

/// Query parameters of `POST /v1/events/import`: defaults and column names. Columns of CSV and
/// Parquet files are recognized by name (`user`, `items`, `kind`, `ts`, `value`, `session`, `id`
/// and common variants) unless they are named here.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventImportParams {
    /// Collection of the items.
    pub collection: String,
    /// Kind of events without one.
    pub default_kind: Option<EventKind>,
    /// Column of the user id.
    pub user: Option<String>,
    /// Column of the session id.
    pub session: Option<String>,
    /// Column of the item ids.
    pub items: Option<String>,
    /// Separator of several items in one cell.
    pub items_separator: Option<String>,
    /// Column of the kind.
    pub kind: Option<String>,
    /// Column of the time.
    pub ts: Option<String>,
    /// Format of the times (strftime), such as `%d/%m/%Y %H:%M`.
    pub ts_format: Option<String>,
    /// Column of the rating or amount.
    pub value: Option<String>,
    /// Column of the number of pieces; negative ones are returns.
    pub quantity: Option<String>,
    /// Column of the event id.
    pub id: Option<String>,
    /// Encoding of a CSV file, such as `windows-1252`; detected if absent.
    pub encoding: Option<String>,
    /// Separator of a CSV file: a character, or `tab`; detected if absent.
    pub delimiter: Option<String>,
    /// Quote of a CSV file: a character, or `none`; a double quote if absent.
    pub quote: Option<String>,
}

/// Query parameters of the routes of a user or session.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubjectParams {
    /// Collection or alias; default: all collections that the key covers.
    pub collection: Option<String>,
}

/// Query parameters of the events of an item.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ItemEventsParams {
    /// Maximum number of latest events, 0 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 0, maximum = 1000)]
    pub limit: usize,
}

fn default_limit() -> usize {
    10
}

/// Events of an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemEvents {
    /// Number of events by kind.
    pub counts: BTreeMap<EventKind, u64>,
    /// Latest events, newest first.
    pub latest: Vec<Event>,
}
