//! Wire and record types of Vitrine: types of the HTTP API, of the indexer's output and of the
//! engine's records.
//!
//! A leaf crate: it depends on neither the engine, nor a web framework, nor an encoder. Types have
//! `serde` and `utoipa` derives only; validation that needs state (dimensions, fingerprints,
//! unknown fields in filters) is in the engine.

pub mod alias;
pub mod behavior;
pub mod blend;
pub mod collection;
pub mod dialogue;
pub mod diversify;
pub mod embeddings;
pub mod event;
pub mod facet;
pub mod filter;
pub mod item;
pub mod item_embedding;
mod list;
pub mod map;
pub mod multi_search;
pub mod preset;
pub mod problem;
pub mod recommend;
pub mod reembedding;
pub mod report;
pub mod rule;
pub mod search;
pub mod synonym;
pub mod understand;

pub use alias::{AliasAction, AliasRequest, Aliases};
pub use behavior::{
    BehaviorConfig, BehaviorInfo, BehaviorPatch, HeldOut, ModelChoice, ModelInfo, ModelsResponse,
    Task, TaskState, TrainParams,
};
pub use blend::{
    BlendFigures, BlendInfo, BlendMethod, BlendSpec, BlendUse, Contribution, Difference, Fallback,
    Source, SourceUse,
};
pub use collection::{
    AttributeType, BuildInfo, CollectionConfig, CollectionInfo, CollectionPatch, IndexInfo,
    IndexMemory, Metric, Quantization, RecallInfo, VectorSpace,
};
pub use dialogue::{
    ActKind, Dialogue, DialogueAct, DialogueFilter, DialoguePageRequest, DialogueRequest,
    DialogueResponse, DialogueSearch, DialogueState, DialogueTurn, PriceBasis, Relaxation,
    ShownItem, TurnRequest, Unclear,
};
pub use diversify::{DiversifySpec, DiversityUse, Group};
pub use embeddings::{
    EmbeddingObject, EmbeddingValue, EmbeddingsInput, EmbeddingsRequest, EmbeddingsResponse,
    EmbeddingsUsage, EncodingFormat, OpenAiError, OpenAiModel, OpenAiModels, OpenAiProblem,
};
pub use event::{
    EraseResponse, Event, EventImportParams, EventKind, EventLine, EventResult, EventStatus,
    EventSummary, EventsRequest, EventsResponse, ItemEvents, ItemEventsParams, SubjectParams,
};
pub use facet::{
    Facet, FacetRange, FacetSort, FacetSpec, FacetValue, FacetsRequest, FacetsResponse,
};
pub use filter::{Condition, Filter, FilterSpec, Match, Range, Scalar};
pub use item::{
    Availability, ImageRef, ImportLine, Item, ItemPatch, MAX_VARIANTS, OtherVectors, Price,
    RESERVED_NAMES, SalePrice, Variant, WriteResponse, WriteResult, WriteStatus, WriteSummary,
};
pub use item_embedding::{
    EmbedMissingResponse, EmbedMode, EmbeddingCounts, EmbeddingEntry, EmbeddingInfo,
    EmbeddingParams, EmbeddingResponse, EmbeddingState, EmbeddingStatus, WaitFor, WriteParams,
};
pub use map::{MapParams, MapPoint, MapResponse};
pub use multi_search::{MultiSearch, MultiSearchRequest, MultiSearchResponse, MultiSearchResult};
pub use preset::{Preset, Presets};
pub use problem::{FieldError, Problem};
pub use recommend::{
    BoughtTogetherHit, BoughtTogetherParams, BoughtTogetherResponse, PopularHit, PopularParams,
    PopularResponse, Reason, RecommendHit, RecommendRequest, RecommendResponse, WeightedItem,
};
pub use reembedding::{
    EmbeddedItem, FillRequest, FillResponse, PendingItem, PendingParams, PendingResponse,
    ReembeddingInfo, ReembeddingRequest, ReembeddingStage, SpaceSetInfo, SwitchParams,
};
pub use report::{ReportInfo, ReportsResponse};
pub use rule::{
    Boost, InactiveReason, Pin, QueryCondition, Rule, RulePath, RuleTestResult, RuleThen, RuleUse,
    RuleWhen, Rules, RulesTestRequest, RulesTestResponse, Selection,
};
pub use search::{
    CountRequest, CountResponse, DeleteRequest, DeleteResponse, FacetsOver, Fragment, Highlight,
    Hit, LexicalSpec, Operator, Query, Scope, ScrollRequest, ScrollResponse, SearchExplanation,
    SearchFacets, SearchMode, SearchRequest, SearchResponse, SimilarParams, Total, TotalRelation,
    UnderstandSpec,
};
pub use synonym::{StopWords, Synonym, Synonyms};
pub use understand::{UnderstandRequest, UnderstandResponse, UnderstoodPart};
