//! Hits and the response of a search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    BlendUse, Contribution, DiversityUse, ExperimentUse, Facet, FacetsOver, Fallback, Group,
    HitRanking, Item, Offer, RankerUse, Reason, RuleUse, SourceUse, Spoken, UnderstandResponse,
};

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
