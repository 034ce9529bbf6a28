//! Choices of users, from events.

use std::collections::BTreeMap;

use vitrine::event_weight;
use vitrine_schemas::Event;

use crate::events::user_of;

/// Maximum items of a group; the latest are kept.
const MAX_ITEMS: usize = 256;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Items that users bought, put into a cart, viewed or rated well; not those they hid or rated low.
#[derive(Debug, Default)]
pub struct Choices {
    /// Time in microseconds since 1970 and item of each choice, by user or session.
    by_user: BTreeMap<String, Vec<(i64, String)>>,
}

/// Groups of items that a user chose together, with the users split into training, early stopping
/// and held-out sets.
#[derive(Default)]
pub struct UserSplit {
    /// Groups to train on.
    pub train: Vec<Vec<String>>,
    /// Groups that select the best epoch.
    pub stop: Vec<Vec<String>>,
    /// Groups that decide on the promotion.
    pub held_out: Vec<Vec<String>>,
}

impl Choices {
    /// Adds an event with its time in microseconds since 1970.
    pub fn add(&mut self, event: &Event, time: i64) {
        if event_weight(event).is_none_or(|weight| weight <= 0.0) {
            return;
        }
        let Some(user) = user_of(event) else {
            return;
        };
        let choices = self.by_user.entry(user).or_default();
        choices.extend(event.items.iter().map(|item| (time, item.clone())));
    }

    /// Splits users by a hash of `seed` and their id: `share` of them is held out, and a tenth of
    /// the others selects the best epoch.
    ///
    /// Items that a user chose within `days` of the first choice form a group; `None`: all items of
    /// a user.
    pub fn split(self, days: Option<u32>, share: f64, seed: u64) -> UserSplit {
        let mut split = UserSplit::default();
        for (user, items) in self.by_user {
            let hash = blake3::hash(format!("{seed} {user}").as_bytes());
            let bytes: [u8; 4] = std::array::from_fn(|i| hash.as_bytes()[i]);
            let position = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
            let groups = match position {
                x if x < share => &mut split.held_out,
                x if x < share + (1.0 - share) / 10.0 => &mut split.stop,
                _ => &mut split.train,
            };
            groups.extend(group(items, days));
        }
        split
    }
}

/// Groups the items of one user: the latest of each group, every item once.
fn group(mut items: Vec<(i64, String)>, days: Option<u32>) -> Vec<Vec<String>> {
    items.sort();
    let mut groups: Vec<(i64, Vec<String>)> = Vec::new();
    for (time, item) in items {
        match groups.last_mut() {
            Some((start, group)) if days.is_none_or(|d| time - *start < i64::from(d) * DAY) => {
                group.retain(|other| *other != item);
                group.push(item);
            }
            _ => groups.push((time, vec![item])),
        }
    }
    let latest =
        |(_, mut group): (i64, Vec<String>)| group.split_off(group.len().saturating_sub(MAX_ITEMS));
    groups.into_iter().map(latest).collect()
}
