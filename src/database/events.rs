//! The event store: events are checked, deduplicated by id and stored in one batch per call; the
//! events of a subject or an item are read back.

mod returns;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::Utc;
use vitrine_schemas::{Event, EventKind, EventResult, EventStatus, ItemEvents};

use super::Database;
use crate::{
    Collection, Error, Result,
    behavior::event_bytes,
    events::{self, Arrival, Subject},
    storage::{Batch, EventRef, Store},
};

/// Events read per step of [`StoredEvents`].
const STEP_EVENTS: usize = 500;

/// Maximum number of events returned for an item.
const MAX_ITEM_EVENTS: usize = 1000;

/// Approximate bytes of disk of one event.
const EVENT_BYTES: u64 = 1_000;

/// An accepted event, to be added to the log of its collection once it is stored.
struct AcceptedEvent {
    collection: Arc<Collection>,
    micros: i64,
    event: Event,
}

impl Database {
    /// Stores events; returns one result per event.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    /// # use vitrine::{Database, Options};
    /// use vitrine::schemas::EventStatus;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let database = Database::open(folder.path(), Options::default())?;
    /// # let config = json!({"vectors": {"shared": {"dim": 2}}});
    /// # database.create_collection("shop", serde_json::from_value(config)?)?;
    /// let events = serde_json::from_value::<Vec<_>>(json!([
    ///     {"kind": "view", "collection": "shop", "user": "u1", "items": ["a"]},
    ///     {"kind": "view", "collection": "shop", "items": ["a"]},
    /// ]))?;
    /// let results = database.append_events(&events)?;
    /// assert_eq!(results[0].status, EventStatus::UnknownItems);
    /// assert_eq!(results[1].status, EventStatus::Rejected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_events(&self, events: &[Event]) -> Result<Vec<EventResult>> {
        self.limiter.admit_disk(EVENT_BYTES * events.len() as u64)?;
        let _one = self.events.lock();
        append(&self.store, events, |name| self.collection(name).ok())
    }
}

/// Checks and stores events; `find` resolves the name or alias of a collection.
fn append(
    store: &Store,
    events: &[Event],
    find: impl Fn(&str) -> Option<Arc<Collection>>,
) -> Result<Vec<EventResult>> {
    let mut appender = Appender {
        store,
        now: Utc::now().timestamp_micros(),
        batch: Batch::default(),
        seen: HashSet::new(),
        accepted: Vec::new(),
    };
    let mut results = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let mut result = EventResult {
            index: index as u64,
            status: EventStatus::Rejected,
            skewed: false,
            late: false,
            error: None,
        };
        match appender.append(event, &find, &mut result) {
            Ok(()) => {}
            Err(e) if e.is_user() => result.error = Some(e.to_string()),
            Err(e) => return Err(e),
        }
        results.push(result);
    }
    appender.flush()?;
    Ok(results)
}

/// State of one call of [`append`].
struct Appender<'a> {
    store: &'a Store,
    /// Time of arrival, microseconds since 1970.
    now: i64,
    batch: Batch,
    /// Collections and hashes of the ids of this call.
    seen: HashSet<(u32, [u8; 16])>,
    accepted: Vec<AcceptedEvent>,
}

impl Appender<'_> {
    /// Stores the accepted events and adds them to the logs.
    fn flush(&mut self) -> Result<()> {
        let mut wanted: BTreeMap<u32, (Arc<Collection>, u64)> = BTreeMap::new();
        for accepted in &self.accepted {
            let collection = &accepted.collection;
            let entry = wanted.entry(collection.id());
            let (_, bytes) = entry.or_insert_with(|| (collection.clone(), 0));
            *bytes += event_bytes(&accepted.event);
        }
        for (collection, bytes) in wanted.values() {
            collection.admit_events(*bytes)?;
        }
        self.store.write(std::mem::take(&mut self.batch))?;
        for AcceptedEvent {
            collection,
            micros,
            event,
        } in self.accepted.drain(..)
        {
            collection.ingest_event(&event, micros);
        }
        Ok(())
    }

    /// Stores a return together with the changed purchases.
    fn take_back(
        &mut self,
        collection: &Collection,
        reference: EventRef,
        event: &Event,
    ) -> Result<()> {
        // Purchases of this call are looked up in the store.
        self.flush()?;
        let changes = returns::changes(self.store, collection.id(), reference, event)?;
        for change in &changes {
            let after = (!change.after.items.is_empty()).then_some(&change.after);
            let id = collection.id();
            self.batch
                .replace_event(id, change.at, &change.before, after)?;
        }
        self.batch.put_event(collection.id(), reference, event)?;
        self.flush()?;
        for change in &changes {
            for item in change.taken() {
                collection.take_back(&change.before, change.at.micros, item);
            }
        }
        collection.ingest_event(event, reference.micros);
        Ok(())
    }

    fn append(
        &mut self,
        event: &Event,
        find: &impl Fn(&str) -> Option<Arc<Collection>>,
        result: &mut EventResult,
    ) -> Result<()> {
        let collection = find(&event.collection)
            .ok_or_else(|| Error::CollectionNotFound(event.collection.clone()))?;
        let mut event = event.clone();
        events::normalize(&mut event);
        events::check(&event)?;
        collection.check_followable(&event)?;
        let arrival = Arrival::of(&event, self.now, collection.events_from(event.kind))?;
        // Stored under the real name, so that switching an alias does not split a user's events.
        event.collection = collection.name().to_owned();
        let time = events::rfc3339(arrival.micros);
        if event.ts.is_none() || arrival.skewed {
            event.ts = Some(time.clone());
        }
        if event.id.is_none() {
            // The same time in another form is the same event.
            let sent = event.ts.replace(time.clone());
            let content = serde_json::to_vec(&event).map_err(|e| Error::Storage(e.to_string()))?;
            event.ts = sent;
            event.id = Some(blake3::hash(&content).to_hex()[..32].to_owned());
        }
        let reference = EventRef::new(arrival.micros, event.id.as_deref().unwrap_or_default());
        // A number is stored as a time.
        if event
            .ts
            .as_ref()
            .is_some_and(|ts| ts.parse::<f64>().is_ok())
        {
            event.ts = Some(time);
        }
        let id = collection.id();
        if self.store.has_event(id, &reference)? || !self.seen.insert((id, reference.hash)) {
            result.status = EventStatus::Duplicate;
            let time = events::rfc3339(arrival.micros);
            result.error = Some(format!(
                "an event with this content or id, of {time}, is stored already; give each event \
                 an `id` if both happened"
            ));
            return Ok(());
        }
        if event.kind == EventKind::Return {
            self.take_back(&collection, reference, &event)?;
        } else {
            self.batch.put_event(id, reference, &event)?;
        }
        let is_known = |item: &String| collection.has_item(item);
        result.status = if event.kind.is_about_followed() || event.items.iter().all(is_known) {
            EventStatus::Accepted
        } else {
            EventStatus::UnknownItems
        };
        (result.skewed, result.late) = (arrival.skewed, arrival.late);
        self.accepted.push(AcceptedEvent {
            collection,
            micros: arrival.micros,
            event,
        });
        Ok(())
    }
}

impl Collection {
    /// Returns the number of events of an item by kind, and its latest `limit` events.
    ///
    /// # Errors
    /// `limit` is above 1000.
    pub fn item_events(&self, item: &str, limit: usize) -> Result<ItemEvents> {
        if limit > MAX_ITEM_EVENTS {
            let detail = format!("must be 0 to {MAX_ITEM_EVENTS}");
            return Err(Error::invalid("/limit", detail));
        }
        let (mut events, mut latest) = (ItemEvents::default(), Vec::new());
        let store = self.store();
        store.scan_item_events(self.id(), item, |reference, kind| {
            *events.counts.entry(kind).or_default() += 1;
            if latest.len() < limit {
                latest.push(reference);
            }
            Ok(true)
        })?;
        for reference in latest {
            events.latest.extend(store.event(self.id(), reference)?);
        }
        Ok(events)
    }
}

/// The events of a user or session in some collections, read in steps.
pub struct StoredEvents {
    subject: Subject,
    /// Collections still to be read, the next one last.
    collections: Vec<Arc<Collection>>,
    after: Option<EventRef>,
}

impl StoredEvents {
    /// Prepares to read the events of `subject` in these collections.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub fn new(subject: Subject, mut collections: Vec<Arc<Collection>>) -> Result<Self> {
        subject.check()?;
        collections.reverse();
        Ok(Self {
            subject,
            collections,
            after: None,
        })
    }

    /// Returns the next events, collection by collection, the oldest first; None at the end.
    ///
    /// # Errors
    /// The store failed.
    pub fn step(&mut self) -> Result<Option<Vec<Event>>> {
        while let Some(collection) = self.collections.last() {
            let events = collection.store().listed_events(
                collection.id(),
                self.subject.listing(),
                self.subject.name(),
                self.after,
                STEP_EVENTS,
            )?;
            self.after = events.last().map(|(reference, _)| *reference);
            if self.after.is_some() {
                return Ok(Some(events.into_iter().map(|(_, event)| event).collect()));
            }
            self.collections.pop();
        }
        Ok(None)
    }
}
