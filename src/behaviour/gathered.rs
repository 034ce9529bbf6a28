//! What a training reads of a log.

use std::collections::HashMap;

use parking_lot::RwLock;
use vitrine_schemas::BehaviorConfig;

use super::{Log, Person};
use crate::{Result, cf::Popularity};

/// People read while the log is locked.
const SLICE: usize = 4096;

/// Rows, columns and weights of a matrix.
pub(super) type Triples = Vec<(u32, u32, f32)>;

pub(super) struct Gathered {
    /// Ids of the items by number.
    pub names: Vec<String>,
    /// People x items; the items of a person one after the other, the oldest first.
    pub touched: Triples,
    /// Baskets x items.
    pub bought: Triples,
    pub popularity: Popularity,
    pub people: u32,
    /// Rows of people that are visits of users, who have a row of their own.
    pub again: Vec<bool>,
    /// When each person did something last, microseconds since 1970.
    pub ends: Vec<i64>,
    pub baskets: u32,
    /// Touches of the log when the reading began.
    pub interactions: u64,
    /// Times of the first and the last touch, microseconds since 1970.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl Gathered {
    /// Reads a log, which nobody may replace meanwhile.
    pub fn from_log(log: &RwLock<Log>, config: &BehaviorConfig) -> Result<Self> {
        let (names, interactions, users, visits, end) = {
            let mut log = log.write();
            log.set_mark();
            let (users, visits) = log.places();
            let names = log.names().to_vec();
            (names, log.touches(), users, visits, log.mark())
        };
        let half_life = config.half_life_days * 86_400.0;
        let mut gathered = Self {
            popularity: Popularity::new(names.len(), half_life)?,
            names,
            touched: Vec::new(),
            bought: Vec::new(),
            people: 0,
            again: Vec::new(),
            ends: Vec::new(),
            baskets: 0,
            interactions,
            first: None,
            last: None,
        };
        for start in (0..users).step_by(SLICE) {
            let log = log.read();
            for person in log.users(start..users.min(start + SLICE), end) {
                gathered.add(&person)?;
            }
        }
        for start in (0..visits).step_by(SLICE) {
            let log = log.read();
            for person in log.visits(start..visits.min(start + SLICE), end) {
                gathered.add(&person)?;
            }
        }
        Ok(gathered)
    }

    fn add(&mut self, person: &Person) -> Result<()> {
        let row = self.people;
        self.people += 1;
        self.again.push(person.again);
        let times = person.touches.iter().map(|t| t.micros);
        self.ends.push(times.max().unwrap_or(i64::MIN));
        let history = person.history().into_iter();
        let counted = history.filter(|(_, weight)| *weight > 0.0);
        self.touched
            .extend(counted.map(|(item, weight)| (row, item, weight)));
        // The rest once, though a visit of a user is there twice.
        if person.again {
            return Ok(());
        }
        let mut days = HashMap::new();
        for touch in &person.touches {
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
                let at = touch.micros as f64 / 1e6;
                self.popularity.add(touch.item, touch.weight, at)?;
            }
        }
        Ok(())
    }

    /// Items of each person, with the time of the end.
    pub fn sessions(&self) -> Vec<(i64, Box<[u32]>)> {
        let rows = self.touched.chunk_by(|a, b| a.0 == b.0);
        // What users did counts once, as a whole.
        let own = rows.filter(|row| !self.again[row[0].0 as usize]);
        let session = |row: &[(u32, u32, f32)]| {
            let items = row.iter().map(|(_, item, _)| *item);
            (self.ends[row[0].0 as usize], items.collect())
        };
        own.map(session).collect()
    }
}
