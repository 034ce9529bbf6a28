//! What a person did.

use std::collections::HashMap;

use roaring::RoaringBitmap;

/// Items of a person that count, the latest.
const HISTORY: usize = 500;

/// Purchases of a person within a day are one basket.
const BASKET_MICROS: i64 = 86_400 * 1_000_000;

/// One item in one event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Touch {
    /// Number of the item in the log.
    pub item: u32,
    /// How much it says; 0 or more.
    pub weight: f32,
    /// When, in microseconds since 1970, to the second.
    pub micros: i64,
    /// Whether it was a purchase.
    pub bought: bool,
}

impl Touch {
    /// Purchases of a person with the same number are of one basket.
    pub fn basket(&self) -> i64 {
        self.micros.div_euclid(BASKET_MICROS)
    }
}

/// What a person did.
#[derive(Debug, Default)]
pub(crate) struct Person {
    /// In the order of arrival.
    pub touches: Vec<Touch>,
    /// Items never to be shown to them.
    pub rejected: RoaringBitmap,
    /// Whether this is a visit in which a user did something: what they did comes again under their name.
    pub again: bool,
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
