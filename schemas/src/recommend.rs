//! Requests and responses of recommendations.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        KnownFormat, RefOr, SchemaFormat,
        schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use crate::{
    BlendSpec, BlendUse, Contribution, DiversifySpec, DiversityUse, ExplorationUse, ExploreSpec,
    Fallback, FilterSpec, Freshness, Group, Item, Offer, Reason, RuleUse, Scope, SourceUse,
};

/// Strategy for combining the items of a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Content: similarity to the weighted mean of their vectors. Behavior: the sum over the items.
    Average,
    /// Maximum of weight x similarity over the items; negative if a negative item is nearer.
    BestScore,
    /// Sum of weight x similarity over the items. Content uses the fourth power of cosines, so that
    /// items very near to one item rank above items somewhat near to all.
    #[default]
    Sum,
}

/// An item with a weight. An id alone has the weight 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightedItem {
    /// Item id.
    pub id: String,
    /// Weight; by default a view has 1 and a purchase 5.
    pub weight: f32,
}

// Implemented by hand: an id alone is accepted too.
impl PartialSchema for WeightedItem {
    fn schema() -> RefOr<Schema> {
        let id = || {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("Item id."))
        };
        let weight = ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Float)))
            .description(Some("Weight; by default a view has 1 and a purchase 5."))
            .default(Some(default_weight().into()));
        let object = ObjectBuilder::new()
            .property("id", id())
            .required("id")
            .property("weight", weight)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        OneOfBuilder::new()
            .item(id())
            .item(object)
            .description(Some("An item with a weight. An id alone has the weight 1."))
            .into()
    }
}

impl ToSchema for WeightedItem {}

// Implemented by hand, so that an id alone is accepted and errors keep line and field.
impl<'de> Deserialize<'de> for WeightedItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            id: String,
            #[serde(default = "default_weight")]
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
                Ok(WeightedItem {
                    id,
                    weight: default_weight(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Object { id, weight } = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(WeightedItem { id, weight })
            }
        }
        deserializer.deserialize_any(IdOrObject)
    }
}

fn default_weight() -> f32 {
    1.0
}

fn default_true() -> bool {
    true
}

fn default_limit() -> usize {
    10
}

/// Body of `POST /v1/collections/{c}/recommend`. Without user, session and positives, popular items
/// are returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecommendRequest {
    /// User id, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Session id, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Liked items, in addition to the events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positives: Vec<WeightedItem>,
    /// Disliked items: similar items rank lower, and they are excluded themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negatives: Vec<WeightedItem>,
    /// Strategy for combining the items of the history.
    #[serde(default)]
    pub strategy: Strategy,
    /// Only items of the categories of the history (`same`), or of other categories (`cross`).
    #[serde(default)]
    pub scope: Scope,
    /// Only items of these categories or below: `Clothing > Shoes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Filter: only items that match are returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Vector space of the content source. Default: the only one, or `shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Blend of the candidate sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendSpec>,
    /// Result diversification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
    /// Exploration of items with little evidence. Default: that of the collection's `feed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explore: Option<ExploreSpec>,
    /// Decay with the age of an item. Default: that of the collection's `feed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Exclude items that were shown this often, by events of the kind `impression`. Default: that
    /// of the collection's `feed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_impressions: Option<u32>,
    /// Apply the `feed` settings of the collection, where the request has none of its own.
    #[serde(default = "default_true")]
    pub feed: bool,
    /// `next_cursor` of the previous page; all other fields except `limit` must be unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Exclude items that the user interacted with before.
    #[serde(default = "default_true")]
    pub exclude_seen: bool,
    /// Exclude items that the user bought before; set to false for consumables.
    #[serde(default = "default_true")]
    pub exclude_bought: bool,
    /// Exclude items that are out of stock.
    #[serde(default = "default_true")]
    pub exclude_out_of_stock: bool,
    /// Ids of items to exclude.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Apply the merchandising rules of the collection.
    #[serde(default = "default_true")]
    pub rules: bool,
}

/// Query parameters of `GET /v1/collections/{c}/items/{id}/bought_together`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BoughtTogetherParams {
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Exclude items that are out of stock.
    #[serde(default = "default_true")]
    pub exclude_out_of_stock: bool,
}

/// A recommended item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendHit {
    /// Item id.
    pub id: String,
    /// Score: sum of the contributions; higher is better.
    pub score: f32,
    /// Contribution of each source.
    pub contributions: Vec<Contribution>,
    /// Reason: the source that contributed most.
    pub reason: Reason,
    /// True for a hit that was drawn by exploration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explored: bool,
    /// Probability with which the item is on this page; absent without exploration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// The group that the hit represents, if the response is grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Price that is asked now, and the variant that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The item.
    pub item: Item,
}

/// Response of a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendResponse {
    /// Hits, best first.
    pub hits: Vec<RecommendHit>,
    /// Cursor of the next page; absent on the last page, and after 5,000 hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Candidate sources.
    pub sources: Vec<SourceUse>,
    /// Blend of the sources.
    pub blend: BlendUse,
    /// Fallbacks that were used.
    pub fallbacks: Vec<Fallback>,
    /// Effect of diversification, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<DiversityUse>,
    /// Exploration of the page, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploration: Option<ExplorationUse>,
    /// Effects of the rules that applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleUse>,
    /// Number of history items used.
    pub history: u64,
    /// Time in the engine in milliseconds.
    pub took_ms: f64,
}

/// An item bought together with another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoughtTogetherHit {
    /// Item id.
    pub id: String,
    /// Score, higher is better.
    pub score: f32,
    /// Number of baskets with both items.
    pub baskets: u64,
    /// Reason.
    pub reason: Reason,
    /// Price that is asked now, and the variant that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The item.
    pub item: Item,
}

/// Response of bought together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoughtTogetherResponse {
    /// Hits, best first; empty if no user bought the item with another.
    pub hits: Vec<BoughtTogetherHit>,
}

/// Query parameters of `GET /v1/collections/{c}/popular`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PopularParams {
    /// Only items of this category or below: `Clothing > Shoes`.
    pub category: Option<String>,
    /// Length of the window in days, up to and including the day of the last event. The half-life
    /// of an event is half of it.
    #[serde(default = "default_window_days")]
    #[param(minimum = 1, maximum = 3660)]
    pub window_days: u32,
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Exclude items that are out of stock.
    #[serde(default = "default_true")]
    pub exclude_out_of_stock: bool,
}

fn default_window_days() -> u32 {
    30
}

/// A popular item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PopularHit {
    /// Item id.
    pub id: String,
    /// Score: sum of the weights of its events, decayed by age; higher is better.
    pub score: f32,
    /// Number of positive events in the window.
    pub events: u64,
    /// Reason.
    pub reason: Reason,
    /// Price that is asked now, and the variant that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The item.
    pub item: Item,
}

/// Response of popular.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PopularResponse {
    /// Hits, best first; empty if there are no events in the window.
    pub hits: Vec<PopularHit>,
    /// End of the window, RFC 3339.
    pub until: String,
    /// Time in the engine in milliseconds.
    pub took_ms: f64,
}
