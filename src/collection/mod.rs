//! A collection: records on disk, indexes in memory, one writer at a time.
//!
//! Every version of an item has an internal id of its own. Vectors enter the index under an
//! internal id that is not live yet; a write becomes visible in one step, under the state's lock,
//! after the store returned `Ok`. The internal id of the previous version then stops being live;
//! indexes need no delete.
//!
//! | folder | holds |
//! |---|---|
//! | `schema` | validation of schemas and items |
//! | `state` | what readers see, and reads by id and filter |
//! | `write` | upsert, patch, delete, full-text updates, re-embedding |
//! | `lifecycle` | open, seal and merge, state files, memory, recall canary, rankers |
//! | `ranking` | the pipeline that all rankings share: rules, diversification, pages, cursors |
//! | `search`, `similar`, `recommend` | the ranked requests, each with its candidate sources |
//! | `shopper` | history of a user or session, and what it says of candidates |
//! | `settings` | stored rules, synonyms, stop words, presets and experiments |

mod lifecycle;
mod ranking;
mod recommend;
mod schema;
mod search;
mod settings;
mod shopper;
mod similar;
mod state;
mod write;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use parking_lot::{Mutex, RwLock};
use vitrine_schemas::{
    BehaviorInfo, CollectionConfig, ConsentDecisions, ConsentStatus, Event, EventKind, ModelInfo,
    ModelsResponse, SearchEvent, SearchLogInfo,
};

use crate::{
    Clock, Error, Result,
    behavior::{Behavior, CONSENT_BYTES, Purposes},
    bounds::ResourceLimiter,
    collection::{
        lifecycle::{rankers::Rankers, recall_canary::RecallCanary},
        settings::Settings,
        shopper::cold_items::ColdItems,
        similar::category_stats::CategoryStats,
        state::{State, item_ids::ItemIds},
    },
    events::Subject,
    index::Progress,
    lexical::LexicalIndex,
    query::blend::BlendModel,
    search_log::SearchLog,
    storage::{EventRef, SegmentList, Store, StoredConsent, SubjectHash},
    suggest::Suggestions,
};

pub use lifecycle::{state_file::check_state, stats::Stats};
pub(crate) use schema::{check_config, check_name};
pub use settings::Setting;
pub use write::{Completed, EmbedPolicy, Embedded, ItemVectors, Policy, Written};

/// A collection of items.
pub struct Collection {
    name: String,
    id: u32,
    store: Arc<Store>,
    limiter: Arc<ResourceLimiter>,
    state: RwLock<State>,
    writer: Mutex<Writer>,
    segments: Mutex<SegmentList>,
    /// Held while segments are sealed, and while they are merged.
    sealing: Mutex<()>,
    merging: Mutex<()>,
    /// Running builds of segments.
    builds: RwLock<Vec<Arc<Build>>>,
    closing: AtomicBool,
    behavior: Behavior,
    search_log: SearchLog,
    suggestions: Suggestions,
    canary: RecallCanary,
    lexical: LexicalIndex,
    category_stats: CategoryStats,
    cold_items: ColdItems,
    /// Rules, synonyms, stop words, presets and experiments.
    settings: Settings,
    clock: Clock,
    /// Learned weights of the candidate sources.
    blend: RwLock<Option<Arc<BlendModel>>>,
    rankers: Rankers,
}

/// A running build of a segment.
struct Build {
    space: String,
    progress: Progress,
    vectors: u64,
    /// Approximate bytes of memory.
    bytes: u64,
}

/// State of the writer.
struct Writer {
    next: u32,
    /// Number of writes, and time of the last one.
    writes: u64,
    written: Instant,
    /// Number of writes that the state file includes.
    saved: Option<u64>,
    dropped: bool,
}

impl Collection {
    /// Returns its name, not an alias.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its schema.
    pub fn config(&self) -> Arc<CollectionConfig> {
        self.state.read().config.clone()
    }

    /// Adds a stored event to the log.
    pub(crate) fn ingest_event(&self, event: &Event, micros: i64) {
        let is_in_catalog = |id: &str| self.has_item(id);
        if self.behavior.ingest_event(event, micros, is_in_catalog) {
            self.report();
        }
    }

    /// Refuses a `follow` or `unfollow` if the collection has no field to follow.
    pub(crate) fn check_followable(&self, event: &Event) -> Result<()> {
        let has_field = || {
            let state = self.state.read();
            let feed = state.config.feed.as_ref();
            feed.is_some_and(|feed| feed.followed_field.is_some())
        };
        if !event.kind.is_about_followed() || has_field() {
            return Ok(());
        }
        let detail = format!(
            "`{}` has no field to follow; set `feed.followed_field` of the collection",
            self.name
        );
        Err(Error::invalid("/kind", detail))
    }

    /// Refuses events, or a consent, of `bytes` in memory that would exceed the memory limit.
    pub(crate) fn admit_events(&self, bytes: u64) -> Result<()> {
        let settled = || self.settled_bytes();
        self.limiter
            .admit_memory(self.id, self.bytes(), settled, bytes)
    }

    /// Forgets an item of a purchase that was taken back.
    pub(crate) fn take_back(&self, purchase: &Event, micros: i64, item: &str) {
        self.behavior.take_back(purchase, micros, item);
    }

    /// Removes expired events, and trains if enough events are new; returns true if it did either.
    pub(crate) fn maintain_behavior(&self) -> Result<bool> {
        let changed = self.behavior.maintain(&|ids| self.categories_of(ids))?
            || self.behavior.release_due(|| self.public_catalog())?;
        if changed {
            self.report();
        }
        Ok(changed)
    }

    /// Counts new events in the order of popular items.
    pub(crate) fn refresh_popularity(&self) {
        self.behavior.refresh_popularity();
    }

    /// Returns the time before which events of a kind are not kept, in microseconds since 1970.
    pub(crate) fn events_from(&self, kind: EventKind) -> Option<i64> {
        self.behavior.horizons().of(kind)
    }

    /// Returns true if models were trained on events that are erased since.
    pub(crate) fn has_erased_events_in_models(&self) -> bool {
        self.behavior.has_erased_events()
    }

    /// Erases a user or a session; returns the numbers of erased events and searches. No event may
    /// be stored meanwhile.
    pub(crate) fn erase(&self, who: &Subject) -> Result<(u64, u64)> {
        let searches = self
            .search_log
            .erase(who, self.behavior.sessions_of(who)?)?;
        Ok((self.behavior.erase(who)?, searches))
    }

    /// Returns the events that an erasure of a user or session would remove.
    pub(crate) fn events_of(&self, who: &Subject) -> Result<Vec<(EventRef, Event)>> {
        self.behavior.all_events_of(who)
    }

    /// Returns the recorded searches that an erasure of a user or session would remove.
    pub(crate) fn searches_of(&self, who: &Subject) -> Result<Vec<(EventRef, SearchEvent)>> {
        self.search_log.flush()?;
        let sessions = self.behavior.sessions_of(who)?;
        self.search_log.searches_of(who, sessions)
    }

    /// Records a search that was answered now, with the items of its first page; its time is set.
    /// It is written in the background, so that the search does not wait. A search of someone who
    /// refuses analytics is not recorded.
    pub fn record_search(&self, search: SearchEvent) {
        let (user, session) = (search.user.as_deref(), search.session.as_deref());
        if self.behavior.permits(user, session, Purposes::ANALYTICS) {
            self.search_log.record(self.clock.now(), search);
        }
    }

    /// Returns the number of changes of what may be used since the start.
    pub(crate) fn consent_changes(&self) -> u64 {
        self.behavior.consent_changes()
    }

    /// Returns whether events and searches of a user, or else of a session, may be used for these
    /// purposes.
    pub(crate) fn is_permitted(
        &self,
        purposes: Purposes,
    ) -> impl Fn(Option<&str>, Option<&str>) -> bool {
        move |user, session| self.behavior.permits(user, session, purposes)
    }

    /// Returns the consent of a user or session.
    ///
    /// # Errors
    /// The name is empty or too long, or the store failed.
    pub fn consent(&self, subject: &Subject) -> Result<ConsentStatus> {
        subject.check()?;
        self.behavior.consent(subject)
    }

    /// Replaces the consent of a user or session; None removes it, so that the default of the
    /// collection applies. It is durable when this returns, and acts on answers and the search log
    /// at once. A withdrawal from training makes one due, and acts on models when that is done.
    ///
    /// # Errors
    /// As [`Collection::consent`]; or the first decision of a session would exceed the memory
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// use vitrine::{Subject, schemas::ConsentDecision};
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, _database, shop) = support::shop()?;
    /// let user = Subject::User("u1".into());
    /// let decisions = serde_json::from_value(json!({"training": "denied"}))?;
    /// let consent = shop.set_consent(&user, Some(&decisions))?;
    /// assert_eq!(consent.training, ConsentDecision::Denied);
    /// assert_eq!(consent.recommendations, ConsentDecision::Granted);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_consent(
        &self,
        subject: &Subject,
        decisions: Option<&ConsentDecisions>,
    ) -> Result<ConsentStatus> {
        subject.check()?;
        // Sessions come without end. A user can always refuse.
        let is_session = matches!(subject, Subject::Session(_)) && decisions.is_some();
        if is_session && !self.behavior.has_consent(subject) {
            self.admit_events(CONSENT_BYTES)?;
        }
        self.behavior.set_consent(subject, decisions)?;
        self.behavior.consent(subject)
    }

    /// Applies a consent that another process stored.
    pub(crate) fn replay_consent(&self, subject: SubjectHash, consent: Option<&StoredConsent>) {
        self.behavior.apply_consent(subject, consent);
    }

    /// Returns true if searches are recorded.
    pub fn records_searches(&self) -> bool {
        self.search_log.is_enabled()
    }

    /// Writes the recorded searches that are queued, and removes the oldest ones by age and number.
    pub(crate) fn maintain_searches(&self) -> Result<()> {
        self.search_log.maintain(self.clock.now())
    }

    /// Returns the state of the search log.
    pub(crate) fn search_log_info(&self) -> SearchLogInfo {
        self.search_log.info()
    }

    pub(crate) fn suggestions(&self) -> &Suggestions {
        &self.suggestions
    }

    /// Returns true if an item exists and is not hidden.
    pub(crate) fn shows_item(&self, id: &str) -> bool {
        let state = self.state.read();
        let internal_id = state.internal_ids.get(id);
        internal_id.is_some_and(|internal_id| !state.hidden.contains(*internal_id))
    }

    pub(crate) fn search_log(&self) -> &SearchLog {
        &self.search_log
    }

    /// Returns the current time, in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Returns true if the item exists.
    pub(crate) fn has_item(&self, id: &str) -> bool {
        self.state.read().internal_ids.contains_key(id)
    }

    /// Returns the trained models, the newest first.
    pub fn models(&self) -> ModelsResponse {
        self.behavior.models()
    }

    /// Activates another stored model, until the next training.
    ///
    /// # Errors
    /// There is no model of this version, or the collection is private.
    pub fn activate_model(&self, version: u64) -> Result<ModelInfo> {
        self.behavior
            .refuse_if_private("the tables released last are served; there are no other models")?;
        self.behavior.activate(version)
    }

    /// Returns statistics of the events in memory.
    pub(crate) fn behavior_info(&self) -> BehaviorInfo {
        self.behavior.info()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}
