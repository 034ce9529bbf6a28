//! Training data read from the event log.

use std::collections::HashMap;

use parking_lot::RwLock;
use vitrine_schemas::BehaviorConfig;

use super::{Activity, Log};
use crate::{
    Result,
    cf::{Popularity, SequentialRules, SequentialRulesOptions},
};

/// Users or sessions read while the log is locked.
const SLICE: usize = 4096;

/// Rows, columns and weights of a matrix.
pub(super) type Triples = Vec<(u32, u32, f32)>;

/// Calls a function with the activities of the first users, then of the first sessions, from the
/// rows before `end`, in slices. The log must not be replaced meanwhile.
pub(super) fn each_activity(
    log: &RwLock<Log>,
    (users, sessions): (usize, usize),
    end: u64,
    mut each: impl FnMut(&Log, &Activity) -> Result<()>,
) -> Result<()> {
    for start in (0..users).step_by(SLICE) {
        let log = log.read();
        for activity in log.users(start..users.min(start + SLICE), end) {
            each(&log, &activity)?;
        }
    }
    for start in (0..sessions).step_by(SLICE) {
        let log = log.read();
        for activity in log.sessions(start..sessions.min(start + SLICE), end) {
            each(&log, &activity)?;
        }
    }
    Ok(())
}

/// Interactions, baskets and popularity. Users come first, then sessions; both are rows of
/// [`touched`](Self::touched).
pub(super) struct TrainingData {
    /// Ids of the items by number.
    pub names: Vec<String>,
    /// Users and sessions x items; the items of a row are consecutive, the oldest first.
    pub touched: Triples,
    /// Baskets x items.
    pub bought: Triples,
    pub popularity: Popularity,
    /// Items chosen soon after others, by users and by sessions without a known user.
    pub rules: SequentialRules,
    /// Number of users and sessions.
    pub subjects: u32,
    /// True for each row that is a session of a known user, who has a row as well.
    pub repeats_user: Vec<bool>,
    /// Time of the last event of each row, microseconds since 1970.
    pub ends: Vec<i64>,
    pub baskets: u32,
    /// Touches in the log when reading began.
    pub interactions: u64,
    /// Times of the first and the last touch, microseconds since 1970.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl TrainingData {
    /// Reads a log in slices. The log must not be replaced meanwhile.
    pub fn from_log(log: &RwLock<Log>, config: &BehaviorConfig) -> Result<Self> {
        let (names, interactions, users, sessions, end) = {
            let mut log = log.write();
            log.set_training_mark();
            let (users, sessions) = log.capacities();
            let names = log.names().to_vec();
            (names, log.touches(), users, sessions, log.training_mark())
        };
        let half_life = config.half_life_days * 86_400.0;
        let mut data = Self {
            popularity: Popularity::new(names.len(), half_life)?,
            rules: SequentialRules::new(names.len(), SequentialRulesOptions::default())?,
            names,
            touched: Vec::new(),
            bought: Vec::new(),
            subjects: 0,
            repeats_user: Vec::new(),
            ends: Vec::new(),
            baskets: 0,
            interactions,
            first: None,
            last: None,
        };
        each_activity(log, (users, sessions), end, |_, activity| {
            data.add(activity)
        })?;
        Ok(data)
    }

    fn add(&mut self, activity: &Activity) -> Result<()> {
        let row = self.subjects;
        self.subjects += 1;
        self.repeats_user.push(activity.repeats_user);
        let times = activity.touches.iter().map(|t| t.micros);
        self.ends.push(times.max().unwrap_or(i64::MIN));
        let history = activity.history().into_iter();
        let positive = history.filter(|(_, weight)| *weight > 0.0);
        self.touched
            .extend(positive.map(|(item, weight)| (row, item, weight)));
        // Baskets, rules and popularity count each event once: sessions of known users are skipped.
        if activity.repeats_user {
            return Ok(());
        }
        self.rules.push(&activity.sequence())?;
        let mut days = HashMap::new();
        for touch in &activity.touches {
            if touch.bought {
                let basket = days.entry(touch.basket()).or_insert_with(|| {
                    self.baskets += 1;
                    self.baskets - 1
                });
                self.bought.push((*basket, touch.item, 1.0));
            }
            self.first = Some(self.first.map_or(touch.micros, |t| t.min(touch.micros)));
            self.last = Some(self.last.map_or(touch.micros, |t| t.max(touch.micros)));
            if touch.weight > 0.0 {
                let seconds = touch.micros as f64 / 1e6;
                self.popularity.add(touch.item, touch.weight, seconds)?;
            }
        }
        Ok(())
    }

    /// Returns the rows for session-kNN, each as its end and its items: one row for all events of a
    /// user, and the sessions without a known user.
    pub fn session_rows(&self) -> Vec<(i64, Box<[u32]>)> {
        let rows = self.touched.chunk_by(|a, b| a.0 == b.0);
        let distinct = rows.filter(|row| !self.repeats_user[row[0].0 as usize]);
        let session = |row: &[(u32, u32, f32)]| {
            let items = row.iter().map(|(_, item, _)| *item);
            (self.ends[row[0].0 as usize], items.collect())
        };
        distinct.map(session).collect()
    }
}
