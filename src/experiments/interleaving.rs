//! Team-draft interleaving (Radlinski, Kurup and Joachims 2008): two rankings pick hits in turn, as
//! captains pick players; clicks on a hit are credited to the ranking that picked it.

use std::collections::HashSet;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::assignment::hash;

/// Interleaves two rankings to at most `limit` entries, each with the index of its ranking. In each
/// round both pick the best entry that is left; a coin decides who begins. Once one
/// ranking is exhausted, the other one goes on. `id` identifies an entry.
pub fn team_draft<T>(
    rankings: [Vec<T>; 2],
    id: impl Fn(&T) -> String,
    limit: usize,
    seed: u64,
) -> Vec<(u8, T)> {
    let mut coin = SmallRng::seed_from_u64(seed);
    let mut rankings = rankings.map(Vec::into_iter);
    let (mut drafted, mut taken) = (Vec::new(), HashSet::new());
    'rounds: loop {
        let first = u8::from(coin.random_bool(0.5));
        let mut picked = 0;
        for team in [first, 1 - first] {
            if drafted.len() == limit {
                break 'rounds;
            }
            let left = rankings[usize::from(team)].by_ref();
            if let Some(entry) = left.find(|entry| taken.insert(id(entry))) {
                drafted.push((team, entry));
                picked += 1;
            }
        }
        if picked == 0 {
            break;
        }
    }
    drafted
}

/// Returns the seed of the coin for a search: the same for all pages of a user's query.
pub fn draft_seed(experiment: &str, subject: &str, query: &str) -> u64 {
    hash(experiment, &format!("{subject}\0{query}"))
}
