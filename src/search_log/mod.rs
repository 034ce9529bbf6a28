//! The search log of a collection: what was searched for, what was shown, and the events that
//! followed.
//!
//! A search must not wait for its record, so it is queued, and the maintenance writes the queue
//! every quarter of a second. A crash of the process loses what is queued; a queue that is full
//! drops searches and counts them. Reads write the queue first. The oldest searches are removed by
//! age and number. Events refer to a search by its request id; they stay in the event store and are
//! joined when they are read ([`FollowUps`]).

mod analytics;
mod follow_ups;
mod popular;
#[cfg(test)]
mod tests;
mod typing;

use std::{
    collections::BTreeSet,
    mem,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use unicode_normalization::UnicodeNormalization;
use vitrine_schemas::{SearchEvent, SearchLogConfig, SearchLogInfo, SearchOutcome};

pub(crate) use self::{
    analytics::{FigureSums, range, revenue},
    follow_ups::FollowUps,
    popular::PopularQuery,
    typing::{Typing, person},
};
use crate::{
    Result,
    bounds::ResourceLimiter,
    events::{Subject, rfc3339},
    storage::{Batch, EventRef, Listing, Store},
};

/// Maximum number of queued searches.
const MAX_QUEUED: usize = 10_000;

/// Searches written, or removed, per batch.
const BATCH: usize = 1_000;

/// Interval of the removal of old searches.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);

/// Maximum number of shown ids that are recorded.
const MAX_SHOWN: usize = 100;

/// Maximum characters of a recorded query.
const MAX_QUERY_CHARS: usize = 256;

/// Microseconds in a day.
const DAY: f64 = 86_400.0 * 1e6;

/// Returns true if events and searches of a user, or else of a session, may be used.
pub(crate) type IsPermitted<'a> = dyn Fn(Option<&str>, Option<&str>) -> bool + 'a;

/// The search log of one collection.
pub(crate) struct SearchLog {
    store: Arc<Store>,
    limiter: Arc<ResourceLimiter>,
    collection: u32,
    config: RwLock<SearchLogConfig>,
    queue: Mutex<Vec<(EventRef, SearchEvent)>>,
    /// Locked while searches are written or removed.
    stored: Mutex<Stored>,
    recorded: AtomicU64,
    dropped: AtomicU64,
    expired: AtomicU64,
}

/// State of the stored searches.
struct Stored {
    /// Number of searches; None before they were counted.
    count: Option<u64>,
    /// Time of the next removal by age.
    expiry: Instant,
    /// True once the collection is dropped.
    is_closed: bool,
}

impl SearchLog {
    /// Opens the log; searches are counted by the first write.
    pub fn open(
        store: Arc<Store>,
        limiter: Arc<ResourceLimiter>,
        collection: u32,
        config: &SearchLogConfig,
    ) -> Self {
        Self {
            store,
            limiter,
            collection,
            config: RwLock::new(config.clone()),
            queue: Mutex::default(),
            stored: Mutex::new(Stored {
                count: None,
                expiry: Instant::now(),
                is_closed: false,
            }),
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        }
    }

    /// Applies new settings.
    pub fn configure(&self, config: &SearchLogConfig) {
        *self.config.write() = config.clone();
        self.stored.lock().expiry = Instant::now();
    }

    /// Returns true if searches are recorded.
    pub fn is_enabled(&self) -> bool {
        self.config.read().enabled
    }

    /// Queues a search that was answered at a time, in microseconds since 1970.
    pub fn record(&self, micros: i64, mut search: SearchEvent) {
        if !self.is_enabled() {
            return;
        }
        search.query = normalized(&search.query);
        search.ts = rfc3339(micros);
        search.shown.truncate(MAX_SHOWN);
        let at = EventRef::new(micros, &search.request_id);
        let mut queue = self.queue.lock();
        if queue.len() < MAX_QUEUED {
            queue.push((at, search));
        } else {
            drop(queue);
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Writes the queue, and removes the oldest searches by age and number.
    ///
    /// # Errors
    /// The store failed or the disk is full; the queued searches are then dropped and counted.
    pub fn maintain(&self, now: i64) -> Result<()> {
        let mut stored = self.stored.lock();
        if stored.is_closed {
            return Ok(());
        }
        self.write_queue(&mut stored)?;
        let may_expire = self.store.may_expire(now)?;
        self.trim(&mut stored, now, may_expire)
    }

    /// Writes the queue.
    ///
    /// # Errors
    /// As [`SearchLog::maintain`].
    pub fn flush(&self) -> Result<()> {
        let mut stored = self.stored.lock();
        if stored.is_closed {
            return Ok(());
        }
        self.write_queue(&mut stored)
    }

    fn write_queue(&self, stored: &mut Stored) -> Result<()> {
        let queue = mem::take(&mut *self.queue.lock());
        for searches in queue.chunks(BATCH) {
            let count = searches.len() as u64;
            if let Err(e) = self.write(searches) {
                self.dropped.fetch_add(count, Relaxed);
                return Err(e);
            }
            self.recorded.fetch_add(count, Relaxed);
            stored.count = stored.count.map(|stored| stored + count);
        }
        if stored.count.is_none() {
            stored.count = Some(self.store.search_totals(self.collection)?.0);
        }
        Ok(())
    }

    fn write(&self, searches: &[(EventRef, SearchEvent)]) -> Result<()> {
        let mut batch = Batch::default();
        for (at, search) in searches {
            batch.put_search(self.collection, *at, search)?;
        }
        self.limiter.admit_disk(batch.bytes())?;
        self.store.write(batch)
    }

    /// Removes the oldest searches by age, once an hour, and by number.
    fn trim(&self, stored: &mut Stored, now: i64, may_expire: bool) -> Result<()> {
        let config = self.config.read().clone();
        let count = stored.count.unwrap_or_default();
        let is_due = Instant::now() >= stored.expiry;
        let mut surplus = count.saturating_sub(config.max_searches);
        if surplus == 0 && !is_due {
            return Ok(());
        }
        stored.expiry = Instant::now() + EXPIRY_INTERVAL;
        let horizon = match may_expire {
            true => now.saturating_sub((config.retention_days * DAY) as i64),
            false => i64::MIN,
        };
        loop {
            let mut batch = Batch::default();
            let mut removed = 0;
            let oldest = EventRef::first_at(i64::MIN);
            self.store
                .scan_searches(self.collection, oldest, |at, search| {
                    let is_old = removed < surplus || at.micros < horizon;
                    let takes = is_old && removed < BATCH as u64;
                    if takes {
                        batch.delete_search(self.collection, at, &search);
                        removed += 1;
                    }
                    Ok(takes)
                })?;
            if removed == 0 {
                return Ok(());
            }
            self.store.write(batch)?;
            surplus = surplus.saturating_sub(removed);
            stored.count = stored.count.map(|count| count.saturating_sub(removed));
            self.expired.fetch_add(removed, Relaxed);
        }
    }

    /// Returns the state of the log.
    pub fn info(&self) -> SearchLogInfo {
        SearchLogInfo {
            stored: self.stored.lock().count.unwrap_or_default(),
            recorded: self.recorded.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            expired: self.expired.load(Relaxed),
        }
    }

    /// Erases the searches of a session, or of a user with those of `sessions` that have no user.
    /// Returns their number.
    ///
    /// # Errors
    /// The store failed.
    pub fn erase(&self, subject: &Subject, sessions: BTreeSet<String>) -> Result<u64> {
        let mut stored = self.stored.lock();
        match self.write_queue(&mut stored) {
            // Searches that were not recorded need not be erased.
            Err(e) if e.is_full() => {}
            written => written?,
        }
        let searches = self.searches_of(subject, sessions)?;
        let mut batch = Batch::default();
        for (at, search) in &searches {
            batch.delete_search(self.collection, *at, search);
        }
        self.store.write(batch)?;
        self.store.flush()?;
        let erased = searches.len() as u64;
        stored.count = stored.count.map(|count| count.saturating_sub(erased));
        Ok(erased)
    }

    fn listed(&self, listing: Listing, name: &str) -> Result<Vec<(EventRef, SearchEvent)>> {
        self.store.listed_searches(self.collection, listing, name)
    }

    /// Returns the stored searches of a session, or of a user with those of `sessions` that have no
    /// user.
    ///
    /// # Errors
    /// The store failed.
    pub fn searches_of(
        &self,
        subject: &Subject,
        mut sessions: BTreeSet<String>,
    ) -> Result<Vec<(EventRef, SearchEvent)>> {
        let user = match subject {
            Subject::User(user) => user,
            Subject::Session(session) => return self.listed(Listing::SearchSession, session),
        };
        let mut searches = self.listed(Listing::SearchUser, user)?;
        sessions.extend(searches.iter().filter_map(|(_, s)| s.session.clone()));
        for session in sessions {
            let of_session = self.listed(Listing::SearchSession, &session)?;
            searches.extend(of_session.into_iter().filter(|(_, s)| s.user.is_none()));
        }
        Ok(searches)
    }

    /// Refuses later searches, and drops those in the queue.
    pub fn close(&self) {
        self.stored.lock().is_closed = true;
        self.queue.lock().clear();
    }

    /// Reads the permitted events from a time on that refer to searches.
    pub fn follow_ups(&self, from: i64, is_permitted: &IsPermitted<'_>) -> Result<FollowUps> {
        FollowUps::read(&self.store, self.collection, from, |event| {
            is_permitted(event.user.as_deref(), event.session.as_deref())
        })
    }

    /// Returns at most `max` permitted searches after a place and before a time, the oldest first.
    pub fn after(
        &self,
        after: EventRef,
        before: i64,
        is_permitted: &IsPermitted<'_>,
        max: usize,
    ) -> Result<Vec<(EventRef, SearchEvent)>> {
        let mut found = Vec::new();
        self.store
            .scan_searches(self.collection, after, |at, search| {
                let takes = at.micros < before && found.len() < max;
                if takes && is_permitted(search.user.as_deref(), search.session.as_deref()) {
                    found.push((at, search));
                }
                Ok(takes)
            })?;
        Ok(found)
    }

    /// Calls `each` for the permitted searches in a range of time, the latest first, without those
    /// that the next keystroke replaced.
    pub fn for_each(
        &self,
        range: Range<i64>,
        is_permitted: &IsPermitted<'_>,
        mut each: impl FnMut(i64, SearchOutcome) -> Result<()>,
    ) -> Result<()> {
        self.flush()?;
        let mut follow_ups = self.follow_ups(range.start, is_permitted)?;
        let mut typing = Typing::default();
        self.store
            .scan_searches_back(self.collection, range.end, |at, search| {
                if at.micros < range.start {
                    return Ok(false);
                }
                if !is_permitted(search.user.as_deref(), search.session.as_deref()) {
                    return Ok(true);
                }
                let outcome = follow_ups.join(at, search);
                if !typing.replaces(at.micros, &outcome) {
                    each(at.micros, outcome)?;
                }
                Ok(true)
            })
    }
}

/// Returns a query as it is recorded: lower case, composed (NFKC), with single spaces.
pub(crate) fn normalized(query: &str) -> String {
    let lower: String = query.nfkc().flat_map(char::to_lowercase).collect();
    let words: Vec<_> = lower.split_whitespace().collect();
    words.join(" ").chars().take(MAX_QUERY_CHARS).collect()
}
