//! Searches as you type: of a word typed letter by letter, only the last search counts.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use vitrine_schemas::{SearchEvent, SearchOutcome};

/// Maximum time to the next keystroke, in microseconds.
const MAX_PAUSE: i64 = 30 * 1_000_000;

/// Minimum number of people after which those with a pause are forgotten.
const MIN_FORGET: usize = 10_000;

/// The next search of each person, while searches are read from the latest to the first.
#[derive(Default)]
pub(crate) struct Typing {
    next: HashMap<u64, (i64, String)>,
    forget_at: usize,
}

impl Typing {
    /// Returns true if the next search replaces this one: it is of the same person, within half a
    /// minute, its text goes on from this one, and no event followed from this one.
    pub fn replaces(&mut self, micros: i64, outcome: &SearchOutcome) -> bool {
        let search = &outcome.search;
        let Some(person) = person(search) else {
            return false;
        };
        if self.next.len() >= self.forget_at.max(MIN_FORGET) {
            self.next.retain(|_, (at, _)| *at - micros <= MAX_PAUSE);
            self.forget_at = 2 * self.next.len();
        }
        let next = self.next.insert(person, (micros, search.query.clone()));
        search.typing
            && !search.query.is_empty()
            && outcome.events.is_empty()
            && next.is_some_and(|(at, query)| {
                at - micros <= MAX_PAUSE && query.starts_with(&search.query)
            })
    }
}

/// Returns the hash of the user, or of the session without a user, that searched.
pub(crate) fn person(search: &SearchEvent) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    match (&search.user, &search.session) {
        (Some(user), _) => ("user", user).hash(&mut hasher),
        (None, Some(session)) => ("session", session).hash(&mut hasher),
        (None, None) => return None,
    }
    Some(hasher.finish())
}
