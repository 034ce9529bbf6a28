//! Recorded searches, in the order of time, and the keys by which those of a user or session are
//! found.

use rocksdb::Direction;
use vitrine_schemas::SearchEvent;

use super::{
    Batch, Store,
    batch::Op,
    codec,
    events::event_ref,
    keys::{self, EventRef, Listing},
};
use crate::Result;

const FAMILY: &str = "events";

impl Batch {
    /// Puts a search with all its keys.
    pub fn put_search(
        &mut self,
        collection: u32,
        at: EventRef,
        search: &SearchEvent,
    ) -> Result<()> {
        let value = codec::encode_search(search)?;
        self.0
            .push(Op::Put(FAMILY, keys::search(collection, at), value));
        for key in listings(collection, at, search) {
            self.0.push(Op::Put(FAMILY, key, Vec::new()));
        }
        Ok(())
    }

    /// Deletes a search with all its keys.
    pub fn delete_search(&mut self, collection: u32, at: EventRef, search: &SearchEvent) {
        self.0
            .push(Op::Delete(FAMILY, keys::search(collection, at)));
        for key in listings(collection, at, search) {
            self.0.push(Op::Delete(FAMILY, key));
        }
    }
}

/// Returns the secondary keys of a search.
fn listings(collection: u32, at: EventRef, search: &SearchEvent) -> Vec<Vec<u8>> {
    let people = [
        (Listing::SearchUser, search.user.as_deref()),
        (Listing::SearchSession, search.session.as_deref()),
    ];
    let named = people
        .into_iter()
        .filter_map(|(listing, name)| Some((listing, name?)));
    named
        .map(|(listing, name)| keys::listed(collection, listing, name, at))
        .collect()
}

impl Store {
    /// Returns the number of searches of a collection, and the time of the oldest.
    ///
    /// # Errors
    /// The deadline, or the store failed.
    pub fn search_totals(&self, collection: u32) -> Result<(u64, Option<i64>)> {
        self.totals(&keys::searches(collection))
    }

    /// Calls `each` for every search after a place, the oldest first, until it returns false.
    pub fn scan_searches(
        &self,
        collection: u32,
        after: EventRef,
        mut each: impl FnMut(EventRef, SearchEvent) -> Result<bool>,
    ) -> Result<()> {
        let prefix = keys::searches(collection);
        let start = [&keys::search(collection, after)[..], &[0]].concat();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &start, Direction::Forward)? {
            let (key, value) = entry?;
            if !each(event_ref(&key)?, codec::decode_search(&value)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` for every search before a time, the latest first, until it returns false.
    pub fn scan_searches_back(
        &self,
        collection: u32,
        before: i64,
        mut each: impl FnMut(EventRef, SearchEvent) -> Result<bool>,
    ) -> Result<()> {
        let prefix = keys::searches(collection);
        let end = keys::search(collection, EventRef::first_at(before));
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &end, Direction::Reverse)? {
            let (key, value) = entry?;
            let at = event_ref(&key)?;
            if at.micros < before && !each(at, codec::decode_search(&value)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns all searches of a user or session.
    pub fn listed_searches(
        &self,
        collection: u32,
        listing: Listing,
        name: &str,
    ) -> Result<Vec<(EventRef, SearchEvent)>> {
        let prefix = keys::list(collection, listing, name);
        let mut found = Vec::new();
        let rocks = self.rocks()?;
        for entry in rocks.entries(FAMILY, &prefix, &prefix, Direction::Forward)? {
            let (key, _) = entry?;
            let at = event_ref(&key)?;
            let value = self.get(FAMILY, &keys::search(collection, at))?;
            let search = value.map(|v| codec::decode_search(&v)).transpose()?;
            found.extend(search.map(|search| (at, search)));
        }
        Ok(found)
    }
}
