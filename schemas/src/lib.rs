//! Wire and record types of Vitrine: types of the HTTP API, of the indexer's output and of the
//! engine's records.
//!
//! A leaf crate: it depends on neither the engine, nor a web framework, nor an encoder. Types have
//! `serde` and `utoipa` derives only; validation that needs state (dimensions, fingerprints,
//! unknown fields in filters) is in the engine.
//!
//! # Examples
//!
//! (They are here because the comments of the types become descriptions in the OpenAPI document.)
//!
//! An item; unknown fields are errors, so that a misspelled one is noticed:
//!
//! ```
//! use vitrine_schemas::Item;
//!
//! let item: Item = serde_json::from_str(
//!     r#"{
//!         "id": "SKU1",
//!         "title": "Red running shoes",
//!         "category": "Clothing > Shoes",
//!         "price": {"amount": 59.0, "currency": "EUR"},
//!         "attributes": {"color": ["red", "white"]},
//!         "vectors": {"shared": [0.6, 0.8]}
//!     }"#,
//! )?;
//! assert_eq!(item.vectors["shared"].len(), 2);
//!
//! let misspelled = serde_json::from_str::<Item>(r#"{"id": "SKU1", "titel": "Shoes"}"#);
//! assert!(misspelled.unwrap_err().to_string().contains("unknown field `titel`"));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A search; fields left out have their defaults:
//!
//! ```
//! use vitrine_schemas::{FilterSpec, SearchRequest};
//!
//! let request: SearchRequest = serde_json::from_str(
//!     r#"{"query": {"text": "red shoes"}, "filter": "price <= 100"}"#,
//! )?;
//! assert_eq!(request.filter, Some(FilterSpec::Text("price <= 100".into())));
//! assert_eq!((request.space.as_str(), request.limit), ("shared", 10));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A filter in its two forms:
//!
//! ```
//! use vitrine_schemas::{Condition, FilterSpec};
//!
//! let text: FilterSpec = serde_json::from_str(r#""price <= 100""#)?;
//! let tree: FilterSpec =
//!     serde_json::from_str(r#"{"must": [{"key": "price", "range": {"lte": 100}}]}"#)?;
//! assert!(matches!(text, FilterSpec::Text(_)));
//! let FilterSpec::Tree(tree) = tree else { panic!("a tree") };
//! assert!(matches!(tree.must[0], Condition::Range(_)));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! An event:
//!
//! ```
//! use vitrine_schemas::{Event, EventKind};
//!
//! let event: Event = serde_json::from_str(
//!     r#"{"kind": "add_to_cart", "collection": "shop", "session": "s1", "items": ["SKU1"]}"#,
//! )?;
//! assert_eq!(event.kind, EventKind::AddToCart);
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod alias;
pub mod analytics;
pub mod anonymity;
pub mod behavior;
pub mod blend;
mod category_path;
pub mod collection;
pub mod consent;
pub mod dialogue;
pub mod diversify;
pub mod embeddings;
pub mod erasure;
pub mod event;
pub mod experiment;
pub mod explore;
pub mod facet;
pub mod feed;
pub mod filter;
pub mod hit;
pub mod item;
pub mod item_embedding;
pub mod item_requests;
pub mod key;
pub mod limits;
mod list;
pub mod map;
pub mod multi_search;
pub mod preset;
pub mod privacy;
pub mod privacy_report;
pub mod problem;
pub mod ranker;
pub mod ranking;
pub mod readiness;
pub mod reason;
pub mod recommend;
pub mod reembedding;
pub mod relevance;
pub mod replication;
pub mod report;
pub mod rule;
pub mod search;
pub mod search_event;
pub mod search_log;
pub mod similar;
pub mod snapshot;
pub mod sort;
pub mod speech;
pub mod suggest;
pub mod synonym;
pub mod understand;
pub mod vector_space;

pub use alias::{AliasAction, AliasRequest, Aliases};
pub use analytics::{
    AnalyticsSummary, DayFigures, PositionFigures, PositionFiguresResponse, QueryFigures,
    QueryFiguresParams, QueryFiguresResponse, QueryOrder, QuerySelection, SearchFigures,
};
pub use anonymity::AnonymityConfig;
pub use behavior::{
    BehaviorConfig, BehaviorInfo, BehaviorPatch, CategoryTransfer, HeldOut, ModelChoice, ModelInfo,
    ModelsResponse, Task, TaskState, TrainParams,
};
pub use blend::{
    BlendFigures, BlendInfo, BlendMethod, BlendSpec, BlendUse, Contribution, Difference, Fallback,
    Source, SourceUse,
};
pub use category_path::CategoryPath;
pub use collection::{
    AttributeType, BuildInfo, CollectionConfig, CollectionInfo, CollectionPatch, IndexInfo,
    IndexMemory, RecallInfo, SelectivityRecall,
};
pub use consent::{
    ConsentConfig, ConsentDecision, ConsentDecisions, ConsentResponse, ConsentStatus,
};
pub use dialogue::{
    ActKind, ComparedItem, Dialogue, DialogueAct, DialogueFilter, DialoguePageRequest,
    DialogueRequest, DialogueResponse, DialogueSearch, DialogueState, DialogueTurn, PriceBasis,
    Relaxation, ShownItem, TurnRequest, Unclear,
};
pub use diversify::{DiversifySpec, DiversityUse, Group};
pub use embeddings::{
    EmbeddingObject, EmbeddingValue, EmbeddingsInput, EmbeddingsRequest, EmbeddingsResponse,
    EmbeddingsUsage, EncodingFormat, OpenAiError, OpenAiModel, OpenAiModels, OpenAiProblem,
};
pub use erasure::{EraseResponse, ErasureSnapshots, ErasureStatus, ErasureStep, ErasureSteps};
pub use event::{
    Event, EventImportParams, EventKind, EventLine, EventResult, EventStatus, EventSummary,
    EventsRequest, EventsResponse, ItemEvents, ItemEventsParams, SubjectParams,
};
pub use experiment::{
    Experiment, ExperimentKind, ExperimentResults, ExperimentUse, Experiments, FigureDifference,
    InterleavingResults, VariantDifferences, VariantResults,
};
pub use explore::{ExplorationUse, ExploreSpec};
pub use facet::{
    Facet, FacetRange, FacetSort, FacetSpec, FacetValue, FacetsRequest, FacetsResponse,
};
pub use feed::{FeedConfig, FeedPreset, Freshness};
pub use filter::{Condition, Filter, FilterSpec, Match, Range, Scalar};
pub use hit::{
    Fragment, Highlight, Hit, SearchExplanation, SearchFacets, SearchResponse, Total, TotalRelation,
};
pub use item::{
    Availability, ImageRef, ImportLine, Item, ItemPatch, MAX_VARIANTS, Offer, OtherVectors, Price,
    RESERVED_NAMES, SalePrice, Variant, WriteResponse, WriteResult, WriteStatus, WriteSummary,
};
pub use item_embedding::{
    EmbedMissingResponse, EmbedMode, EmbeddingCounts, EmbeddingEntry, EmbeddingInfo,
    EmbeddingParams, EmbeddingResponse, EmbeddingState, EmbeddingStatus, WaitFor, WriteParams,
};
pub use item_requests::{
    CountRequest, CountResponse, DeleteRequest, DeleteResponse, ScrollRequest, ScrollResponse,
};
pub use key::{KeyAction, KeyInfo, KeyRotation, KeySecrets, KeysResponse, NewKey};
pub use map::{MapParams, MapPoint, MapResponse};
pub use multi_search::{MultiSearch, MultiSearchRequest, MultiSearchResponse, MultiSearchResult};
pub use preset::{Preset, Presets};
pub use privacy::{
    LedgerEntry, LedgerParams, PeriodBudget, PrivacyConfig, PrivacyLedger, PrivacyMechanism,
    PrivacyUnit, ReleasedTable,
};
pub use privacy_report::{
    CollectionPrivacy, ConsentCounts, DecisionCounts, PersonalData, PersonalDataKind,
    PrivacyReport, SubjectEvents, SubjectPrivacy, SubjectPrivacyParams, SubjectPrivacyReport,
    SubjectSearches,
};
pub use problem::{FieldError, Problem};
pub use ranker::{
    FeatureRow, RankerFigures, RankerInfo, RankerModel, RankerResponse, RankerSource,
    RankerTraining, RankerTree, RankerUpload, RankersResponse, RankingFeatures,
};
pub use ranking::{FeatureGroup, HitRanking, RankerUse};
pub use readiness::{
    CollectionHealth, HealthProblem, LogLevel, Readiness, ReadinessStatus, Severity,
};
pub use reason::Reason;
pub use recommend::{
    BoughtTogetherHit, BoughtTogetherParams, BoughtTogetherResponse, PopularHit, PopularParams,
    PopularResponse, RecommendHit, RecommendRequest, RecommendResponse, WeightedItem,
};
pub use reembedding::{
    EmbeddedItem, FillRequest, FillResponse, PendingItem, PendingParams, PendingResponse,
    ReembeddingInfo, ReembeddingRequest, ReembeddingStage, SpaceSetInfo, SwitchParams,
};
pub use relevance::{Relevance, RelevanceLevel};
pub use replication::{ReplicationInfo, ReplicationRole};
pub use report::{ReportInfo, ReportsResponse};
pub use rule::{
    Boost, InactiveReason, Pin, QueryCondition, Rule, RulePath, RuleTestResult, RuleThen, RuleUse,
    RuleWhen, Rules, RulesTestRequest, RulesTestResponse, Selection,
};
pub use search::{
    FacetsOver, LexicalSpec, Operator, Query, SearchMode, SearchRequest, UnderstandSpec,
};
pub use search_event::{SearchEvent, SearchFollowUp, SearchOutcome, SearchTimeParams};
pub use search_log::{SearchLogConfig, SearchLogInfo};
pub use similar::{Scope, SimilarParams};
pub use snapshot::{SnapshotInfo, SnapshotParams, SnapshotState, SnapshotsResponse};
pub use sort::{SortKey, SortOrder, SortSpec};
pub use speech::{Spoken, Transcription, TranscriptionForm, TranscriptionFormat};
pub use suggest::{SuggestConfig, SuggestParams, SuggestResponse, Suggestion, SuggestionKind};
pub use synonym::{StopWords, Synonym, Synonyms};
pub use understand::{UnderstandRequest, UnderstandResponse, UnderstoodPart};
pub use vector_space::{Metric, Quantization, VectorSpace};
