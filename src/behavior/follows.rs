//! Authors, or other values of a field, that users follow.

use std::collections::HashMap;

use vitrine_schemas::{Event, EventKind};

use super::names::Names;
use crate::storage::{NameHash, hash_of};

/// Approximate bytes of one user's entry for an author, beside the author's name.
const ENTRY_BYTES: usize = 32;

/// Followed values by user. Users are identified by the hash of the name.
#[derive(Clone, Default)]
pub(super) struct Follows {
    names: Names,
    by_user: HashMap<NameHash, HashMap<u32, Latest>>,
}

/// Latest event of a user about a value.
#[derive(Clone, Copy)]
struct Latest {
    micros: i64,
    is_followed: bool,
}

impl Follows {
    /// Applies an event of the kind `follow` or `unfollow`; of two about the same value, the later
    /// one in time counts, whichever arrives first.
    pub fn add(&mut self, event: &Event, micros: i64) {
        let Some(user) = &event.user else { return };
        let latest = Latest {
            micros,
            is_followed: event.kind == EventKind::Follow,
        };
        let followed = self.by_user.entry(hash_of(user)).or_default();
        for name in &event.items {
            let number = self.names.number_of(name);
            let before = followed.entry(number).or_insert(latest);
            if before.micros <= micros {
                *before = latest;
            }
        }
    }

    /// Returns the values that a user follows, the latest first.
    pub fn of(&self, user: &str) -> Vec<&str> {
        let all = self.by_user.get(&hash_of(user)).into_iter().flatten();
        let mut followed: Vec<_> = all.filter(|(_, latest)| latest.is_followed).collect();
        followed.sort_by_key(|(number, latest)| (-latest.micros, **number));
        let names = followed.iter();
        names.map(|(number, _)| self.names.name(**number)).collect()
    }

    /// Forgets a user.
    pub fn forget(&mut self, user: &str) {
        self.by_user.remove(&hash_of(user));
    }

    /// Returns the approximate bytes of memory.
    pub fn memory(&self) -> usize {
        let entries: usize = self.by_user.values().map(HashMap::capacity).sum();
        self.names.memory() + entries * ENTRY_BYTES + self.by_user.capacity() * 2 * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, authors: &[&str]) -> Event {
        serde_json::from_value(serde_json::json!({
            "kind": kind, "collection": "posts", "user": "u", "items": authors,
        }))
        .expect("an event")
    }

    #[test]
    fn the_later_event_counts_in_any_order_of_arrival() {
        let mut follows = Follows::default();
        follows.add(&event(EventKind::Follow, &["anna", "ben"]), 10);
        follows.add(&event(EventKind::Unfollow, &["ben"]), 30);
        follows.add(&event(EventKind::Follow, &["ben", "cleo"]), 20);
        assert_eq!(follows.of("u"), ["cleo", "anna"]);
        assert!(follows.of("v").is_empty());
        follows.forget("u");
        assert!(follows.of("u").is_empty());
    }
}
