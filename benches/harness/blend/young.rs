//! Young shops: few of the events of an old one, and what came after them.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use vitrine::cf::split::Interaction;

const DAY: i64 = 86_400_000_000;

/// How few events are chosen.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Any of those before the last days: many people with an event or two each.
    AtRandom,
    /// One after the other from a random one on: fewer people with more.
    InARow,
}

impl Choice {
    pub const ALL: [Self; 2] = [Self::AtRandom, Self::InARow];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::AtRandom => "drawn at random before the last days",
            Self::InARow => "in a row from a random one on, and the days after them",
        }
    }

    /// `count` events and those of the `days` after them, by time.
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
                let mut few = before.to_vec();
                few.shuffle(&mut rng);
                few.truncate(count);
                few.sort_by_key(|i| i.at);
                few.extend_from_slice(after);
                few
            }
            Self::InARow => {
                let start = rng.random_range(0..=before.len().saturating_sub(count));
                let few = &before[start..before.len().min(start + count)];
                let end = few.last().map_or(0, |i| i.at) + days * DAY;
                let rest = all[start..].iter().take_while(|i| i.at <= end);
                rest.copied().collect()
            }
        }
    }
}
