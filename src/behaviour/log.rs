//! Who touched which item and when, in memory.
//!
//! A touch takes 32 bytes, one behind the other in the order of arrival; those of a person are chained from the latest
//! back. People are known by the hash of their name. Items have numbers of their own, for they outlive versions of
//! records; they are counted up for good, since models number items alike.

use std::{collections::HashMap, ops::Range};

use vitrine_schemas::{BehaviorConfig, Event, EventKind};

use super::{
    daily::Daily,
    people::{Key, People},
    person::{Person, Touch},
    rows::{NONE, Row, Rows},
    weights::Weights,
};
use crate::events::Who;

/// Rows copied while a log is locked.
const SLICE: u64 = 1 << 18;

/// All touches by person.
#[derive(Default)]
pub(crate) struct Log {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    rows: Rows,
    users: People,
    /// Visits, those of users too: they tell once more, and closer in time, what goes with what.
    sessions: People,
    weights: Weights,
    /// Rows that were not erased.
    live: u64,
    /// What speaks for each item, day by day.
    pub daily: Daily,
    last: Option<i64>,
    /// Rows from here on came after the last reading for a training began.
    mark: u64,
}

/// A touch, and what came before it.
pub(super) struct Arrival {
    pub touch: Touch,
    /// What the user did before, then what was done in the visit; only those that there are. The latest first.
    pub before: Vec<Vec<Touch>>,
}

impl Log {
    /// An empty log in which items have these numbers.
    pub fn new(names: Vec<String>, config: &BehaviorConfig) -> Self {
        let numbers = names.iter().cloned().zip(0..).collect();
        Self {
            names,
            numbers,
            weights: Weights::new(config),
            ..Self::default()
        }
    }

    /// Weighs events otherwise from now on, those there included.
    pub fn configure(&mut self, config: &BehaviorConfig) {
        self.weights = Weights::new(config);
        self.daily = Daily::default();
        for row in self.rows.iter(0).filter(|row| row.item != NONE) {
            if let Some(weight) = self.weights.of(row.kind, row.value) {
                self.daily.add(row.item, row.micros(), weight);
            }
        }
    }

    /// Takes an event in.
    pub fn add(&mut self, event: &Event, micros: i64) {
        let user = event.user.as_deref().map(|u| self.users.number_of(u));
        let session = event.session.as_deref().map(|s| self.sessions.number_of(s));
        for id in &event.items {
            let row = Row {
                item: self.number_of(id),
                user: user.unwrap_or(NONE),
                session: session.unwrap_or(NONE),
                before_user: NONE,
                before_session: NONE,
                seconds: u32::try_from(micros.div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX),
                value: event.value.map_or(f32::NAN, |v| v as f32),
                kind: event.kind,
            };
            self.push(row);
        }
    }

    fn push(&mut self, mut row: Row) {
        let Some(number) = self.rows.next() else {
            // Long before, the oldest are let go.
            tracing::error!("the log of events is full, an event is not learned from");
            return;
        };
        row.before_user = self.users.follow(row.user, number);
        row.before_session = self.sessions.follow(row.session, number);
        if let Some(weight) = self.weights.of(row.kind, row.value) {
            self.daily.add(row.item, row.micros(), weight);
        }
        self.last = self.last.max(Some(row.micros()));
        self.rows.push(row);
        self.live += 1;
    }

    fn number_of(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(id.to_owned());
        self.numbers.insert(id.to_owned(), number);
        number
    }

    /// Items touched so far, of all people.
    pub fn touches(&self) -> u64 {
        self.live
    }

    /// Ids by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Time of the last event, to the second.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Id of a number.
    pub fn name(&self, item: u32) -> &str {
        self.names.get(item as usize).map_or("", String::as_str)
    }

    /// What an event says for its items; none where it speaks against them.
    pub fn weight(&self, event: &Event) -> Option<f32> {
        let value = event.value.map_or(f32::NAN, |v| v as f32);
        self.weights.of(event.kind, value)
    }

    /// Number of an id, if anybody touched it.
    pub fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// Users and visits there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.users.len(), self.sessions.len())
    }

    /// Bytes it takes.
    pub fn memory(&self) -> usize {
        // An id lies there twice, each with its length and the allocator's part, and a number.
        let ids: usize = self.names.iter().map(|n| 2 * (n.len() + 40) + 8).sum();
        let people = self.users.memory() + self.sessions.memory();
        ids + people + self.rows.memory() + self.daily.memory()
    }

    /// What a user did.
    pub fn user(&self, user: &str) -> Option<Person> {
        self.of_user(self.users.last(user)?, self.end())
    }

    /// What was done in a visit.
    pub fn session(&self, session: &str) -> Option<Person> {
        self.of_session(self.sessions.last(session)?, self.end())
    }

    /// Number of the row that comes next.
    pub fn end(&self) -> u64 {
        self.rows.len()
    }

    /// Notes that a reading for a training begins.
    pub fn set_mark(&mut self) {
        self.mark = self.end();
    }

    /// The first row that the last reading for a training left out.
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// The first row of an event later than this.
    pub fn after(&self, micros: i64) -> u64 {
        let later = |row: &Row| row.item != NONE && row.micros() > micros;
        let place = self.rows.iter(0).position(later);
        place.map_or(self.end(), |place| place as u64)
    }

    /// A row with the `most` touches before it; None where it was erased or speaks against its item.
    pub(super) fn arrival(&self, at: u64, most: usize) -> Option<Arrival> {
        let row = self.rows.iter(at).next().filter(|r| r.item != NONE)?;
        let of_user = self.rows.chain(row.before_user, |row| row.before_user);
        let of_visit = self
            .rows
            .chain(row.before_session, |row| row.before_session);
        let mut before = Vec::new();
        if row.user != NONE {
            before.push(self.touches_of(of_user.take(most)));
        }
        if row.session != NONE {
            before.push(self.touches_of(of_visit.take(most)));
        }
        Some(Arrival {
            touch: self.touch(row)?,
            before,
        })
    }

    fn touches_of<'a>(&self, rows: impl Iterator<Item = (u32, &'a Row)>) -> Vec<Touch> {
        rows.filter_map(|(_, row)| self.touch(row)).collect()
    }

    /// What a row says for its item; None where it speaks against it.
    fn touch(&self, row: &Row) -> Option<Touch> {
        Some(Touch {
            item: row.item,
            weight: self.weights.of(row.kind, row.value)?,
            micros: row.micros(),
            bought: row.kind == EventKind::Purchase,
        })
    }

    /// How many places users and visits have, forgotten ones included.
    pub fn places(&self) -> (usize, usize) {
        (self.users.places(), self.sessions.places())
    }

    /// The users of some places, by the rows before `end`.
    pub fn users(&self, places: Range<usize>, end: u64) -> impl Iterator<Item = Person> {
        let users = self.users.at(places);
        users.filter_map(move |last| self.of_user(last, end))
    }

    /// The visits of some places, by the rows before `end`.
    pub fn visits(&self, places: Range<usize>, end: u64) -> impl Iterator<Item = Person> {
        let visits = self.sessions.at(places);
        visits.filter_map(move |last| self.of_session(last, end))
    }

    fn of_user(&self, last: u32, end: u64) -> Option<Person> {
        let rows = self.rows.chain(last, |row| row.before_user);
        self.person(rows.filter(|(at, _)| u64::from(*at) < end), false)
    }

    fn of_session(&self, last: u32, end: u64) -> Option<Person> {
        let rows = self.rows.chain(last, |row| row.before_session);
        self.person(rows.filter(|(at, _)| u64::from(*at) < end), true)
    }

    fn person<'a>(
        &'a self,
        latest_first: impl Iterator<Item = (u32, &'a Row)>,
        visit: bool,
    ) -> Option<Person> {
        let mut person = Person::default();
        for (_, row) in latest_first {
            person.again |= visit && row.user != NONE;
            match self.touch(row) {
                Some(touch) => person.touches.push(touch),
                None => {
                    person.rejected.insert(row.item);
                }
            }
        }
        person.touches.reverse();
        let nothing = person.touches.is_empty() && person.rejected.is_empty();
        (!nothing).then_some(person)
    }

    /// Forgets a user, with what was done by nobody else in their visits, or all that was done in a visit.
    pub fn erase(&mut self, who: &Who) {
        let gone = match who {
            Who::User(name) => self.forget_user(name),
            Who::Session(name) => self.forget_session(name),
        };
        self.live -= gone.len() as u64;
        for at in gone {
            let Some(row) = self.rows.erase(at) else {
                continue;
            };
            if let Some(weight) = self.weights.of(row.kind, row.value) {
                self.daily.remove(row.item, row.micros(), weight);
            }
        }
    }

    /// Rows of a visit, which is then not known any more.
    fn forget_session(&mut self, session: &str) -> Vec<u32> {
        let found = self.sessions.remove(session);
        let last = found.map_or(NONE, |(_, last)| last);
        let rows = self.rows.chain(last, |row| row.before_session);
        rows.map(|(at, _)| at).collect()
    }

    /// Rows of a user and of nobody in their visits; the user, and visits that were theirs alone, are then not known any
    /// more.
    fn forget_user(&mut self, user: &str) -> Vec<u32> {
        let Some((number, last)) = self.users.remove(user) else {
            return Vec::new();
        };
        let of_user = self.rows.chain(last, |row| row.before_user);
        let mut gone: Vec<u32> = Vec::new();
        let mut sessions: Vec<u32> = Vec::new();
        for (at, row) in of_user {
            gone.push(at);
            sessions.push(row.session);
        }
        sessions.sort_unstable();
        sessions.dedup();
        sessions.retain(|session| {
            let last = self.sessions.last_of(*session);
            let mut others = false;
            for (at, row) in self.rows.chain(last, |row| row.before_session) {
                if row.user == number || row.user == NONE {
                    gone.push(at);
                } else {
                    others = true;
                }
            }
            !others
        });
        self.sessions.remove_numbers(&sessions);
        gone.sort_unstable();
        gone.dedup();
        gone
    }

    /// Whether rows are worth letting go, of which the latest `most` are wanted.
    pub fn is_wasteful(&self, most: u64) -> bool {
        let dead = self.rows.len() - self.live;
        self.live > most + most / 8 || dead > 10_000 + self.live / 4
    }

    /// Begins a copy of about the latest `most` rows, without those older than `from` seconds since 1970.
    pub(super) fn copy(&self, most: u64, from: u32) -> Copying {
        let mut copy = Self::new(self.names.clone(), &BehaviorConfig::default());
        copy.weights = self.weights.clone();
        let dead = self.rows.len() - self.live;
        Copying {
            copy,
            users: self.users.keys(),
            sessions: self.sessions.keys(),
            at: self.live.saturating_sub(most) + if self.live > most { dead } else { 0 },
            end: self.rows.len(),
            from,
        }
    }
}

/// A copy of a log being made while it grows.
pub(super) struct Copying {
    copy: Log,
    users: Vec<Option<Key>>,
    sessions: Vec<Option<Key>>,
    /// Row of the log that comes next, and the one to stop at.
    at: u64,
    end: u64,
    from: u32,
}

impl Copying {
    /// Copies a slice; whether more is to be copied.
    pub fn step(&mut self, log: &Log) -> bool {
        let end = self.end.min(self.at + SLICE);
        self.rows(log, end);
        end < self.end
    }

    /// The copy, with what the log got meanwhile.
    pub fn finish(mut self, log: &Log) -> Log {
        for id in &log.names[self.copy.names.len()..] {
            self.copy.number_of(id);
        }
        self.copy.weights = log.weights.clone();
        (self.users, self.sessions) = (log.users.keys(), log.sessions.keys());
        self.rows(log, log.rows.len());
        self.copy
    }

    fn rows(&mut self, log: &Log, end: u64) {
        let count = end.saturating_sub(self.at) as usize;
        for (at, row) in (self.at..).zip(log.rows.iter(self.at)).take(count) {
            if row.item != NONE && row.seconds >= self.from {
                let user = self.copy.users.adopt(row.user, &self.users);
                let session = self.copy.sessions.adopt(row.session, &self.sessions);
                self.copy.push(Row {
                    user,
                    session,
                    ..*row
                });
            }
            if at < log.mark {
                self.copy.mark = self.copy.end();
            }
        }
        self.at = end;
    }
}
