//! Requests of search.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BlendSpec, DiversifySpec, FacetSpec, FilterSpec, Relevance, SortSpec};

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
