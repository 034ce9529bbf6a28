//! Requests and answers of recommendation.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    BlendSpec, BlendUse, Contribution, DiversifySpec, DiversityUse, Fallback, FilterSpec, Group,
    Item, RuleUse, Scope, SourceUse,
};

/// How the items of a history count together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Content: near to the weighted mean of their vectors, so what lies between them. Behaviour: the sum over them.
    Average,
    /// The greatest of weight x similarity to one of them; below 0 where one that speaks against is nearer.
    BestScore,
    /// The sum of weight x similarity over all of them. Content takes cosines to the fourth power, so that what is very near to
    /// one of them comes before what is a little near to all.
    #[default]
    Sum,
}

/// An item with a weight. The id alone stands for the weight 1.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WeightedItem {
    /// Item id.
    pub id: String,
    /// How much it counts; a view counts 1, a purchase 5.
    pub weight: f32,
}

// By hand, so that an id alone is taken and a fault still keeps its line and its field.
impl<'de> Deserialize<'de> for WeightedItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            id: String,
            #[serde(default = "one")]
            weight: f32,
        }
        struct IdOrObject;
        impl<'de> Visitor<'de> for IdOrObject {
            type Value = WeightedItem;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an item id or {\"id\": ..., \"weight\": ...}")
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Self::Value, E> {
                let id = id.to_owned();
                Ok(WeightedItem { id, weight: one() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Object { id, weight } = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(WeightedItem { id, weight })
            }
        }
        deserializer.deserialize_any(IdOrObject)
    }
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
    /// Items that speak against what is like them; they do not come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negatives: Vec<WeightedItem>,
    /// How the items of the history count together.
    #[serde(default)]
    pub strategy: Strategy,
    /// Only items of the categories of the history (`same`), or none of them (`cross`).
    #[serde(default)]
    pub scope: Scope,
    /// Only items of these categories or below them: `Clothing > Shoes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
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
    /// How the sources are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendSpec>,
    /// How unlike each other the hits shall be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
    /// `next_cursor` of the page before; the rest of the request stays as it was, but for `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Leave out what the shopper touched before.
    #[serde(default = "yes")]
    pub exclude_seen: bool,
    /// Leave out what the shopper bought before; not where it is used up and bought again.
    #[serde(default = "yes")]
    pub exclude_bought: bool,
    /// Leave out what is out of stock.
    #[serde(default = "yes")]
    pub exclude_out_of_stock: bool,
    /// Ids to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Whether the collection's rules act.
    #[serde(default = "yes")]
    pub rules: bool,
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

/// Why an item is recommended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// `also_liked`, `alike`, `similar`, `bridge`, `transition`, `bought_together`, `matches`, `popular`, `new` or `pinned`.
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
    /// The group it stands for, where the answer is grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The record.
    pub item: Item,
}

/// Answer of a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendResponse {
    /// Best first.
    pub hits: Vec<RecommendHit>,
    /// Opaque; absent where nothing is left, and after 5,000 hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Sources used.
    pub sources: Vec<SourceUse>,
    /// How they were joined.
    pub blend: BlendUse,
    /// What the answer had to do without; empty where nothing was missing.
    pub fallbacks: Vec<Fallback>,
    /// What diversity did, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<DiversityUse>,
    /// What rules did, of those that acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleUse>,
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

/// Query string of `GET /v1/collections/{c}/popular`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PopularParams {
    /// Only items of this category or below it: `Clothing > Shoes`.
    pub category: Option<String>,
    /// Days that count, the day of the last event included; an event counts half after half of them.
    #[serde(default = "thirty")]
    #[param(minimum = 1, maximum = 3660)]
    pub window_days: u32,
    /// How many hits, 1 to 1000.
    #[serde(default = "ten")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Leave out what is out of stock.
    #[serde(default = "yes")]
    pub exclude_out_of_stock: bool,
}

fn thirty() -> u32 {
    30
}

/// One popular item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PopularHit {
    /// Item id.
    pub id: String,
    /// Weights of its events, faded by their age; higher is better.
    pub score: f32,
    /// Events that speak for it in the window.
    pub events: u64,
    /// Why.
    pub reason: Reason,
    /// The record.
    pub item: Item,
}

/// Answer of popular.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PopularResponse {
    /// Best first; none where nothing was done in the window.
    pub hits: Vec<PopularHit>,
    /// End of the window, RFC 3339.
    pub until: String,
    /// Time spent in the engine, milliseconds.
    pub took_ms: f64,
}
