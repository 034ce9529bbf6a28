//! Requests and responses of search, scroll, count and delete.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use std::collections::BTreeMap;

use crate::{
    BlendSpec, BlendUse, Contribution, DiversifySpec, DiversityUse, ExperimentUse, Facet,
    FacetSpec, Fallback, FilterSpec, Group, HitRanking, Item, Offer, RankerUse, Reason, Relevance,
    RuleUse, SortSpec, SourceUse, Spoken, UnderstandResponse,
};

/// Query: exactly one of text, image, audio, vector and item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Text, for full-text search and embedded by the server's text encoder; see `mode`.
    Text(String),
    /// Base64 of the bytes of an image, embedded by the server's image encoder.
    Image(String),
    /// Base64 of a recording of up to 30 s and 10 MB, turned into a text by the server's speech
    /// model: WAV, FLAC, MP3, AAC or MP4, Ogg or WebM with Vorbis or Opus. `spoken` in the response
    /// has the text; send it as `text` for other pages.
    Audio(String),
    /// Vector with the dimension of the space.
    Vector(Vec<f32>),
    /// Id of an item whose vector is used; the item itself is excluded.
    Item(String),
}

/// Retrieval mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// Full-text and vector search in one ranking.
    Hybrid,
    /// Full-text search (BM25), typo-tolerant.
    Lexical,
    /// Vector search.
    Vector,
}

/// Operator that joins the terms of a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Items with any of the terms; more are better.
    #[default]
    Or,
    /// Items with all terms.
    And,
}

/// Options of full-text search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LexicalSpec {
    /// Text to search for in addition to a query by vector, image or item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The last word may be unfinished: search as you type.
    #[serde(default)]
    pub prefix: bool,
    /// Operator that joins the terms.
    #[serde(default)]
    pub operator: Operator,
    /// Words that no item has also match words within one or two edits.
    #[serde(default = "default_true")]
    pub typos: bool,
    /// Also match the synonyms of the collection.
    #[serde(default = "default_true")]
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

fn default_true() -> bool {
    true
}

/// Options of query understanding: price, color, brand, category and so on in the text become a
/// filter, the rest is searched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderstandSpec {
    /// Fields that are not extracted; use it to undo conditions listed in `understood`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// Items that facets count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetsOver {
    /// All matches of all pages. With a text: items with enough of its terms (see `relevance`) and,
    /// in a hybrid search, those of the 100 nearest that are as near as the best items with the
    /// terms; if no item has any of the terms, those of the 100 nearest that stand out from the
    /// other items. By vector only: all items that match the filter and have a vector. Without a
    /// query: all items that match the filter.
    #[default]
    Matches,
    /// The ranked candidates of this page.
    Candidates,
}

/// Body of `POST /v1/collections/{c}/search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// Query; without one, or with an empty text, all items that match the filter are hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Query>,
    /// Fingerprint of the encoders whose spaces are searched; default: those in use. During a
    /// re-embedding there are two. Clients that send their own vectors should set it, so that a
    /// switch does not affect them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Vector space to search; defaults to `shared`.
    #[serde(default = "default_space")]
    pub space: String,
    /// Filter: only items that match are returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// Retrieval mode; default: `hybrid` if there are a text and a vector, else whichever there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SearchMode>,
    /// Options of full-text search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<LexicalSpec>,
    /// Minimum relevance of the matches of a text: `all`, `strict`, or the share of the full-text
    /// score of the best match that a match needs, 0 to 1. Default: any of the words is enough, and
    /// if no item has any, a match has to stand out by its vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevance: Option<Relevance>,
    /// Enables query understanding: extracts price, color, brand and so on from the text as a
    /// filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understand: Option<UnderstandSpec>,
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// `next_cursor` of the previous page; all other fields except `limit` must be unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Number of hits to skip, for page numbers; `offset + limit` is at most 10,000. Not together
    /// with `cursor`.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 9999)]
    pub offset: usize,
    /// Keys that the matches are sorted by, at most 8: `["price:asc"]`. Items without a value come
    /// last, ties are sorted by id. Default: relevance; without a query, popularity if there are
    /// events, then the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub sort: Vec<SortSpec>,
    /// Facets to count, at most 50 fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<FacetSpec>,
    /// Items that facets count.
    #[serde(default)]
    pub facets_over: FacetsOver,
    /// Return text fragments with the matched words marked.
    #[serde(default)]
    pub highlight: bool,
    /// Beam width of the graph search; larger values are slower and more accurate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub ef: Option<usize>,
    /// Compare with all vectors instead of searching the graph.
    #[serde(default)]
    pub exact: bool,
    /// Return the vectors of the hits.
    #[serde(default)]
    pub with_vectors: bool,
    /// Return an explanation of the search.
    #[serde(default)]
    pub explain: bool,
    /// User id, as in events, for personalized ranking. With `user`, `session`, `blend` or
    /// `diversify`, hits have contributions and a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Session id, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Blend of the candidate sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendSpec>,
    /// Result diversification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
    /// Apply the merchandising rules of the collection.
    #[serde(default = "default_true")]
    pub rules: bool,
    /// Rank the first hits again by the collection's active ranker, if there is one; `false` turns
    /// it off.
    #[serde(default = "default_true")]
    pub rerank: bool,
    /// Id of a preset, which provides the fields that this request does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Id of an experiment, which assigns the user or session a variant; the variant provides the
    /// fields that this request does not have, before a preset does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
}

impl SearchRequest {
    /// Returns the words of the request: the text of the query, or else those of the full-text
    /// search.
    pub fn text(&self) -> Option<&str> {
        match &self.query {
            Some(Query::Text(text)) => Some(text),
            _ => self.lexical.as_ref()?.text.as_deref(),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn default_space() -> String {
    "shared".into()
}

fn default_limit() -> usize {
    10
}

/// Categories that items may come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The category of the item.
    Same,
    /// All other categories.
    Cross,
    /// All categories.
    #[default]
    Any,
}

/// Query parameters of `GET /v1/collections/{c}/items/{id}/similar`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SimilarParams {
    /// Categories to search.
    #[serde(default)]
    pub scope: Scope,
    /// Only items of these categories or below, at most 20: `Clothing > Shoes,Home`. With scope
    /// `cross`, each category gets an equal share of the hits if it has enough items. Escape a
    /// comma within a name as `\,`.
    #[serde(default, with = "crate::list")]
    #[param(style = Form, explode = false)]
    pub categories: Vec<String>,
    /// Vector space; defaults to `shared`.
    #[serde(default = "default_space")]
    pub space: String,
    /// Maximum number of hits, 1 to 1000.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Filter in string form.
    pub filter: Option<String>,
    /// Do not return items that are out of stock.
    #[serde(default = "default_true")]
    pub exclude_out_of_stock: bool,
    /// Return an explanation of the search.
    #[serde(default)]
    pub explain: bool,
    /// Maximal marginal relevance: weight of the score, 0 to 1, against similarity to hits selected
    /// before.
    #[param(minimum = 0, maximum = 1)]
    pub mmr: Option<f32>,
    /// Maximum number of hits per category.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_category: Option<usize>,
    /// Maximum number of hits per brand.
    #[param(minimum = 1, maximum = 1000)]
    pub max_per_brand: Option<usize>,
    /// Field to group by: only the best hit of each value is returned.
    pub group_by: Option<String>,
    /// Apply the merchandising rules of the collection.
    #[serde(default = "default_true")]
    pub rules: bool,
}

/// A hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// Item id.
    pub id: String,
    /// Score, higher is better; see the metric of the space. With contributions, their sum.
    pub score: f32,
    /// Contribution of each source, if there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributions: Vec<Contribution>,
    /// Reason: the source that contributed most, if there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Rank by the ranker with its causes, if an explanation was requested and a ranker is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<HitRanking>,
    /// Matched texts, if requested: title, brand, category, description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<Highlight>,
    /// The group that the hit represents, if the response is grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Price that is asked now, and the variant that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The item.
    pub item: Item,
}

/// A text of a hit with its matched words; of a long text, the part around the first match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    /// The field.
    pub field: String,
    /// Fragments of the text, in order.
    pub fragments: Vec<Fragment>,
}

/// A fragment of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fragment {
    /// Text as in the item.
    pub text: String,
    /// True if it matches a word of the query.
    pub is_match: bool,
}

/// Number of matching items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// Number of items.
    pub value: u64,
    /// Relation of the value to the exact number.
    pub relation: TotalRelation,
}

/// Relation of a total to the exact number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TotalRelation {
    /// The value is exact.
    Eq,
    /// The value is a lower bound: every vector is near to the query to some degree.
    Gte,
}

/// Facets of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchFacets {
    /// Items that are counted.
    pub over: FacetsOver,
    /// Number of items counted.
    pub items: u64,
    /// One facet per field, in the order of the request.
    pub fields: Vec<Facet>,
}

/// Response of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// Hits, best first; ties are sorted by id.
    pub hits: Vec<Hit>,
    /// Number of matching items; see `facets_over` for the definition of a match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// Cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Facets, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<SearchFacets>,
    /// Typo corrections: words that no item has, with the words searched instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, String>,
    /// Words of the query with the synonyms that were also searched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Interpretation of the text, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub understood: Option<UnderstandResponse>,
    /// Text of a query by audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken: Option<Spoken>,
    /// Plan of the search: `graph`, `scan` (quantized codes of all matches, then the vectors of the
    /// best), `exact`, `lexical`, or a combination such as `graph+lexical`; `filter` without a
    /// query, or if the whole text became a filter; with `+sort` if the matches are sorted;
    /// `behavior` if similar items of an item without a vector come from behavior.
    pub plan: String,
    /// Explanation, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<SearchExplanation>,
    /// Candidate sources, if there were several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceUse>,
    /// Blend of the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendUse>,
    /// Ranker that ranked the first hits again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranker: Option<RankerUse>,
    /// Fallbacks that were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// Effect of diversification, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<DiversityUse>,
    /// Effects of the rules that applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleUse>,
    /// Id for the events that follow from this search; absent on later pages, whose events refer to
    /// the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Experiment and variant, if the search takes part in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentUse>,
    /// Time in the engine in milliseconds.
    pub took_ms: f64,
}

/// Explanation of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchExplanation {
    /// Plan as in the response: `graph`, `scan` or `exact`.
    pub plan: String,
    /// Number of items that match the filter and have a vector in the space.
    pub matching: u64,
    /// Number of vectors in the index, including those of deleted or replaced items until a merge
    /// drops them.
    pub members: u64,
    /// `matching / members`.
    pub selectivity: f64,
    /// Number of distances computed, without those in the graph of the growing segment.
    pub compared: u64,
}

/// Body of `POST /v1/collections/{c}/items/scroll`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrollRequest {
    /// Filter: only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
    /// Keys that the items are sorted by, at most 8, as in a search; default: by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub sort: Vec<SortSpec>,
    /// Page size, 1 to 1000; defaults to 100.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Return the vectors of the items.
    #[serde(default)]
    pub with_vectors: bool,
}

/// A page of items, sorted by id unless the request sorts them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScrollResponse {
    /// The items.
    pub items: Vec<Item>,
    /// Cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Body of `POST /v1/collections/{c}/items/count`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// Filter: only items that match.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
}

/// Response of a count.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountResponse {
    /// Exact number of matching items.
    pub count: u64,
}

/// Body of `POST /v1/collections/{c}/items/delete`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// Filter of the items to delete; an empty filter is rejected.
    pub filter: FilterSpec,
}

/// Response of a deletion by filter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeleteResponse {
    /// Number of deleted items.
    pub deleted: u64,
}
