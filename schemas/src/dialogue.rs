//! Dialogues: searches that are refined turn by turn.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    BlendSpec, DiversifySpec, FacetSpec, FacetsOver, FilterSpec, Range, SearchMode, SearchResponse,
    SortKey, Spoken,
};

/// State of a dialogue: the query that it has built up. Each part can be removed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueState {
    /// Search text, without the words that became filters.
    #[serde(default)]
    pub text: String,
    /// Required and excluded values; at most one filter of each kind per field.
    #[serde(default)]
    pub filters: Vec<DialogueFilter>,
    /// Item that hits should be similar to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<ShownItem>,
    /// Ids of excluded items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Order of the hits; absent: by relevance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortKey>,
}

/// A filter of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueFilter {
    /// The field.
    pub field: String,
    /// Accepted values; empty for a range and for `is`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Range of the price or of another number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Value of a field of true and false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<bool>,
    /// True if the filter excludes the values.
    #[serde(default)]
    pub negated: bool,
    /// Words that it came from.
    #[serde(default)]
    pub words: String,
}

/// An item as it was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownItem {
    /// Item id.
    pub id: String,
    /// Price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
}

/// Kind of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Sets the filter of a field.
    Filter,
    /// Adds values to the filter of a field.
    Add,
    /// Removes a part of the state.
    Drop,
    /// Sets the search text.
    Words,
    /// Searches for items similar to an item.
    Like,
    /// Excludes an item.
    Exclude,
    /// Limits prices to below a reference price.
    Cheaper,
    /// Limits prices to above a reference price.
    Pricier,
    /// Sorts the hits.
    Sort,
    /// Shows the next hits; the state stays.
    More,
    /// Compares shown items in a field; the state stays.
    Compare,
    /// Undoes the previous turn.
    Undo,
    /// Clears the state.
    Reset,
}

/// Reference price of "cheaper".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceBasis {
    /// Median of the prices shown.
    ShownMedian,
    /// Price of the item in `like`.
    Liked,
    /// Price of a referenced item ("cheaper than the second").
    Named,
}

/// An act: the interpretation of a part of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueAct {
    /// Kind of the act.
    pub kind: ActKind,
    /// Words that it came from; empty for a control.
    pub words: String,
    /// Field of the items, or `text`, `like`, `excluded` of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Price range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// True if values are excluded.
    #[serde(default)]
    pub negated: bool,
    /// Id of the referenced item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Ids of the compared items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Order of the hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortKey>,
    /// Reference price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<PriceBasis>,
}

/// Words that cannot be applied. A turn with any changes nothing; the detail asks back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unclear {
    /// The words.
    pub words: String,
    /// Cause, and how to fix it.
    pub detail: String,
}

/// A turn of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueTurn {
    /// Text of the turn; empty for a control.
    pub text: String,
    /// Interpretation.
    pub acts: Vec<DialogueAct>,
    /// Words that could not be applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclear: Vec<Unclear>,
    /// State before the turn.
    pub before: DialogueState,
    /// State after the turn.
    pub after: DialogueState,
}

/// Search options of a dialogue, as in the body of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueSearch {
    /// Vector space to search; defaults to `shared`.
    #[serde(default = "default_space")]
    pub space: String,
    /// Filter that always applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// Retrieval mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SearchMode>,
    /// Hits per page, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Facets to count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<FacetSpec>,
    /// Items that facets count.
    #[serde(default)]
    pub facets_over: FacetsOver,
    /// Return text fragments with the matched words marked.
    #[serde(default)]
    pub highlight: bool,
    /// Return an explanation of the search.
    #[serde(default)]
    pub explain: bool,
    /// User id, as in events. Erasing the user erases the dialogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Session id, as in events. Erasing the session erases the dialogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Blend of the candidate sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blend: Option<BlendSpec>,
    /// Result diversification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifySpec>,
}

fn default_space() -> String {
    "shared".into()
}

fn default_limit() -> usize {
    10
}

impl Default for DialogueSearch {
    fn default() -> Self {
        Self {
            space: default_space(),
            filter: None,
            mode: None,
            limit: default_limit(),
            facets: Vec::new(),
            facets_over: FacetsOver::default(),
            highlight: false,
            explain: false,
            user: None,
            session: None,
            blend: None,
            diversify: None,
        }
    }
}

/// A complete dialogue. It can be sent back to resume it, on this or another server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    /// Collection or alias.
    pub collection: String,
    /// Search options.
    #[serde(default)]
    pub search: DialogueSearch,
    /// State.
    #[serde(default)]
    pub state: DialogueState,
    /// Items shown since the last turn, in order, at most 1000: "the second" and "cheaper" refer to
    /// them.
    #[serde(default)]
    pub shown: Vec<ShownItem>,
    /// Turns that can be undone, the latest 50.
    #[serde(default)]
    pub turns: Vec<DialogueTurn>,
}

/// Body of `POST /v1/dialogues`: `collection` starts a new dialogue, `resume` continues one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueRequest {
    /// Collection or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Search options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<DialogueSearch>,
    /// A dialogue from an earlier response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Dialogue>,
    /// Text of the first turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Body of `POST /v1/dialogues/{id}/turns`: exactly one of its fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// Text of the shopper, in English, Chinese or German.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Base64 of a recording of the shopper, as in `query.audio` of a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// Id of an item that hits should be similar to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Id of an item to exclude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<String>,
    /// Parts of the state to remove: fields of filters, `text`, `like`, `excluded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// `true`: undo the previous turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<bool>,
    /// `true`: clear the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
}

/// Body of `POST /v1/dialogues/{id}/page`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialoguePageRequest {
    /// `next_cursor` of the previous page; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Hits of this page; defaults to the limit of the dialogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// Suggestion for a search without hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relaxation {
    /// Parts of the state to remove, as in `drop` of a turn.
    pub drop: Vec<String>,
    /// Number of items that match without them.
    pub matches: u64,
}

/// An item of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedItem {
    /// Item id.
    pub id: String,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Values of the compared field; of all fields if the turn names none, or the items do not have
    /// it.
    #[schema(value_type = Object)]
    pub values: Map<String, Value>,
}

/// Response of a dialogue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DialogueResponse {
    /// Id of the dialogue.
    pub id: String,
    /// Time when it expires if it is not used, RFC 3339.
    pub expires_at: String,
    /// The interpreted turn, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<DialogueTurn>,
    /// Text of a turn by audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken: Option<Spoken>,
    /// The dialogue afterwards.
    pub dialogue: Dialogue,
    /// Search response; absent if the state is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<SearchResponse>,
    /// Suggestions if nothing was found, those with most matches first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relaxations: Vec<Relaxation>,
    /// Items that the turn asked to compare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<ComparedItem>,
}
