//! Who touched which item, with what weight and when.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::{Event, EventKind};

use super::daily::Daily;

/// Items of a person that count, the latest.
const HISTORY: usize = 500;

/// A rating from which an item was liked, of 5.
const LIKED: f64 = 3.0;

/// One item in one event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Touch {
    /// Number of the item in the log.
    pub item: u32,
    /// How much it says.
    pub weight: f32,
    /// When, in microseconds since 1970.
    pub micros: i64,
    /// Whether it was a purchase.
    pub bought: bool,
}

/// What a person did.
#[derive(Default)]
pub(crate) struct Person {
    /// In the order of arrival.
    pub touches: Vec<Touch>,
    /// Items never to be shown to them.
    pub rejected: RoaringBitmap,
}

/// All touches by person. Items have numbers of their own, for they outlive versions of records.
#[derive(Default)]
pub(crate) struct Log {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    users: HashMap<String, Person>,
    /// Of visits without a user.
    sessions: HashMap<String, Person>,
    touches: u64,
    /// What speaks for each item, day by day.
    pub daily: Daily,
    last: Option<i64>,
}

impl Log {
    /// Takes an event in.
    pub fn add(&mut self, event: &Event, micros: i64) {
        let items: Vec<u32> = event.items.iter().map(|id| self.number_of(id)).collect();
        let people = [
            event.user.as_ref().map(|u| (&mut self.users, u)),
            event.session.as_ref().map(|s| (&mut self.sessions, s)),
        ];
        for (people, name) in people.into_iter().flatten() {
            let person = people.entry(name.clone()).or_default();
            match weight(event) {
                Some(weight) => person.touches.extend(items.iter().map(|item| Touch {
                    item: *item,
                    weight,
                    micros,
                    bought: event.kind == EventKind::Purchase,
                })),
                None => person.rejected.extend(&items),
            }
        }
        if let Some(weight) = weight(event) {
            let counted = items.iter();
            counted.for_each(|item| self.daily.add(*item, micros, weight));
        }
        self.last = self.last.max(Some(micros));
        self.touches += items.len() as u64;
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
        self.touches
    }

    /// Time of the last event.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Ids by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What an event says for its items; None where it speaks against them.
    pub fn weight(&self, event: &Event) -> Option<f32> {
        weight(event)
    }

    /// Id of a number.
    pub fn name(&self, item: u32) -> &str {
        self.names.get(item as usize).map_or("", String::as_str)
    }

    /// Number of an id, if anybody touched it.
    pub fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// What a user did.
    pub fn user(&self, user: &str) -> Option<&Person> {
        self.users.get(user)
    }

    /// What was done in a visit.
    pub fn session(&self, session: &str) -> Option<&Person> {
        self.sessions.get(session)
    }

    /// Everybody: users, and visits (a visit of a user tells what goes with what once more, and closer in time).
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.users.values().chain(self.sessions.values())
    }
}

impl Person {
    /// The latest items with their summed weights, the oldest first.
    pub fn history(&self) -> Vec<(u32, f32)> {
        let mut latest: Vec<&Touch> = self.touches.iter().collect();
        latest.sort_by_key(|t| t.micros);
        let mut place = HashMap::new();
        let mut history: Vec<(u32, f32)> = Vec::new();
        for touch in latest.iter().rev() {
            match place.get(&touch.item) {
                Some(at) => {
                    let (_, weight): &mut (u32, f32) = &mut history[*at];
                    *weight += touch.weight;
                }
                None if history.len() < HISTORY => {
                    place.insert(touch.item, history.len());
                    history.push((touch.item, touch.weight));
                }
                None => {}
            }
        }
        history.reverse();
        history
    }
}

/// What an event says for its items; None where it speaks against them.
fn weight(event: &Event) -> Option<f32> {
    match event.kind {
        EventKind::View | EventKind::Click => Some(1.0),
        EventKind::AddToCart | EventKind::Like => Some(3.0),
        EventKind::Purchase => Some(5.0),
        EventKind::Rating => match event.value {
            Some(value) if value < LIKED => None,
            _ => Some(3.0),
        },
        EventKind::Hide => None,
    }
}
