//! Requests and answers of search, scroll, count and delete.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    BlendSpec, BlendUse, Contribution, DiversifySpec, DiversityUse, Fallback, FilterSpec, Group,
    Item, Reason, SourceUse,
};

/// What to search by: exactly one of text, image, vector and item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Words, embedded by the server's text encoder.
    Text(String),
    /// Base64 of a photo's bytes, embedded by the server's image encoder.
    Image(String),
    /// A vector of the space's dimension.
    Vector(Vec<f32>),
    /// Id of an item whose own vector is used; the item itself is left out.
    Item(String),
}

/// Body of `POST /v1/collections/{c}/search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// What to search by.
    pub query: Query,
    /// Vector space searched; `shared` unless told.
    #[serde(default = "default_space")]
    pub space: String,
    /// Only items that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// How many hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Breadth of the graph search; larger is slower and more exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub ef: Option<usize>,
    /// Compare with every vector instead of walking the graph.
    #[serde(default)]
    pub exact: bool,
    /// Return the vectors of the hits too.
    #[serde(default)]
    pub with_vectors: bool,
    /// Tell how the answer was found.
    #[serde(default)]
    pub explain: bool,
    /// Shopper, as in events: what is near to the query comes in the order that behaviour gives it too. With `user`,
    /// `session`, `blend` or `diversify`, hits say what contributed and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Visit, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How the sources are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendSpec>,
    /// How unlike each other the hits shall be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
}

fn default_space() -> String {
    "shared".into()
}

fn default_limit() -> usize {
    10
}

/// Which categories a similar item may come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The item's own category.
    Same,
    /// Every other category.
    Cross,
    /// All of them.
    #[default]
    Any,
}

/// Query string of `GET /v1/collections/{c}/items/{id}/similar`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SimilarParams {
    /// Which categories to look in.
    #[serde(default)]
    pub scope: Scope,
    /// Vector space; `shared` unless told.
    #[serde(default = "default_space")]
    pub space: String,
    /// How many hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Tell how the answer was found.
    #[serde(default)]
    pub explain: bool,
    /// Maximal marginal relevance: weight of the score, 0 to 1, against likeness to what was chosen before.
    #[param(minimum = 0, maximum = 1)]
    pub mmr: Option<f32>,
    /// At most so many hits of one category.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_category: Option<usize>,
    /// At most so many hits of one brand.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_brand: Option<usize>,
    /// Only the best hit of each value of this field.
    pub group_by: Option<String>,
}

/// One result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// Item id.
    pub id: String,
    /// Higher is better; see the space's metric. With contributions, their sum.
    pub score: f32,
    /// What each source adds, where several took part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributions: Vec<Contribution>,
    /// What contributed most, where several took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The group it stands for, where the answer is grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The record.
    pub item: Item,
}

/// Answer of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// Best first; equal scores in the order of their ids.
    pub hits: Vec<Hit>,
    /// How the candidates were found: `graph`, `scan` (codes of all that match, then the vectors of the best) or `exact`.
    pub plan: String,
    /// What it took; where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<SearchExplanation>,
    /// Sources used, where there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceUse>,
    /// How they were joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendUse>,
    /// What the answer had to do without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// What diversity did, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<DiversityUse>,
    /// Time spent in the engine, milliseconds.
    pub took_ms: f64,
}

/// How an answer was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchExplanation {
    /// As in the answer: `graph`, `scan` or `exact`.
    pub plan: String,
    /// Items with a vector in the space that the filter lets through.
    pub matching: u64,
    /// Vectors in the index; those of items that were deleted or replaced count until a merge leaves them out.
    pub members: u64,
    /// `matching / members`.
    pub selectivity: f64,
    /// Distances computed; those in the graph of vectors that are not sealed yet are not counted.
    pub compared: u64,
}

/// Body of scroll.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrollRequest {
    /// Only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
    /// Page size, 1 to 1000; 100 unless told.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Return vectors too.
    #[serde(default)]
    pub with_vectors: bool,
}

/// A page of items in the order of their ids.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScrollResponse {
    /// The items.
    pub items: Vec<Item>,
    /// Opaque; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Body of count.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// Only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
}

/// Answer of count.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountResponse {
    /// Exact number of matching items.
    pub count: u64,
}

/// Body of delete by filter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// What to delete; an empty filter is refused.
    pub filter: FilterSpec,
}

/// Answer of delete.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeleteResponse {
    /// Items that were there and are gone.
    pub deleted: u64,
}
