//! The event store: checked, deduplicated by id, one batch a call; and what can be asked of it.

mod arrival;
mod check;
mod stored;
#[cfg(test)]
mod tests;
mod who;

use std::{collections::HashSet, sync::Arc};

use chrono::Utc;
use vitrine_schemas::{Event, EventResult, EventStatus, ItemEvents};

use crate::{
    Collection, Error, Result,
    storage::{Batch, EventRef, Store},
};

pub use stored::StoredEvents;
pub use who::Who;

/// An event that was taken, for the log.
struct Taken {
    collection: Arc<Collection>,
    micros: i64,
    event: Event,
}

pub(crate) fn append(
    store: &Store,
    events: &[Event],
    find: impl Fn(&str) -> Option<Arc<Collection>>,
) -> Result<Vec<EventResult>> {
    let mut appending = Appending {
        store,
        now: Utc::now().timestamp_micros(),
        batch: Batch::default(),
        seen: HashSet::new(),
        taken: Vec::new(),
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
        match appending.one(event, &find, &mut result) {
            Ok(()) => {}
            Err(e) if e.is_user() => result.error = Some(e.to_string()),
            Err(e) => return Err(e),
        }
        results.push(result);
    }
    store.write(appending.batch)?;
    for Taken {
        collection,
        micros,
        event,
    } in appending.taken
    {
        collection.learn_of(&event, micros);
    }
    Ok(results)
}

struct Appending<'a> {
    store: &'a Store,
    /// Time of arrival, microseconds since 1970.
    now: i64,
    batch: Batch,
    /// Hashes of ids in this call.
    seen: HashSet<(u32, [u8; 16])>,
    taken: Vec<Taken>,
}

impl Appending<'_> {
    fn one(
        &mut self,
        event: &Event,
        find: &impl Fn(&str) -> Option<Arc<Collection>>,
        result: &mut EventResult,
    ) -> Result<()> {
        let collection = find(&event.collection)
            .ok_or_else(|| Error::CollectionNotFound(event.collection.clone()))?;
        check::check(event)?;
        let arrival = arrival::of(event, self.now, collection.events_from())?;
        let mut event = event.clone();
        // By its own name, so that a change of an alias does not tear a user's events apart.
        event.collection = collection.name().to_owned();
        if event.ts.is_none() || arrival.skewed {
            event.ts = Some(arrival::rfc3339(arrival.micros));
        }
        let content = serde_json::to_vec(&event).map_err(|e| Error::Storage(e.to_string()))?;
        let id = event
            .id
            .get_or_insert_with(|| blake3::hash(&content).to_hex()[..32].to_owned());
        let at = EventRef::new(arrival.micros, id);
        let id = collection.id();
        if self.store.has_event(id, &at)? || !self.seen.insert((id, at.hash)) {
            result.status = EventStatus::Duplicate;
            return Ok(());
        }
        self.batch.put_event(id, at, &event)?;
        let known = event.items.iter().all(|item| collection.has_item(item));
        result.status = match known {
            true => EventStatus::Accepted,
            false => EventStatus::UnknownItems,
        };
        (result.skewed, result.late) = (arrival.skewed, arrival.late);
        self.taken.push(Taken {
            collection,
            micros: arrival.micros,
            event,
        });
        Ok(())
    }
}

impl Collection {
    /// Events of an item: how many of each kind, and the latest `limit` of them.
    ///
    /// # Errors
    /// `limit` out of range.
    pub fn item_events(&self, item: &str, limit: usize) -> Result<ItemEvents> {
        if limit > 1000 {
            return Err(Error::invalid("/limit", "must be 0 to 1000"));
        }
        let (store, mut found, mut places) = (self.store(), ItemEvents::default(), Vec::new());
        store.scan_item_events(self.id(), item, |at, kind| {
            *found.counts.entry(kind).or_default() += 1;
            if places.len() < limit {
                places.push(at);
            }
            Ok(true)
        })?;
        for at in places {
            found.latest.extend(store.event(self.id(), at)?);
        }
        Ok(found)
    }
}
