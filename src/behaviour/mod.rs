//! What shoppers of a collection did, and the models learned from it.
//!
//! The event store keeps every event; here is what recommending needs of them, in memory: a log of who touched which
//! item ([`Log`]), and what was learned from it at the last training ([`Model`]). A history is read from the log at the
//! time of the question, so an event counts at once, and what goes with what is counted on ([`Live`]); visits, popularity
//! and models other than item-kNN wait for the next training.
//! Models are stored, so that a start needs no training.

mod daily;
mod gathered;
mod held_out;
mod live;
mod log;
mod model;
mod models;
mod people;
mod person;
mod popular;
mod rows;
mod settings;
#[cfg(test)]
mod tests;
mod training;
mod weights;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use parking_lot::{Mutex, RwLock};
use vitrine_schemas::{BehaviorConfig, BehaviorInfo, Event};

pub(crate) use self::{daily::day_of, log::Log, model::Model, person::Person};
pub use self::{training::Training, weights::event_weight};
use crate::{
    Error, Result,
    events::Who,
    storage::{Batch, EventRef, ModelList, Store},
};

/// Trains again when so much of the log is new.
const NEW_SHARE: f64 = 0.1;

/// Rests so many times as long as a training took, and at least [`REST`].
const REST_PER_WORK: u32 = 10;
const REST: Duration = Duration::from_secs(2);

/// How often old events are looked for.
const EXPIRY: Duration = Duration::from_secs(3600);

/// Events after which the log's size is taken again.
const SIZED: u64 = 1024;

/// Events removed or read in one step.
const STEP: usize = 1000;

/// Microseconds in a day.
const DAY: f64 = 86_400.0 * 1e6;

/// Behaviour in one collection.
pub(crate) struct Behaviour {
    pub log: RwLock<Log>,
    model: RwLock<Option<Arc<Model>>>,
    store: Arc<Store>,
    collection: u32,
    config: RwLock<BehaviorConfig>,
    /// What is stored of the models; none once the collection is dropped.
    list: Mutex<Option<ModelList>>,
    /// Held by a training; when another is due.
    due: Mutex<Option<Instant>>,
    /// Held while the log is replaced or part of it forgotten.
    replacing: Mutex<()>,
    /// When old events are looked for again.
    expiry: Mutex<Instant>,
    expired: AtomicU64,
    /// Bytes of the log when its size was taken last.
    log_bytes: AtomicU64,
}

impl Behaviour {
    /// Reads the events and the model that was in use.
    pub fn open(store: Arc<Store>, collection: u32, config: &BehaviorConfig) -> Result<Self> {
        let list = models::read_list(&store, collection)?;
        let log = Log::new(store.model_items(collection)?, config);
        let behaviour = Self {
            log: RwLock::new(log),
            model: RwLock::default(),
            store,
            collection,
            config: RwLock::new(config.clone()),
            list: Mutex::new(Some(list)),
            due: Mutex::default(),
            replacing: Mutex::default(),
            expiry: Mutex::new(Instant::now()),
            expired: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
        };
        behaviour.expire()?;
        let mut log = behaviour.log.write();
        behaviour.store.scan_events(collection, |at, event| {
            log.add(&event, at.micros);
            // The oldest come first.
            if log.is_wasteful(config.max_touches) {
                let mut copy = log.copy(config.max_touches, 0);
                while copy.step(&log) {}
                *log = copy.finish(&log);
            }
            Ok(true)
        })?;
        behaviour.size(&log);
        drop(log);
        behaviour.load_active()?;
        Ok(behaviour)
    }

    /// Learns otherwise from now on.
    pub fn configure(&self, config: &BehaviorConfig) {
        self.log.write().configure(config);
        *self.config.write() = config.clone();
        *self.expiry.lock() = Instant::now();
    }

    /// Takes a stored event in; whether the log's size was taken again.
    pub fn learn_of(&self, event: &Event, micros: i64) -> bool {
        let mut log = self.log.write();
        let (from, before) = (log.end(), log.touches() / SIZED);
        log.add(event, micros);
        if let Some(model) = self.model() {
            model.count(&log, from..log.end());
        }
        let due = log.touches() / SIZED != before;
        if due {
            self.size(&log);
        }
        due
    }

    fn size(&self, log: &Log) {
        self.log_bytes.store(log.memory() as u64, Relaxed);
    }

    /// Bytes in memory, about: the log as of some events ago, and the model, which takes about what it takes stored.
    pub fn bytes(&self) -> u64 {
        let model = self.model().map_or(0, |m| m.info().stored_bytes);
        self.log_bytes.load(Relaxed) + model
    }

    /// What was learned last.
    pub fn model(&self) -> Option<Arc<Model>> {
        self.model.read().clone()
    }

    /// State of the log.
    pub fn info(&self) -> BehaviorInfo {
        let log = self.log.read();
        let (users, sessions) = log.counts();
        let model = self.model();
        let counted = model.as_ref().map_or(0, |m| m.live().memory());
        BehaviorInfo {
            touches: log.touches(),
            users: users as u64,
            sessions: sessions as u64,
            items: log.names().len() as u64,
            memory_bytes: (log.memory() + counted) as u64,
            expired: self.expired.load(Relaxed),
            model: model.map(|m| m.info().version),
        }
    }

    /// The time before which events are removed, in microseconds since 1970.
    pub fn horizon(&self) -> Option<i64> {
        let days = self.config.read().retention_days?;
        Some(Utc::now().timestamp_micros() - (days * DAY) as i64)
    }

    /// Removes old events, lets go what the log need not hold, and trains where enough is new; whether it did anything.
    pub fn maintain(&self) -> Result<bool> {
        let due = {
            let mut at = self.expiry.lock();
            let due = Instant::now() >= *at;
            if due {
                *at = Instant::now() + EXPIRY;
            }
            due
        };
        if due && self.expire()? > 0 {
            self.shrink_log();
        }
        if self.log.read().is_wasteful(self.config.read().max_touches) {
            self.shrink_log();
        }
        self.train_if_due()
    }

    /// Removes the events that are too old; how many there were.
    fn expire(&self) -> Result<u64> {
        let Some(horizon) = self.horizon() else {
            return Ok(0);
        };
        let mut expired = 0;
        loop {
            let mut batch = Batch::default();
            let mut found = 0;
            self.store.scan_events(self.collection, |at, event| {
                let old = at.micros < horizon && found < STEP;
                if old {
                    batch.delete_event(self.collection, at, &event);
                    found += 1;
                }
                Ok(old)
            })?;
            if found == 0 {
                break;
            }
            self.store.write(batch)?;
            expired += found as u64;
        }
        self.expired.fetch_add(expired, Relaxed);
        if expired > 0 {
            tracing::info!(events = expired, "removed events older than retention_days");
        }
        Ok(expired)
    }

    /// Copies what the log must hold, slice by slice while it is read and written, and puts the copy in its place.
    fn shrink_log(&self) {
        let _replacing = self.replacing.lock();
        let from = self.horizon().unwrap_or(0).div_euclid(1_000_000).max(0);
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let mut copy = self.log.read().copy(self.config.read().max_touches, from);
        while copy.step(&self.log.read()) {}
        let mut log = self.log.write();
        *log = copy.finish(&log);
        self.size(&log);
    }

    /// Erases a user: their events, and what nobody else did in their visits; or all that was done in a visit. No event may
    /// be stored meanwhile. What models keep of it goes with the next training, which is due at once.
    pub fn erase(&self, who: &Who) -> Result<u64> {
        let _replacing = self.replacing.lock();
        let mut events = self.listed(who)?;
        if matches!(who, Who::User(_)) {
            let sessions = events.iter().filter_map(|(_, e)| e.session.clone());
            let sessions: BTreeSet<_> = sessions.collect();
            for session in sessions {
                let visit = self.listed(&Who::Session(session))?;
                events.extend(visit.into_iter().filter(|(_, e)| e.user.is_none()));
            }
        }
        if events.is_empty() {
            return Ok(0);
        }
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        next.erased = true;
        let mut batch = Batch::default();
        for (at, event) in &events {
            batch.delete_event(self.collection, *at, event);
        }
        batch.put_model_list(self.collection, &next)?;
        self.store.write(batch)?;
        self.store.flush()?;
        *list = Some(next);
        drop(list);
        self.log.write().erase(who);
        Ok(events.len() as u64)
    }

    /// All events of a user or a visit.
    fn listed(&self, who: &Who) -> Result<Vec<(EventRef, Event)>> {
        self.store
            .listed_events(self.collection, who.listing(), who.name(), None, usize::MAX)
    }

    /// Stores nothing more; the collection is dropped.
    pub fn close(&self) {
        *self.list.lock() = None;
    }
}
