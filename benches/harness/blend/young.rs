//! Young shops: a few events of an established shop, and the events after them.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use vitrine::cf::split::Interaction;

const DAY: i64 = 86_400_000_000;

/// Selection of the events of a young shop.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Random events before the last days: many users with an event or two each.
    AtRandom,
    /// Consecutive events from a random one on: fewer users with more events.
    InARow,
}

impl Choice {
    pub const CHOICES: [Self; 2] = [Self::AtRandom, Self::InARow];

    /// Returns a description.
    pub fn description(self) -> &'static str {
        match self {
            Self::AtRandom => "drawn at random before the last days",
            Self::InARow => "in a row from a random one on, and the days after them",
        }
    }

    /// Returns `count` events and those of the `days` after them, by time.
    pub fn young(
        self,
        all: &[Interaction],
        count: usize,
        days: i64,
        seed: u64,
    ) -> Vec<Interaction> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut all = all.to_vec();
        all.sort_by_key(|i| i.at);
        let last = all.last().map_or(0, |i| i.at);
        let cut = all.partition_point(|i| i.at < last - days * DAY);
        let (before, after) = all.split_at(cut);
        match self {
            Self::AtRandom => {
                let mut chosen = before.to_vec();
                chosen.shuffle(&mut rng);
                chosen.truncate(count);
                chosen.sort_by_key(|i| i.at);
                chosen.extend_from_slice(after);
                chosen
            }
            Self::InARow => {
                let start = rng.random_range(0..=before.len().saturating_sub(count));
                let chosen = &before[start..before.len().min(start + count)];
                let end = chosen.last().map_or(0, |i| i.at) + days * DAY;
                let rest = all[start..].iter().take_while(|i| i.at <= end);
                rest.copied().collect()
            }
        }
    }
}
