//! Activity of one user or session.

use std::collections::HashMap;

use roaring::RoaringBitmap;

/// Maximum number of items of a history; the latest count.
const MAX_HISTORY_ITEMS: usize = 500;

/// Period whose purchases by one user form a basket, in microseconds.
const BASKET_MICROS: i64 = 86_400 * 1_000_000;

/// One item in one event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Touch {
    /// Number of the item in the log.
    pub item: u32,
    /// Weight of the event, 0 or more.
    pub weight: f32,
    /// Microseconds since 1970, with a resolution of one second.
    pub micros: i64,
    /// True for a purchase.
    pub bought: bool,
}

impl Touch {
    /// Returns the number of the basket: purchases of a user with the same number belong together.
    pub fn basket(&self) -> i64 {
        self.micros.div_euclid(BASKET_MICROS)
    }
}

/// Returns the liked items of touches, the oldest first: several touches of an item in a row, such
/// as a view and a purchase, count once.
pub(super) fn sequence_of<'a>(touches: impl Iterator<Item = &'a Touch>) -> Vec<u32> {
    let liked = touches.filter(|touch| touch.weight > 0.0);
    let mut sequence: Vec<u32> = liked.map(|touch| touch.item).collect();
    sequence.dedup();
    sequence
}

/// Events of one user or session.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Touches in the order of arrival.
    pub touches: Vec<Touch>,
    /// Items rejected by the user, which must not be recommended.
    pub rejected: RoaringBitmap,
    /// Number of impressions by item.
    pub impressions: HashMap<u32, u32>,
    /// True for a session with events of a known user: these events are also part of the activity
    /// of that user.
    pub repeats_user: bool,
}

impl Activity {
    /// Returns the liked items in the order of time, the oldest first; see [`sequence_of`].
    pub fn sequence(&self) -> Vec<u32> {
        let mut touches: Vec<&Touch> = self.touches.iter().collect();
        touches.sort_by_key(|touch| touch.micros);
        sequence_of(touches.into_iter())
    }

    /// Returns the items with at least `count` impressions.
    pub fn shown_at_least(&self, count: u32) -> impl Iterator<Item = u32> {
        let shown = self.impressions.iter();
        shown.filter_map(move |(item, n)| (*n >= count).then_some(*item))
    }

    /// Returns the latest items with their summed weights, the oldest first.
    pub fn history(&self) -> Vec<(u32, f32)> {
        let mut latest: Vec<&Touch> = self.touches.iter().collect();
        latest.sort_by_key(|t| t.micros);
        let mut indices = HashMap::new();
        let mut history: Vec<(u32, f32)> = Vec::new();
        for touch in latest.iter().rev() {
            match indices.get(&touch.item) {
                Some(index) => {
                    let (_, weight): &mut (u32, f32) = &mut history[*index];
                    *weight += touch.weight;
                }
                None if history.len() < MAX_HISTORY_ITEMS => {
                    indices.insert(touch.item, history.len());
                    history.push((touch.item, touch.weight));
                }
                None => {}
            }
        }
        history.reverse();
        history
    }
}
