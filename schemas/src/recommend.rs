//! Requests and answers of recommendation.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{FilterSpec, Item};

/// An item the shopper is known to like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedItem {
    /// Item id.
    pub id: String,
    /// How much it counts; a view counts 1, a purchase 5.
    #[serde(default = "one")]
    pub weight: f32,
}

fn one() -> f32 {
    1.0
}

fn yes() -> bool {
    true
}

fn ten() -> usize {
    10
}

/// Body of `POST /v1/collections/{c}/recommend`. Without user, session and positives: what is popular.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecommendRequest {
    /// Shopper, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Visit, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Items that count beside what the events say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positives: Vec<WeightedItem>,
    /// Ids of items that speak against what is like them; they do not come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negatives: Vec<String>,
    /// Only items that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// How many hits, 1 to 1000.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Vector space that content is compared in; the only one, or `shared`, unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Leave out what the shopper touched before.
    #[serde(default = "yes")]
    pub exclude_seen: bool,
    /// Leave out what is out of stock.
    #[serde(default = "yes")]
    pub exclude_out_of_stock: bool,
    /// Ids to leave out, as those of pages before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// Query string of `GET /v1/collections/{c}/items/{id}/bought_together`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BoughtTogetherParams {
    /// How many hits, 1 to 1000.
    #[serde(default = "ten")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
}

/// Where a recommendation comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Items that the same people touched.
    Behavior,
    /// Items whose vectors are near to those of the history.
    Content,
    /// What is popular now.
    Popularity,
    /// The newest items: where the others give too few.
    Newest,
}

/// What a source adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// The source.
    pub source: Source,
    /// Rank of the item in it, from 1.
    pub rank: u64,
    /// Its part of the score.
    pub score: f32,
}

/// Why an item is recommended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// `also_liked`, `similar`, `bought_together`, `popular` or `new`.
    pub code: String,
    /// Items it rests on, the strongest first.
    pub items: Vec<String>,
    /// The same for people to read.
    pub text: String,
}

/// One recommended item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendHit {
    /// Item id.
    pub id: String,
    /// Sum of the contributions; higher is better.
    pub score: f32,
    /// What each source adds.
    pub contributions: Vec<Contribution>,
    /// What contributed most.
    pub reason: Reason,
    /// The record.
    pub item: Item,
}

/// A source as an answer used it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceUse {
    /// The source.
    pub source: Source,
    /// Its weight in this answer.
    pub weight: f32,
    /// Items it gave.
    pub candidates: u64,
}

/// Answer of a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendResponse {
    /// Best first.
    pub hits: Vec<RecommendHit>,
    /// Sources used.
    pub sources: Vec<SourceUse>,
    /// Items of the history it was made from.
    pub history: u64,
    /// Time spent in the engine, milliseconds.
    pub took_ms: f64,
}

/// One item bought together with another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoughtTogetherHit {
    /// Item id.
    pub id: String,
    /// Higher is better.
    pub score: f32,
    /// Baskets with both.
    pub baskets: u64,
    /// Why.
    pub reason: Reason,
    /// The record.
    pub item: Item,
}

/// Answer of bought together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoughtTogetherResponse {
    /// Best first; none where nobody bought the item with another.
    pub hits: Vec<BoughtTogetherHit>,
}

/// What the models of a collection were learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    /// When, RFC 3339.
    pub trained_at: String,
    /// How long it took.
    pub seconds: f64,
    /// Items that anybody touched.
    pub items: u64,
    /// Users and visits.
    pub people: u64,
    /// Items in events.
    pub interactions: u64,
    /// Purchases of a person on a day.
    pub baskets: u64,
    /// Time of the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event: Option<String>,
    /// Time of the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
}
