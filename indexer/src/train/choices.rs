//! Who chose what, from events.

use std::collections::BTreeMap;

use vitrine::event_weight;
use vitrine_schemas::Event;

use crate::events::person;

/// Items of one group at most, the latest.
const MOST_ITEMS: usize = 256;

const DAY: i64 = 86_400_000_000;

/// What people bought, put into a basket, looked at or rated well, not what they hid or rated low.
#[derive(Debug, Default)]
pub struct Choices {
    /// By person: when, in microseconds since 1970, and what.
    of: BTreeMap<String, Vec<(i64, String)>>,
}

/// Items that were chosen together, by people who are parted in those that are learned from, those that choose the epoch,
/// and those that are held out.
#[derive(Default)]
pub struct People {
    /// Learned from.
    pub train: Vec<Vec<String>>,
    /// Choose the epoch.
    pub stop: Vec<Vec<String>>,
    /// Decide on the promotion.
    pub held_out: Vec<Vec<String>>,
}

impl Choices {
    /// Takes in an event of a moment in microseconds since 1970.
    pub fn take(&mut self, event: &Event, at: i64) {
        if event_weight(event).is_none_or(|weight| weight <= 0.0) {
            return;
        }
        let Some(person) = person(event) else {
            return;
        };
        let own = self.of.entry(person).or_default();
        own.extend(event.items.iter().map(|item| (at, item.clone())));
    }

    /// Parts people by a hash of `seed` and who they are; `share` of them is held out, and a tenth of the others chooses the epoch.
    ///
    /// What a person chose within `days` of the first choice belongs together; `None`: all a person chose.
    pub fn parted(self, days: Option<u32>, share: f64, seed: u64) -> People {
        let mut people = People::default();
        for (person, items) in self.of {
            let hash = blake3::hash(format!("{seed} {person}").as_bytes());
            let bytes: [u8; 4] = std::array::from_fn(|at| hash.as_bytes()[at]);
            let place = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
            let part = match place {
                x if x < share => &mut people.held_out,
                x if x < share + (1.0 - share) / 10.0 => &mut people.stop,
                _ => &mut people.train,
            };
            part.extend(together(items, days));
        }
        people
    }
}

/// Groups of one person's items; of each the latest, every item once.
fn together(mut items: Vec<(i64, String)>, days: Option<u32>) -> Vec<Vec<String>> {
    items.sort();
    let mut groups: Vec<(i64, Vec<String>)> = Vec::new();
    for (at, item) in items {
        match groups.last_mut() {
            Some((from, group)) if days.is_none_or(|d| at - *from < i64::from(d) * DAY) => {
                group.retain(|known| *known != item);
                group.push(item);
            }
            _ => groups.push((at, vec![item])),
        }
    }
    let latest = |(_, mut group): (i64, Vec<String>)| {
        group.split_off(group.len().saturating_sub(MOST_ITEMS))
    };
    groups.into_iter().map(latest).collect()
}
