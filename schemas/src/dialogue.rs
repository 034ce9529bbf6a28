//! Dialogues: a search that is refined turn by turn.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    BlendSpec, DiversifySpec, FacetSpec, FacetsOver, FilterSpec, Range, SearchMode, SearchResponse,
};

/// What a dialogue searches for: all of it is shown, and each part can be taken away.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueState {
    /// Words that are searched by, beside those that became filters.
    #[serde(default)]
    pub text: String,
    /// What items must have and must not have; one a field and sense.
    #[serde(default)]
    pub filters: Vec<DialogueFilter>,
    /// The item that hits shall be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<ShownItem>,
    /// Items that are not wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
}

/// A condition of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueFilter {
    /// The field.
    pub field: String,
    /// Values, of which one will do; empty for a price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Bounds of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Not wanted.
    #[serde(default)]
    pub negated: bool,
    /// The words it came from.
    #[serde(default)]
    pub words: String,
}

/// An item as the shopper saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownItem {
    /// Item id.
    pub id: String,
    /// Its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
}

/// What a piece of a turn does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// A condition, in the place of the one on its field.
    Filter,
    /// Values beside those of the field.
    Add,
    /// A part of the state is taken away.
    Drop,
    /// Words to search by.
    Words,
    /// An item to be like.
    Like,
    /// An item that is not wanted.
    Exclude,
    /// Prices below one that was seen.
    Cheaper,
    /// Prices above one that was seen.
    Pricier,
    /// The turn before is taken back.
    Undo,
    /// All is taken away.
    Reset,
}

/// Which price "cheaper" is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceBasis {
    /// The median of the prices shown.
    ShownMedian,
    /// That of the item that is searched by.
    Liked,
    /// That of an item named ("cheaper than the second").
    Named,
}

/// A piece of a turn, understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueAct {
    /// What it does.
    pub kind: ActKind,
    /// The words it came from; empty where a control was used.
    pub words: String,
    /// The field: of the items, or `text`, `like`, `excluded` of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Values meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Bounds of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Not wanted.
    #[serde(default)]
    pub negated: bool,
    /// Item meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Which price it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<PriceBasis>,
}

/// Words that meant something which cannot be done; they change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unclear {
    /// As said.
    pub words: String,
    /// What is missing.
    pub detail: String,
}

/// A turn of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueTurn {
    /// What was said; empty where a control was used.
    pub text: String,
    /// What was understood.
    pub acts: Vec<DialogueAct>,
    /// What was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclear: Vec<Unclear>,
    /// The state before.
    pub before: DialogueState,
    /// The state after.
    pub after: DialogueState,
}

/// How a dialogue's searches are answered: as in the body of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueSearch {
    /// Vector space searched; `shared` unless told.
    #[serde(default = "default_space")]
    pub space: String,
    /// Only items that match, whatever is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
    /// What finds items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SearchMode>,
    /// Hits a page, 1 to 1000.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// Counts of values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<FacetSpec>,
    /// What they count.
    #[serde(default)]
    pub facets_over: FacetsOver,
    /// Show where the words are in the hits.
    #[serde(default)]
    pub highlight: bool,
    /// Tell how the answer was found.
    #[serde(default)]
    pub explain: bool,
    /// Shopper, as in events. An erasure of the shopper erases the dialogue.
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

/// A whole dialogue, as it is kept. It can be sent back to go on with it, here or on another server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    /// Collection or alias.
    pub collection: String,
    /// How its searches are answered.
    #[serde(default)]
    pub search: DialogueSearch,
    /// What it searches for.
    #[serde(default)]
    pub state: DialogueState,
    /// The items shown since the last turn, first to last, 1000 at most: those that "the second" and "cheaper" mean.
    #[serde(default)]
    pub shown: Vec<ShownItem>,
    /// The turns that can be taken back, the latest 50.
    #[serde(default)]
    pub turns: Vec<DialogueTurn>,
}

/// Body of `POST /v1/dialogues`: a new dialogue by its `collection`, or one to go on with by `resume`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueRequest {
    /// Collection or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// How its searches are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<DialogueSearch>,
    /// A dialogue as an earlier answer had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Dialogue>,
    /// What is said first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Body of `POST /v1/dialogues/{id}/turns`: exactly one of its fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// What the shopper says, in English or Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Id of an item that hits shall be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Id of an item that is not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<String>,
    /// Parts of the state to take away: fields of the filters, `text`, `like`, `excluded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// `true`: take the turn before back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<bool>,
    /// `true`: take all away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
}

/// Body of `POST /v1/dialogues/{id}/page`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialoguePageRequest {
    /// `next_cursor` of the page before; none: the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Hits of this page; as the dialogue has it unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// What would find something where nothing was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relaxation {
    /// Parts of the state to take away; `{"drop": [...]}` does it.
    pub drop: Vec<String>,
    /// Items that match without them.
    pub matches: u64,
}

/// Answer of a dialogue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DialogueResponse {
    /// Id of the dialogue.
    pub id: String,
    /// RFC 3339: when it is forgotten, unless it goes on.
    pub expires_at: String,
    /// The turn that this answers; absent where nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<DialogueTurn>,
    /// The dialogue after it.
    pub dialogue: Dialogue,
    /// As a search is answered; absent while the state holds nothing to search for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<SearchResponse>,
    /// Where nothing was found: what to take away, what leaves most items first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relaxations: Vec<Relaxation>,
}
