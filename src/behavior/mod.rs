//! Behavior of the users of a collection, and the models learned from it.
//!
//! The event store keeps every event; this module holds in memory what recommendations need: the
//! log of touches of items by users and sessions ([`Log`]), and the models of the last training
//! ([`Model`]). Histories are read from the log at query time, so events count at once. Item
//! neighborhoods and sequential rules are updated with each event ([`Live`](live::Live)),
//! popularity some seconds later; sessions and models other than item-kNN wait for the next
//! training. Models are stored, so that a restart needs no training.

mod activity;
mod categories;
mod consent;
mod daily;
mod exposure;
mod follows;
mod held_out;
mod id_memo;
mod live;
mod log;
mod model;
mod models;
mod names;
mod popular;
mod private;
mod retention;
mod rows;
mod sequences;
mod settings;
mod subjects;
#[cfg(test)]
mod tests;
mod training;
mod training_data;
mod weights;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use vitrine_schemas::{
    BehaviorConfig, BehaviorInfo, CollectionConfig, Event, limits::MAX_UNKNOWN_ITEM_BYTES,
};

pub(crate) use self::{
    activity::Activity,
    categories::Categories,
    consent::{CONSENT_BYTES, Consents, Purposes},
    daily::day_of,
    exposure::Exposure,
    log::{Log, event_bytes},
    model::{CategoryPairs, Model},
    names::name_bytes,
    popular::Popular,
    private::PublicCatalog,
    retention::Horizons,
};
use self::{private::Private, training::CategoriesOf};
pub use self::{sequences::Sequences, training::Training, weights::event_weight};
use crate::{
    Clock, Error, Result,
    events::Subject,
    storage::{Batch, EventRef, ModelList, Store},
};

/// Share of new touches in the log from which training is due.
const MIN_NEW_SHARE: f64 = 0.1;

/// Pause between trainings, as a multiple of the duration of the last one.
const PAUSE_PER_TRAINING_TIME: u32 = 10;

/// Minimum pause between trainings.
const MIN_TRAINING_PAUSE: Duration = Duration::from_secs(2);

/// Number of trainings in a row that may fail before models with withdrawn events are dropped.
const MAX_FAILED_TRAININGS: u64 = 3;

/// Interval of the removal of old events.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);

/// Number of touches after which the size of the log is measured again.
const MEASURE_EVERY: u64 = 1024;

/// Microseconds in a day.
const DAY: f64 = 86_400.0 * 1e6;

/// Events about followed values, with their times in microseconds since 1970.
type FollowEvents = Vec<(i64, Event)>;

/// Behavior of the users of one collection.
pub(crate) struct Behavior {
    pub log: RwLock<Log>,
    model: RwLock<Option<Arc<Model>>>,
    store: Arc<Store>,
    collection: u32,
    config: RwLock<BehaviorConfig>,
    consents: Consents,
    /// Number of changes of what may be used since the start.
    consent_changes: AtomicU64,
    /// Stored models; None once the collection is dropped.
    list: Mutex<Option<ModelList>>,
    /// Number of erasures and withdrawals since the start, changed while the list is locked.
    removals: AtomicU64,
    /// True if events withdrew others from training, which is not noted yet.
    withdrawn_by_events: AtomicBool,
    /// Number of trainings in a row that failed.
    failed_trainings: AtomicU64,
    /// Time when the next training is due; locked during a training.
    due: Mutex<Option<Instant>>,
    /// Locked while the log is replaced or partly erased.
    replacing: Mutex<()>,
    /// Time of the next removal of old events.
    expiry: Mutex<Instant>,
    /// Number of events removed since the start.
    expired: AtomicU64,
    /// Bytes of the log when last measured.
    log_bytes: AtomicU64,
    clock: Clock,
    /// Budget and releases of a private collection.
    private: Option<Private>,
    /// Bytes of the ids of unknown items since the start, and number of those left out.
    unknown_bytes: AtomicU64,
    ignored: AtomicU64,
}

impl Behavior {
    /// Reads the events and the active model.
    pub fn open(
        store: Arc<Store>,
        collection: u32,
        config: &CollectionConfig,
        clock: Clock,
    ) -> Result<Self> {
        let consents = Consents::open(&store, collection, &config.consent)?;
        let (config, privacy) = (&config.behavior, config.privacy.as_ref());
        let list = models::read_list(&store, collection)?;
        let private = privacy.map(|privacy| Private::open(&store, collection, privacy));
        let private = private.transpose()?;
        let log = Log::new(store.model_items(collection)?, config, &consents);
        let log = if private.is_some() {
            log.into_private()
        } else {
            log
        };
        let behavior = Self {
            log: RwLock::new(log),
            model: RwLock::default(),
            store,
            collection,
            config: RwLock::new(config.clone()),
            consents,
            consent_changes: AtomicU64::new(0),
            list: Mutex::new(Some(list)),
            removals: AtomicU64::new(0),
            withdrawn_by_events: AtomicBool::new(false),
            failed_trainings: AtomicU64::new(0),
            due: Mutex::default(),
            replacing: Mutex::default(),
            expiry: Mutex::new(Instant::now()),
            expired: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            clock,
            private,
            unknown_bytes: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
        };
        behavior.expire()?;
        let mut log = behavior.log.write();
        let mut bytes = 0;
        behavior.store.scan_events(collection, |reference, event| {
            let event = behavior.without_unknown(&log, &event, &mut bytes)?;
            log.add(&event, reference.micros);
            // Events come oldest first, so the latest are kept.
            if log.needs_compaction(config.max_touches) {
                let mut copy = log.copy(config.max_touches, Horizons::default());
                while copy.step(&log) {}
                *log = copy.finish(&log);
            }
            Ok(true)
        })?;
        behavior.measure(&log);
        drop(log);
        behavior.load_active()?;
        behavior.serve_released()?;
        Ok(behavior)
    }

    /// Applies new training settings.
    pub fn configure(&self, config: &BehaviorConfig) {
        self.log.write().configure(config);
        *self.config.write() = config.clone();
        *self.expiry.lock() = Instant::now();
    }

    /// Adds a stored event to the log; returns true if the log was measured. Items that are not
    /// in the catalog are left out once too many of them are in the log.
    pub fn ingest_event(
        &self,
        event: &Event,
        micros: i64,
        is_in_catalog: impl Fn(&str) -> bool,
    ) -> bool {
        if let Some(private) = &self.private {
            private.note_arrival(micros, self.clock.now());
        }
        // Before the log is locked: searches lock the catalog first.
        let known: Vec<bool> = event.items.iter().map(|id| is_in_catalog(id)).collect();
        let mut log = self.log.write();
        let event = &*self.without_excess(&log, event, &known);
        let (from, before) = (log.end(), log.touches() / MEASURE_EVERY);
        let withdraws = log.add(event, micros);
        if let Some(model) = self.model() {
            model.count(&log, from..log.end());
        }
        let measured = log.touches() / MEASURE_EVERY != before;
        if measured {
            self.measure(&log);
        }
        drop(log);
        if withdraws {
            self.consent_changes.fetch_add(1, Relaxed);
            self.withdrawn_by_events.store(true, Relaxed);
        }
        measured
    }

    /// Returns the event without unknown items beyond the limit.
    fn without_excess<'e>(&self, log: &Log, event: &'e Event, known: &[bool]) -> Cow<'e, Event> {
        if event.kind.is_about_followed() {
            return Cow::Borrowed(event);
        }
        let is_excess = |(id, is_known): (&String, &bool)| {
            if *is_known || log.number(id).is_some() {
                return false;
            }
            let bytes = name_bytes(id);
            let before = self.unknown_bytes.fetch_add(bytes, Relaxed);
            let is_excess = before + bytes > MAX_UNKNOWN_ITEM_BYTES;
            if is_excess {
                self.unknown_bytes.fetch_sub(bytes, Relaxed);
                self.ignored.fetch_add(1, Relaxed);
            }
            is_excess
        };
        let excess: Vec<bool> = event.items.iter().zip(known).map(is_excess).collect();
        without(event, &excess)
    }

    /// Returns a stored event without unknown items, once the ids in the log take `bytes` beyond
    /// the limit. Up to there, the catalog is not asked.
    fn without_unknown<'e>(
        &self,
        log: &Log,
        event: &'e Event,
        bytes: &mut u64,
    ) -> Result<Cow<'e, Event>> {
        if event.kind.is_about_followed() {
            return Ok(Cow::Borrowed(event));
        }
        let mut excess = Vec::with_capacity(event.items.len());
        for id in &event.items {
            let is_new = log.number(id).is_none();
            if is_new {
                *bytes += name_bytes(id);
            }
            let is_checked = is_new && *bytes > MAX_UNKNOWN_ITEM_BYTES;
            let is_excess = is_checked && self.store.item(self.collection, id)?.is_none();
            self.ignored.fetch_add(u64::from(is_excess), Relaxed);
            excess.push(is_excess);
        }
        Ok(without(event, &excess))
    }

    fn measure(&self, log: &Log) {
        self.log_bytes.store(log.memory() as u64, Relaxed);
    }

    /// Returns the approximate bytes of memory: the log as last measured, and the model, estimated
    /// by its stored size.
    pub fn bytes(&self) -> u64 {
        let model = self.model().map_or(0, |m| m.info().stored_bytes);
        self.log_bytes.load(Relaxed) + model
    }

    /// Returns the active model.
    pub fn model(&self) -> Option<Arc<Model>> {
        self.model.read().clone()
    }

    /// Returns the statistics of the log; of a private collection, the version of the model alone.
    pub fn info(&self) -> BehaviorInfo {
        let model = self.model();
        if self.is_private() {
            return BehaviorInfo {
                model: model.map(|m| m.info().version),
                ..BehaviorInfo::default()
            };
        }
        let log = self.log.read();
        let (users, sessions) = log.counts();
        let counted = model.as_ref().map_or(0, |m| m.live().memory());
        BehaviorInfo {
            touches: log.touches(),
            users: users as u64,
            sessions: sessions as u64,
            items: log.names().len() as u64,
            memory_bytes: (log.memory() + counted) as u64,
            expired: self.expired.load(Relaxed),
            ignored: self.ignored.load(Relaxed),
            model: model.map(|m| m.info().version),
        }
    }

    /// Removes old events, compacts the log if needed, and trains if enough is new; returns true if
    /// it trained.
    pub fn maintain(&self, categories: &CategoriesOf<'_>) -> Result<bool> {
        if self.expire_if_due()? {
            self.compact_log();
        }
        if self
            .log
            .read()
            .needs_compaction(self.config.read().max_touches)
        {
            self.compact_log();
        }
        self.train_if_due(categories)
    }

    /// Sorts the popular items again if there are new events.
    pub fn refresh_popularity(&self) {
        if let Some(model) = self.model() {
            model.refresh_popular();
        }
    }

    /// Replaces the log by a copy of the rows to keep; the log is read and written meanwhile.
    fn compact_log(&self) {
        let _replacing = self.replacing.lock();
        let horizons = match self.store.may_expire(self.clock.now()) {
            Ok(true) => self.horizons(),
            Ok(false) | Err(_) => Horizons::default(),
        };
        let max_touches = self.config.read().max_touches;
        let mut copy = self.log.read().copy(max_touches, horizons);
        while copy.step(&self.log.read()) {}
        let mut log = self.log.write();
        *log = copy.finish(&log);
        self.measure(&log);
    }

    /// Returns the sessions of a user; none of a session.
    pub fn sessions_of(&self, subject: &Subject) -> Result<BTreeSet<String>> {
        if matches!(subject, Subject::Session(_)) {
            return Ok(BTreeSet::new());
        }
        let events = self.events_of(subject)?.into_iter();
        Ok(events.filter_map(|(_, event)| event.session).collect())
    }

    /// Erases all events of a session; or of a user, their events and those without a user in their
    /// sessions. Returns the number of events. No event may be stored meanwhile. Models are
    /// replaced by the next training, which is due immediately.
    pub fn erase(&self, subject: &Subject) -> Result<u64> {
        let _replacing = self.replacing.lock();
        let events = self.all_events_of(subject)?;
        if events.is_empty() {
            return Ok(0);
        }
        let follows = self.follows_left(subject, &events)?;
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        next.erased = true;
        let mut batch = Batch::default();
        for (reference, event) in &events {
            batch.delete_event(self.collection, *reference, event);
        }
        batch.put_model_list(self.collection, &next)?;
        self.store.write(batch)?;
        self.removals.fetch_add(1, Relaxed);
        *list = Some(next);
        drop(list);
        let mut log = self.log.write();
        log.erase(subject);
        for (user, events) in &follows {
            log.replace_follows(user, events);
        }
        drop(log);
        self.store.flush()?;
        Ok(events.len() as u64)
    }

    /// Returns the events about followed values that are left of each user who has such an event
    /// among those of a session that are erased.
    fn follows_left(
        &self,
        subject: &Subject,
        erased: &[(EventRef, Event)],
    ) -> Result<Vec<(String, FollowEvents)>> {
        let Subject::Session(session) = subject else {
            return Ok(Vec::new());
        };
        let about_followed = erased.iter().filter(|(_, e)| e.kind.is_about_followed());
        let users: BTreeSet<_> = about_followed
            .filter_map(|(_, event)| event.user.clone())
            .collect();
        let left = |user: String| {
            let events = self.events_of(&Subject::User(user.clone()))?.into_iter();
            let events = events.filter(|(_, event)| {
                event.kind.is_about_followed() && event.session.as_ref() != Some(session)
            });
            let events = events.map(|(reference, event)| (reference.micros, event));
            Ok((user, events.collect()))
        };
        users.into_iter().map(left).collect()
    }

    /// Forgets an item of a purchase that was taken back; neighborhoods follow at the next
    /// training.
    pub fn take_back(&self, purchase: &Event, micros: i64, item: &str) {
        let _replacing = self.replacing.lock();
        self.log.write().take_back(purchase, micros, item);
    }

    /// Returns all events of a session; or of a user, their events and those without a user in
    /// their sessions.
    pub fn all_events_of(&self, subject: &Subject) -> Result<Vec<(EventRef, Event)>> {
        let mut events = self.events_of(subject)?;
        if matches!(subject, Subject::User(_)) {
            let sessions = events.iter().filter_map(|(_, e)| e.session.clone());
            let sessions: BTreeSet<_> = sessions.collect();
            for session in sessions {
                let session = self.events_of(&Subject::Session(session))?;
                events.extend(session.into_iter().filter(|(_, e)| e.user.is_none()));
            }
        }
        Ok(events)
    }

    /// Returns all events of a user or session.
    fn events_of(&self, subject: &Subject) -> Result<Vec<(EventRef, Event)>> {
        let (listing, name) = (subject.listing(), subject.name());
        self.store
            .listed_events(self.collection, listing, name, None, usize::MAX)
    }

    /// Stops storing models; the collection is dropped.
    pub fn close(&self) {
        *self.list.lock() = None;
    }
}

/// Returns an event without the items that are in excess.
fn without<'e>(event: &'e Event, excess: &[bool]) -> Cow<'e, Event> {
    if !excess.contains(&true) {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    let mut excess = excess.iter();
    event
        .items
        .retain(|_| !excess.next().copied().unwrap_or_default());
    Cow::Owned(event)
}
