//! What a training reads of a log.

use std::collections::HashMap;

use parking_lot::RwLock;
use vitrine_schemas::BehaviorConfig;

use super::{Log, Person};
use crate::{Result, cf::Popularity};

/// Purchases of a person within a day are one basket.
const BASKET_MICROS: i64 = 86_400 * 1_000_000;

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
        let (names, interactions, users, visits) = {
            let log = log.read();
            let (users, visits) = log.places();
            (log.names().to_vec(), log.touches(), users, visits)
        };
        let half_life = config.half_life_days * 86_400.0;
        let mut gathered = Self {
            popularity: Popularity::new(names.len(), half_life)?,
            names,
            touched: Vec::new(),
            bought: Vec::new(),
            people: 0,
            again: Vec::new(),
            baskets: 0,
            interactions,
            first: None,
            last: None,
        };
        for start in (0..users).step_by(SLICE) {
            let log = log.read();
            for person in log.users(start..users.min(start + SLICE)) {
                gathered.add(&person)?;
            }
        }
        for start in (0..visits).step_by(SLICE) {
            let log = log.read();
            for person in log.visits(start..visits.min(start + SLICE)) {
                gathered.add(&person)?;
            }
        }
        Ok(gathered)
    }

    fn add(&mut self, person: &Person) -> Result<()> {
        let items = self.names.len() as u32;
        let row = self.people;
        self.people += 1;
        self.again.push(person.again);
        let history = person.history().into_iter();
        // Items of events that came since the reading began have no place.
        let counted = history.filter(|(item, weight)| *item < items && *weight > 0.0);
        self.touched
            .extend(counted.map(|(item, weight)| (row, item, weight)));
        let mut days = HashMap::new();
        for touch in person.touches.iter().filter(|t| t.item < items) {
            if touch.bought {
                let day = touch.micros.div_euclid(BASKET_MICROS);
                let basket = days.entry(day).or_insert_with(|| {
                    self.baskets += 1;
                    self.baskets - 1
                });
                self.bought.push((*basket, touch.item, 1.0));
            }
            // Once, though a visit of a user is there twice.
            if person.again {
                continue;
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
}
