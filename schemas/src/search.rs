//! Requests and answers of search, scroll, count and delete.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use std::collections::BTreeMap;

use crate::{
    BlendSpec, BlendUse, Contribution, DiversifySpec, DiversityUse, Facet, FacetSpec, Fallback,
    FilterSpec, Group, Item, Reason, RuleUse, SourceUse, UnderstandResponse,
};

/// What to search by: exactly one of text, image, vector and item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Words: looked for as they are, and embedded by the server's text encoder; see `mode`.
    Text(String),
    /// Base64 of a photo's bytes, embedded by the server's image encoder.
    Image(String),
    /// A vector of the space's dimension.
    Vector(Vec<f32>),
    /// Id of an item whose own vector is used; the item itself is left out.
    Item(String),
}

/// What finds items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// Items near to the query's vector, and items with its words, as one ranking.
    Hybrid,
    /// Items with the words of the query (BM25), typing errors forgiven.
    Lexical,
    /// Items near to the query's vector.
    Vector,
}

/// Which items match the words of a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Those with any of them; the more, the better.
    #[default]
    Or,
    /// Those with all of them.
    And,
}

/// How words are looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LexicalSpec {
    /// Words beside a query by vector, photo or item; a query by text has them already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The last word may go on: search as you type.
    #[serde(default)]
    pub prefix: bool,
    /// Which items match.
    #[serde(default)]
    pub operator: Operator,
    /// A word that no item has stands for those that differ in a letter or two.
    #[serde(default = "yes")]
    pub typos: bool,
    /// Look for the collection's synonyms too.
    #[serde(default = "yes")]
    pub synonyms: bool,
}

impl Default for LexicalSpec {
    fn default() -> Self {
        Self {
            text: None,
            prefix: false,
            operator: Operator::Or,
            typos: true,
            synonyms: true,
        }
    }
}

fn yes() -> bool {
    true
}

/// What a text says of price, colour, brand, category and the like becomes a filter; the rest is searched by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderstandSpec {
    /// Fields that nothing is taken out for: what the answer's `understood` says of them is undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// What facets count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetsOver {
    /// Every match, also those on no page: with words, items that have one and, in a hybrid search, those that their
    /// vectors brought; by vector alone, every item that the filter lets through and that has a vector.
    #[default]
    Matches,
    /// What was ranked: the candidates of this page.
    Candidates,
}

/// Body of `POST /v1/collections/{c}/search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// What to search by.
    pub query: Query,
    /// Encoders whose spaces are searched: during a re-embedding there are two. Without it, those in use. A client that sends
    /// vectors of its own names it, so that a switch does not disturb it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Vector space searched; `shared` unless told.
    #[serde(default = "default_space")]
    pub space: String,
    /// Only items that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// What finds items: `hybrid` where there are words and a vector, else what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SearchMode>,
    /// How words are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<LexicalSpec>,
    /// Take price, colour, brand and the like out of a text as a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understand: Option<UnderstandSpec>,
    /// How many hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// `next_cursor` of the page before; the rest of the request stays as it was, but for `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Counts of values, at most 50 fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<FacetSpec>,
    /// What they count.
    #[serde(default)]
    pub facets_over: FacetsOver,
    /// Show where the words are in the hits.
    #[serde(default)]
    pub highlight: bool,
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
    /// Whether the collection's rules act.
    #[serde(default = "yes")]
    pub rules: bool,
    /// A saved way to search, for what this request does not say itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
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
    /// Only items of these categories or below them, at most 20: `Clothing > Shoes,Home`. Of several, each gets its share of the
    /// hits, as far as it has that many. A comma within a name is written `\,`.
    #[serde(default, with = "crate::list")]
    #[param(style = Form, explode = false)]
    pub categories: Vec<String>,
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
    /// Whether the collection's rules act.
    #[serde(default = "yes")]
    pub rules: bool,
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
    /// Texts with the words found, where it was asked for: title, brand, category, description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<Highlight>,
    /// The group it stands for, where the answer is grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The record.
    pub item: Item,
}

/// A text of a hit with the words found; of a long one, what is around the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    /// The field.
    pub field: String,
    /// The text in pieces.
    pub fragments: Vec<Fragment>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fragment {
    /// As it stands in the item.
    pub text: String,
    /// Whether it is a word of the query.
    pub is_match: bool,
}

/// How many items match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// Items.
    pub value: u64,
    /// Whether there are more.
    pub relation: TotalRelation,
}

/// How a total is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TotalRelation {
    /// So many match.
    Eq,
    /// At least so many do: everything is near to a vector to some degree.
    Gte,
}

/// Counts of values with what they count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchFacets {
    /// What is counted.
    pub over: FacetsOver,
    /// Items counted.
    pub items: u64,
    /// One a field, in the order asked.
    pub fields: Vec<Facet>,
}

/// Answer of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// Best first; equal scores in the order of their ids.
    pub hits: Vec<Hit>,
    /// How many items match; see `facets_over` for what counts as a match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// For the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Counts, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<SearchFacets>,
    /// Words that no item has, and what was looked for instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, String>,
    /// Words of the query that stand for others, and what was looked for besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// What was taken out of the text, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understood: Option<UnderstandResponse>,
    /// How the candidates were found: `graph`, `scan` (codes of all that match, then the vectors of the best), `exact`,
    /// `lexical`, or one of the first and `lexical`, such as `graph+lexical`; `filter` where what was understood is all filter and
    /// no words or vector rank: the latest written first; `behavior` where an item without a vector is answered for by what people
    /// did.
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
    /// What rules did, of those that acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleUse>,
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
