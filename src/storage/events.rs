//! Events: the records in the order of time, and the keys by which they are found by id, user,
//! session and item.

use rocksdb::Direction;
use vitrine_schemas::{Event, EventKind};

use super::{
    Batch, Store,
    batch::Op,
    codec,
    codec::corrupt,
    keys::{self, EventRef, Listing},
};
use crate::{Error, Result, deadline::Ticker};

const FAMILY: &str = "events";

impl Batch {
    /// Puts an event, which must have its id, with all its keys.
    pub fn put_event(&mut self, collection: u32, at: EventRef, event: &Event) -> Result<()> {
        let value = codec::encode_event(event)?;
        self.0
            .push(Op::Put(FAMILY, keys::event(collection, at), value));
        for (key, value) in listings(collection, at, event) {
            self.0.push(Op::Put(FAMILY, key, value));
        }
        Ok(())
    }

    /// Deletes an event with all its keys.
    pub fn delete_event(&mut self, collection: u32, at: EventRef, event: &Event) {
        self.0.push(Op::Delete(FAMILY, keys::event(collection, at)));
        for (key, _) in listings(collection, at, event) {
            self.0.push(Op::Delete(FAMILY, key));
        }
    }

    /// Replaces an event by one with fewer items. Without any (`None`) it is deleted, but its id
    /// stays known, so that it is not stored again.
    pub fn replace_event(
        &mut self,
        collection: u32,
        at: EventRef,
        before: &Event,
        after: Option<&Event>,
    ) -> Result<()> {
        self.delete_event(collection, at, before);
        match after {
            Some(after) => self.put_event(collection, at, after),
            None => {
                let (key, time) = known_id(collection, at);
                self.0.push(Op::Put(FAMILY, key, time));
                Ok(())
            }
        }
    }

    /// Deletes all events and recorded searches of a collection.
    pub fn delete_events(&mut self, collection: u32) {
        for (from, to) in keys::all_of_events(collection) {
            self.0.push(Op::DeleteRange(FAMILY, from, to));
        }
    }
}

/// Returns the key and value by which an id is known.
fn known_id(collection: u32, at: EventRef) -> (Vec<u8>, Vec<u8>) {
    let time = at.micros.to_be_bytes().to_vec();
    (keys::event_id(collection, &at.hash), time)
}

/// Returns the secondary keys of an event, with their values.
fn listings(collection: u32, at: EventRef, event: &Event) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut keys = vec![known_id(collection, at)];
    let people = [
        (Listing::User, event.user.as_deref()),
        (Listing::Session, event.session.as_deref()),
    ];
    for (listing, name) in people {
        let name = name.map(|name| keys::listed(collection, listing, name, at));
        keys.extend(name.map(|key| (key, Vec::new())));
    }
    if event.request_id.is_some() {
        keys.push((keys::follow_up(collection, at), Vec::new()));
    }
    let items = event.items.iter();
    for item in items.filter(|_| !event.kind.is_about_followed()) {
        let key = keys::listed(collection, Listing::Item, item, at);
        keys.push((key, vec![codec::kind_byte(event.kind)]));
    }
    keys
}

impl Store {
    /// Calls `each` for every event of a collection in the order of time, until it returns false.
    pub fn scan_events(
        &self,
        collection: u32,
        each: impl FnMut(EventRef, Event) -> Result<bool>,
    ) -> Result<()> {
        self.scan_events_from(collection, EventRef::first_at(i64::MIN), each)
    }

    /// Calls `each` for every event of a collection from a place on, in the order of time, until it
    /// returns false.
    pub fn scan_events_from(
        &self,
        collection: u32,
        from: EventRef,
        mut each: impl FnMut(EventRef, Event) -> Result<bool>,
    ) -> Result<()> {
        let (prefix, start) = (keys::events(collection), keys::event(collection, from));
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &start, Direction::Forward)? {
            let (key, value) = entry?;
            if !each(event_ref(&key)?, codec::decode_event(&value)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns the number of events of a collection, and the time of the oldest.
    ///
    /// # Errors
    /// The deadline, or the store failed.
    pub fn event_totals(&self, collection: u32) -> Result<(u64, Option<i64>)> {
        self.totals(&keys::events(collection))
    }

    /// Returns the number of records in the order of time, and the time of the oldest.
    pub(super) fn totals(&self, prefix: &[u8]) -> Result<(u64, Option<i64>)> {
        let (mut count, mut oldest) = (0, None);
        let ticker = Ticker::default();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, prefix, prefix, Direction::Forward)? {
            let (key, _) = entry?;
            if count == 0 {
                oldest = Some(event_ref(&key)?.micros);
            }
            count += 1;
            ticker.tick()?;
        }
        Ok((count, oldest))
    }

    /// Calls `each` for every event from a time on that refers to a search, in the order of time.
    pub fn scan_follow_ups(
        &self,
        collection: u32,
        from: i64,
        mut each: impl FnMut(EventRef, Event) -> Result<()>,
    ) -> Result<()> {
        let prefix = keys::follow_ups(collection);
        let start = keys::follow_up(collection, EventRef::first_at(from));
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &start, Direction::Forward)? {
            let (key, _) = entry?;
            let at = event_ref(&key)?;
            if let Some(event) = self.event(collection, at)? {
                each(at, event)?;
            }
        }
        Ok(())
    }

    /// Returns true if an event with this id is stored.
    pub fn has_event(&self, collection: u32, at: &EventRef) -> Result<bool> {
        let key = keys::event_id(collection, &at.hash);
        Ok(self.get(FAMILY, &key)?.is_some())
    }

    /// Reads an event.
    pub fn event(&self, collection: u32, at: EventRef) -> Result<Option<Event>> {
        let value = self.get(FAMILY, &keys::event(collection, at))?;
        value.map(|v| codec::decode_event(&v)).transpose()
    }

    /// Returns at most `max` events of a user, a session or an item, later than `after`, the oldest
    /// first.
    pub fn listed_events(
        &self,
        collection: u32,
        listing: Listing,
        name: &str,
        after: Option<EventRef>,
        max: usize,
    ) -> Result<Vec<(EventRef, Event)>> {
        let prefix = keys::list(collection, listing, name);
        let start = match after {
            // The first key after it.
            Some(after) => [&keys::listed(collection, listing, name, after)[..], &[0]].concat(),
            None => prefix.clone(),
        };
        let mut found = Vec::new();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &start, Direction::Forward)? {
            let (key, _) = entry?;
            if found.len() == max {
                break;
            }
            let at = event_ref(&key)?;
            found.extend(self.event(collection, at)?.map(|event| (at, event)));
        }
        Ok(found)
    }

    /// Calls `each` with the place and kind of each event of an item, the latest first, until it
    /// returns false.
    pub fn scan_item_events(
        &self,
        collection: u32,
        item: &str,
        mut each: impl FnMut(EventRef, EventKind) -> Result<bool>,
    ) -> Result<()> {
        let prefix = keys::list(collection, Listing::Item, item);
        let end = [&prefix[..], &[0xff; 25]].concat();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &end, Direction::Reverse)? {
            let (key, value) = entry?;
            let kind = value.first().and_then(|byte| codec::kind_of(*byte));
            let kind = kind.ok_or_else(|| corrupt(FAMILY, "unknown event kind"))?;
            if !each(event_ref(&key)?, kind)? {
                break;
            }
        }
        Ok(())
    }
}

pub(super) fn event_ref(key: &[u8]) -> Result<EventRef> {
    keys::event_ref(key).ok_or_else(|| Error::Corrupt {
        column: FAMILY,
        detail: "key is too short".into(),
    })
}
