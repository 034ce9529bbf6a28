//! What a question is answered from: the items a shopper touched and those a request names.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::RecommendRequest;

use super::super::State;
use crate::behaviour::{Log, Person};

/// An item of a history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// Its id; the item may be gone.
    pub id: String,
    /// How much it says; below 0 it speaks against what is like it.
    pub weight: f32,
}

/// What a question is answered from.
#[derive(Default)]
pub(super) struct History {
    /// The oldest first.
    pub items: Vec<Given>,
    /// The same in the numbers of the log; what nobody touched is missing.
    pub numbers: Vec<(u32, f32)>,
    /// What must not come back, in the numbers of the collection.
    pub excluded: RoaringBitmap,
}

impl History {
    /// Of a request.
    pub fn of(request: &RecommendRequest, state: &State, log: &Log) -> Self {
        let people = [
            request.user.as_deref().and_then(|u| log.user(u)),
            request.session.as_deref().and_then(|s| log.session(s)),
        ];
        let (mut items, mut out) = (Gathered::default(), RoaringBitmap::new());
        let mut exclude = |id: &str| out.extend(state.numbers.get(id));
        for person in people.into_iter().flatten() {
            for (item, weight) in person.history() {
                items.count(log.name(item), weight);
            }
            let (seen, bought) = (request.exclude_seen, request.exclude_bought);
            never_again(&person, seen, bought).for_each(|item| exclude(log.name(item)));
        }
        for given in &request.positives {
            items.count(&given.id, given.weight);
            exclude(&given.id);
        }
        for given in &request.negatives {
            items.count(&given.id, -given.weight);
            exclude(&given.id);
        }
        request.exclude.iter().for_each(|id| exclude(id));
        Self {
            excluded: out,
            ..Self::from_items(items.done(), log)
        }
    }

    /// Of a shopper of a search: what they touched may come back, what they rejected may not.
    pub fn of_people(user: Option<&str>, session: Option<&str>, state: &State, log: &Log) -> Self {
        let people = [
            user.and_then(|u| log.user(u)),
            session.and_then(|s| log.session(s)),
        ];
        let (mut items, mut out) = (Gathered::default(), RoaringBitmap::new());
        for person in people.into_iter().flatten() {
            for (item, weight) in person.history() {
                items.count(log.name(item), weight);
            }
            let rejected = person.rejected.iter();
            out.extend(rejected.filter_map(|item| state.numbers.get(log.name(item))));
        }
        Self {
            excluded: out,
            ..Self::from_items(items.done(), log)
        }
    }

    /// Of items with weights; nothing is excluded.
    pub fn from_items(items: Vec<Given>, log: &Log) -> Self {
        let number = |given: &Given| Some((log.number(&given.id)?, given.weight));
        Self {
            numbers: items.iter().filter_map(number).collect(),
            items,
            excluded: RoaringBitmap::new(),
        }
    }

    /// What speaks for what is like it, the latest first.
    pub fn liked(&self) -> impl Iterator<Item = &Given> {
        self.items.iter().rev().filter(|given| given.weight > 0.0)
    }

    /// How much is known: items that count, of those in the log.
    pub fn evidence(&self) -> f32 {
        self.numbers.len() as f32
    }
}

/// Items by id with summed weights, in the order of their first coming.
#[derive(Default)]
struct Gathered {
    places: HashMap<String, usize>,
    items: Vec<Given>,
}

impl Gathered {
    fn count(&mut self, id: &str, weight: f32) {
        if let Some(place) = self.places.get(id) {
            self.items[*place].weight += weight;
            return;
        }
        self.places.insert(id.to_owned(), self.items.len());
        self.items.push(Given {
            id: id.to_owned(),
            weight,
        });
    }

    fn done(self) -> Vec<Given> {
        self.items
    }
}

/// What a person rejected and, where it is not to come again, touched or bought.
fn never_again(person: &Person, seen: bool, bought: bool) -> impl Iterator<Item = u32> + '_ {
    let touched = person.touches.iter();
    let out = touched.filter(move |t| seen || (bought && t.bought));
    out.map(|t| t.item).chain(&person.rejected)
}
