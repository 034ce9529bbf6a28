//! In-memory log of the touches of users and sessions.
//!
//! A touch takes 32 bytes. Touches are stored in the order of arrival; those of a user or session
//! form a linked list, the latest first. Users and sessions are identified by the hash of the name.
//! Items have numbers of their own, which outlive the versions of an item and are never reused,
//! since models share them.

mod permits;

use std::ops::Range;

use vitrine_schemas::{BehaviorConfig, Event, EventKind};

use super::{
    activity::{Activity, Touch},
    consent::{Consents, Purposes},
    daily::Daily,
    exposure::Exposures,
    follows::Follows,
    id_memo::{BYTES_PER_ITEM, IdMemo},
    names::{Names, name_bytes},
    retention::Horizons,
    rows::{NONE, Row, Rows},
    subjects::SubjectTable,
    weights::Weights,
};
use crate::{events::Subject, storage::NameHash};

/// Rows copied while a log is locked.
const SLICE: u64 = 1 << 18;

/// Maximum number of rows of a user or session, the latest, among which the impression of a click
/// is looked for.
const MAX_ROWS_SINCE_IMPRESSION: usize = 500;

/// Bytes of a user or session: the hash of the name, its number and its last row.
const SUBJECT_BYTES: u64 = 64;

/// Bytes of a touch with its share of the counts by day.
const TOUCH_BYTES: u64 = 48;

/// Returns the bytes that an event may take in the log, as if all its names were new.
pub(crate) fn event_bytes(event: &Event) -> u64 {
    let item = |id: &String| TOUCH_BYTES + name_bytes(id) + BYTES_PER_ITEM;
    let items = event.items.iter().map(item);
    items.sum::<u64>() + 2 * SUBJECT_BYTES
}

/// All touches, by user and by session.
#[derive(Default)]
pub(crate) struct Log {
    /// Item ids.
    names: Names,
    ids: IdMemo,
    rows: Rows,
    users: SubjectTable,
    /// Sessions, also of known users: their items are closer in time, and counted once more.
    sessions: SubjectTable,
    /// Authors that users follow.
    follows: Follows,
    weights: Weights,
    /// Number of rows that are not erased.
    live: u64,
    /// Events of each item by day; none of a private collection.
    pub daily: Daily,
    /// Impressions of each item and the clicks that followed; none of a private collection.
    pub exposures: Exposures,
    is_private: bool,
    last: Option<i64>,
    /// First row that the last training did not read.
    training_mark: u64,
}

/// A touch, and the touches before it.
pub(super) struct Arrival {
    pub touch: Touch,
    /// Earlier touches of the user, then of the session, for those that the event has; the latest
    /// first.
    pub before: Vec<Vec<Touch>>,
}

impl Log {
    /// Creates an empty log; `names` are the ids of the items by number.
    pub fn new(names: Vec<String>, config: &BehaviorConfig, consents: &Consents) -> Self {
        let mut ids = IdMemo::default();
        ids.grow(names.len());
        Self {
            names: names.into(),
            ids,
            weights: Weights::new(config),
            users: SubjectTable::new(consents.users.clone()),
            sessions: SubjectTable::new(consents.sessions.clone()),
            ..Self::default()
        }
    }

    /// Counts no events by item: answers of a private collection must not contain them.
    pub fn into_private(self) -> Self {
        Self {
            is_private: true,
            daily: Daily::default(),
            exposures: Exposures::default(),
            ..self
        }
    }

    /// Applies new weights, also to the events in the log.
    pub fn configure(&mut self, config: &BehaviorConfig) {
        self.weights = Weights::new(config);
        self.recount_all();
    }

    /// Adds an event; returns are not touches. Returns true if it withdraws earlier events of its
    /// session from training.
    pub fn add(&mut self, event: &Event, micros: i64) -> bool {
        let withdraws = self.restrict_session_of(event);
        match event.kind {
            EventKind::Return => {}
            EventKind::Follow | EventKind::Unfollow => self.follows.add(event, micros),
            _ => self.add_touches(event, micros),
        }
        withdraws
    }

    fn add_touches(&mut self, event: &Event, micros: i64) {
        let user = event.user.as_deref().map(|u| self.users.number_of(u));
        let session = event.session.as_deref().map(|s| self.sessions.number_of(s));
        for id in &event.items {
            let row = Row {
                item: self.number_of(id),
                user: user.unwrap_or(NONE),
                session: session.unwrap_or(NONE),
                before_user: NONE,
                before_session: NONE,
                seconds: seconds(micros),
                value: event.value.map_or(f32::NAN, |v| v as f32),
                kind: event.kind,
                follows_impression: false,
            };
            self.push(row);
        }
    }

    fn push(&mut self, mut row: Row) {
        let Some(number) = self.rows.next() else {
            // Not expected: compaction drops the oldest rows long before.
            tracing::error!("the event log is full; an event is stored but not learned from");
            return;
        };
        row.before_user = self.users.set_last(row.user, number);
        row.before_session = self.sessions.set_last(row.session, number);
        row.follows_impression = row.kind == EventKind::Click && self.follows_impression(&row);
        self.count(&row);
        self.last = self.last.max(Some(row.micros()));
        self.rows.push(row);
        self.live += 1;
    }

    /// Returns true if the user or session of a row was shown its item, and did not click it since.
    fn follows_impression(&self, row: &Row) -> bool {
        let of_user = self.rows.chain(row.before_user, |row| row.before_user);
        let of_session = self
            .rows
            .chain(row.before_session, |row| row.before_session);
        let is_exposure = |(_, earlier): &(u32, &Row)| {
            earlier.item == row.item
                && matches!(earlier.kind, EventKind::Impression | EventKind::Click)
        };
        let latest = of_user.take(MAX_ROWS_SINCE_IMPRESSION).find(is_exposure);
        let latest =
            latest.or_else(|| of_session.take(MAX_ROWS_SINCE_IMPRESSION).find(is_exposure));
        latest.is_some_and(|(_, earlier)| earlier.kind == EventKind::Impression)
    }

    /// Returns the number of an item id, a new one if there are no events with it.
    pub fn number_of(&mut self, id: &str) -> u32 {
        let number = self.names.number_of(id);
        self.ids.grow(self.names.all().len());
        number
    }

    /// Returns the number of touches.
    pub fn touches(&self) -> u64 {
        self.live
    }

    /// Returns the ids of the items by number.
    pub fn names(&self) -> &[String] {
        self.names.all()
    }

    /// Returns the internal ids of the items, as far as requests have looked them up.
    pub fn ids(&self) -> &IdMemo {
        &self.ids
    }

    /// Returns the time of the last event, in microseconds with a resolution of one second.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Returns the id of an item number; empty if there is none.
    pub fn name(&self, item: u32) -> &str {
        self.names.name(item)
    }

    /// Returns the authors that a user follows, the latest first; none if the user refuses
    /// recommendations.
    pub fn followed_by(&self, user: &str) -> Vec<&str> {
        match self.permits(Some(user), None, Purposes::RECOMMENDATIONS) {
            true => self.follows.of(user),
            false => Vec::new(),
        }
    }

    /// Returns the weight of an event; None if it is not positive feedback on its items.
    pub fn weight(&self, event: &Event) -> Option<f32> {
        let value = event.value.map_or(f32::NAN, |v| v as f32);
        self.weights.of(event.kind, value)
    }

    /// Returns the number of an item id, if there are events with it.
    pub fn number(&self, id: &str) -> Option<u32> {
        self.names.number(id)
    }

    /// Returns the number of users and of sessions.
    pub fn counts(&self) -> (usize, usize) {
        (self.users.len(), self.sessions.len())
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        let subjects = self.users.memory() + self.sessions.memory();
        let names = self.names.memory() + self.ids.memory() + self.follows.memory();
        let counts = self.daily.memory() + self.exposures.memory();
        names + subjects + self.rows.memory() + counts
    }

    /// Returns the activity of a user that may be used for these purposes.
    pub fn user(&self, user: &str, purposes: Purposes) -> Option<Activity> {
        self.of_user(self.users.last(user)?, self.end(), purposes)
    }

    /// Returns the activity in a session that may be used for these purposes.
    pub fn session(&self, session: &str, purposes: Purposes) -> Option<Activity> {
        self.of_session(self.sessions.last(session)?, self.end(), purposes)
    }

    /// Returns the number of the next row.
    pub fn end(&self) -> u64 {
        self.rows.len()
    }

    /// Marks the end of the log as the start of a training.
    pub fn set_training_mark(&mut self) {
        self.training_mark = self.end();
    }

    /// Returns the first row that the last training did not read.
    pub fn training_mark(&self) -> u64 {
        self.training_mark
    }

    /// Returns the first row of an event later than `micros`.
    pub fn after(&self, micros: i64) -> u64 {
        let later = |row: &Row| row.item != NONE && row.micros() > micros;
        let row = self.rows.iter(0).position(later);
        row.map_or(self.end(), |row| row as u64)
    }

    /// Returns a row with up to `limit` touches before it; None if it is erased or negative
    /// feedback, or others must not learn from it.
    pub(super) fn arrival(&self, row: u64, limit: usize) -> Option<Arrival> {
        let row = self.rows.iter(row).next().filter(|r| r.item != NONE)?;
        if !self.permitted(row).contains(Purposes::TRAINING) {
            return None;
        }
        let of_user = self.rows.chain(row.before_user, |row| row.before_user);
        let of_session = self
            .rows
            .chain(row.before_session, |row| row.before_session);
        let mut before = Vec::new();
        if row.user != NONE {
            before.push(self.touches_of(of_user, limit));
        }
        if row.session != NONE {
            before.push(self.touches_of(of_session, limit));
        }
        Some(Arrival {
            touch: self.touch(row)?,
            before,
        })
    }

    /// Returns the touches of up to `limit` rows; impressions do not count.
    fn touches_of<'a>(
        &self,
        rows: impl Iterator<Item = (u32, &'a Row)>,
        limit: usize,
    ) -> Vec<Touch> {
        let rows = rows.filter(|(_, row)| {
            row.kind != EventKind::Impression && self.permitted(row).contains(Purposes::TRAINING)
        });
        let touches = rows.take(limit).filter_map(|(_, row)| self.touch(row));
        touches.collect()
    }

    /// Returns the touch of a row; None if it is negative feedback or an impression.
    fn touch(&self, row: &Row) -> Option<Touch> {
        Some(Touch {
            item: row.item,
            weight: self.weights.of(row.kind, row.value)?,
            micros: row.micros(),
            bought: row.kind == EventKind::Purchase,
        })
    }

    /// Returns the numbers assigned to users and to sessions, forgotten ones included.
    pub fn capacities(&self) -> (usize, usize) {
        (self.users.capacity(), self.sessions.capacity())
    }

    /// Returns the activities of a range of user numbers that others may learn from, from the rows
    /// before `end`.
    pub fn users(&self, numbers: Range<usize>, end: u64) -> impl Iterator<Item = Activity> {
        let users = self.users.last_rows(numbers);
        users.filter_map(move |last| self.of_user(last, end, Purposes::TRAINING))
    }

    /// Returns the activities of a range of session numbers that others may learn from, from the
    /// rows before `end`.
    pub fn sessions(&self, numbers: Range<usize>, end: u64) -> impl Iterator<Item = Activity> {
        let sessions = self.sessions.last_rows(numbers);
        sessions.filter_map(move |last| self.of_session(last, end, Purposes::TRAINING))
    }

    fn of_user(&self, last: u32, end: u64, purposes: Purposes) -> Option<Activity> {
        let rows = self.rows.chain(last, |row| row.before_user);
        let rows = rows.filter(|(number, _)| u64::from(*number) < end);
        self.activity(rows, purposes, false)
    }

    fn of_session(&self, last: u32, end: u64, purposes: Purposes) -> Option<Activity> {
        let rows = self.rows.chain(last, |row| row.before_session);
        let rows = rows.filter(|(number, _)| u64::from(*number) < end);
        self.activity(rows, purposes, true)
    }

    fn activity<'a>(
        &'a self,
        latest_first: impl Iterator<Item = (u32, &'a Row)>,
        purposes: Purposes,
        is_session: bool,
    ) -> Option<Activity> {
        let mut activity = Activity::default();
        let permitted = latest_first.filter(|(_, row)| self.permitted(row).contains(purposes));
        for (_, row) in permitted {
            activity.repeats_user |= is_session && row.user != NONE;
            match self.touch(row) {
                Some(touch) => activity.touches.push(touch),
                None if row.kind == EventKind::Impression => {
                    *activity.impressions.entry(row.item).or_default() += 1;
                }
                None => {
                    activity.rejected.insert(row.item);
                }
            }
        }
        activity.touches.reverse();
        let is_empty = activity.touches.is_empty() && activity.rejected.is_empty();
        (!is_empty || !activity.impressions.is_empty()).then_some(activity)
    }

    /// Erases a session, or a user with the events of their sessions that belong to no other user.
    pub fn erase(&mut self, subject: &Subject) {
        let erased = match subject {
            Subject::User(name) => {
                self.follows.forget(name);
                self.forget_user(name)
            }
            Subject::Session(name) => self.forget_session(name),
        };
        self.erase_rows(&erased);
    }

    /// Replaces what a user follows by that of events.
    pub fn replace_follows(&mut self, user: &str, events: &[(i64, Event)]) {
        self.follows.forget(user);
        for (micros, event) in events {
            self.follows.add(event, *micros);
        }
    }

    /// Erases an item of a purchase that was taken back.
    pub fn take_back(&mut self, purchase: &Event, micros: i64, item: &str) {
        let Some(item) = self.number(item) else {
            return;
        };
        let user = purchase.user.as_deref();
        let session = purchase.session.as_deref();
        let matches = |row: &Row| {
            (row.item, row.kind, row.seconds) == (item, EventKind::Purchase, seconds(micros))
        };
        let number = |(number, row): (u32, &Row)| matches(row).then_some(number);
        let erased: Vec<u32> = match (user, session) {
            (Some(user), _) => {
                let last = self.users.last(user).unwrap_or(NONE);
                let rows = self.rows.chain(last, |row| row.before_user);
                rows.filter_map(number).collect()
            }
            (None, Some(session)) => {
                let last = self.sessions.last(session).unwrap_or(NONE);
                let rows = self.rows.chain(last, |row| row.before_session);
                rows.filter_map(number).collect()
            }
            (None, None) => return,
        };
        self.erase_rows(&erased);
    }

    fn erase_rows(&mut self, numbers: &[u32]) {
        self.live -= numbers.len() as u64;
        for &number in numbers {
            let Some(row) = self.rows.erase(number) else {
                continue;
            };
            self.uncount(&row);
        }
    }

    /// Forgets a session; returns its rows.
    fn forget_session(&mut self, session: &str) -> Vec<u32> {
        let removed = self.sessions.remove(session);
        let last = removed.map_or(NONE, |(_, last)| last);
        let rows = self.rows.chain(last, |row| row.before_session);
        rows.map(|(number, _)| number).collect()
    }

    /// Forgets a user, and the sessions without another user; returns the rows of the user, and
    /// those of their sessions without a user.
    fn forget_user(&mut self, user: &str) -> Vec<u32> {
        let Some((number, last)) = self.users.remove(user) else {
            return Vec::new();
        };
        let of_user = self.rows.chain(last, |row| row.before_user);
        let mut erased: Vec<u32> = Vec::new();
        let mut sessions: Vec<u32> = Vec::new();
        for (at, row) in of_user {
            erased.push(at);
            sessions.push(row.session);
        }
        sessions.sort_unstable();
        sessions.dedup();
        sessions.retain(|session| {
            let last = self.sessions.last_of(*session);
            let mut others = false;
            for (at, row) in self.rows.chain(last, |row| row.before_session) {
                if row.user == number || row.user == NONE {
                    erased.push(at);
                } else {
                    others = true;
                }
            }
            !others
        });
        self.sessions.remove_numbers(&sessions);
        erased.sort_unstable();
        erased.dedup();
        erased
    }

    /// Returns true if there are over 12.5 % more rows than `max_rows`, or too many erased rows.
    pub fn needs_compaction(&self, max_rows: u64) -> bool {
        let dead = self.rows.len() - self.live;
        self.live > max_rows + max_rows / 8 || dead > 10_000 + self.live / 4
    }

    /// Begins a copy of about the latest `max_rows` rows, without those that are not kept.
    pub(super) fn copy(&self, max_rows: u64, horizons: Horizons) -> LogCopy {
        let mut copy = Self {
            names: self.names.clone(),
            users: self.users.emptied(),
            sessions: self.sessions.emptied(),
            ..Self::default()
        };
        copy.ids.grow(self.names.all().len());
        copy.weights = self.weights.clone();
        copy.is_private = self.is_private;
        let dead = self.rows.len() - self.live;
        let surplus = self.live.saturating_sub(max_rows);
        LogCopy {
            copy,
            users: self.users.hashes(),
            sessions: self.sessions.hashes(),
            next: surplus + if surplus > 0 { dead } else { 0 },
            end: self.rows.len(),
            horizons,
        }
    }
}

/// Returns the seconds since 1970 of a row.
fn seconds(micros: i64) -> u32 {
    u32::try_from(micros.div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX)
}

/// A copy in progress of a log that grows meanwhile.
pub(super) struct LogCopy {
    copy: Log,
    users: Vec<Option<NameHash>>,
    sessions: Vec<Option<NameHash>>,
    /// Next row to copy.
    next: u64,
    /// Row to stop at.
    end: u64,
    /// Times before which rows are left out.
    horizons: Horizons,
}

impl LogCopy {
    /// Copies a slice; returns true if rows are left.
    pub fn step(&mut self, log: &Log) -> bool {
        let end = self.end.min(self.next + SLICE);
        self.rows(log, end);
        end < self.end
    }

    /// Copies the rows added meanwhile, and returns the copy.
    pub fn finish(mut self, log: &Log) -> Log {
        for id in &log.names()[self.copy.names().len()..] {
            self.copy.number_of(id);
        }
        self.copy.weights = log.weights.clone();
        self.copy.follows = log.follows.clone();
        (self.users, self.sessions) = (log.users.hashes(), log.sessions.hashes());
        self.rows(log, log.rows.len());
        // Users may have been seen in sessions meanwhile without a row.
        for (number, name) in (0..).zip(&self.sessions) {
            let permitted = log.sessions.permitted_by_users(number);
            if permitted != Purposes::EVERY_USE
                && let Some(session) = name.and_then(|name| self.copy.sessions.number(&name))
            {
                self.copy.restrict_session(session, permitted);
            }
        }
        self.copy
    }

    fn rows(&mut self, log: &Log, end: u64) {
        let count = end.saturating_sub(self.next) as usize;
        for (number, row) in (self.next..).zip(log.rows.iter(self.next)).take(count) {
            let horizon = self.horizons.of(row.kind);
            // A row has its second only.
            let is_kept = horizon.is_none_or(|horizon| row.seconds >= seconds(horizon));
            if row.item != NONE && is_kept {
                let user = self.copy.users.adopt(row.user, &self.users);
                let session = self.copy.sessions.adopt(row.session, &self.sessions);
                // Also by users whose rows are left out.
                let permitted = log.sessions.permitted_by_users(row.session);
                self.copy.restrict_session(session, permitted);
                self.copy.push(Row {
                    user,
                    session,
                    ..*row
                });
            }
            if number < log.training_mark {
                self.copy.training_mark = self.copy.end();
            }
        }
        self.next = end;
    }
}
