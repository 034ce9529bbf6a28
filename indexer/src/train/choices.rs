//! Who chose what, from events.

use std::collections::BTreeMap;

use vitrine::event_weight;
use vitrine_schemas::Event;

/// Items that one person is remembered by, the latest.
const MOST_ITEMS: usize = 256;

/// Items by person: what they bought, put into a basket, looked at or rated well, not what they hid or rated low.
#[derive(Debug, Default)]
pub struct Choices {
    of: BTreeMap<String, Vec<String>>,
}

/// People parted in those that are learned from, those that choose the epoch, and those that are held out.
pub struct People {
    /// Learned from.
    pub train: Vec<Vec<String>>,
    /// Choose the epoch.
    pub stop: Vec<Vec<String>>,
    /// Decide on the promotion.
    pub held_out: Vec<Vec<String>>,
}

impl Choices {
    /// Takes in an event; events are to come in the order of time.
    pub fn take(&mut self, event: &Event) {
        if event_weight(event).is_none_or(|weight| weight <= 0.0) {
            return;
        }
        let person = match (&event.user, &event.session) {
            (Some(user), _) => format!("user {user}"),
            (None, Some(session)) => format!("session {session}"),
            (None, None) => return,
        };
        let own = self.of.entry(person).or_default();
        for item in &event.items {
            own.retain(|known| known != item);
            own.push(item.clone());
        }
        let more = own.len().saturating_sub(MOST_ITEMS);
        own.drain(..more);
    }

    /// Number of people.
    pub fn people(&self) -> usize {
        self.of.len()
    }

    /// Parts people by a hash of `seed` and who they are; `share` of them is held out, and a tenth of the others chooses the epoch.
    pub fn parted(self, share: f64, seed: u64) -> People {
        let mut people = People {
            train: Vec::new(),
            stop: Vec::new(),
            held_out: Vec::new(),
        };
        for (person, items) in self.of {
            let hash = blake3::hash(format!("{seed} {person}").as_bytes());
            let bytes: [u8; 4] = std::array::from_fn(|at| hash.as_bytes()[at]);
            let place = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
            if place < share {
                people.held_out.push(items);
            } else if place < share + (1.0 - share) / 10.0 {
                people.stop.push(items);
            } else {
                people.train.push(items);
            }
        }
        people
    }
}
