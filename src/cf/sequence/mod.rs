//! Models of the order in which items are chosen: sequential rules, and networks that read a
//! history item by item.

mod gru;
mod network;
mod rules;
mod sequence_network;
mod served;

pub use gru::{Gru, GruWeights};
pub use network::SequenceModel;
pub use rules::{SequentialRules, SequentialRulesOptions};
pub use served::ServedNetwork;

use std::collections::HashMap;

use super::{known_items, split::Interaction};

/// Decay below which older items of a history are ignored: they cost time and change little.
const MIN_DECAY: f32 = 1e-3;

/// Returns the liked items of a history with decayed weights, the latest first: each item counts
/// `decay` times as much as the next one.
pub(super) fn decayed(
    history: &[(u32, f32)],
    items: usize,
    decay: f32,
) -> impl Iterator<Item = (usize, f32)> {
    let liked = known_items(history, items).filter(|(_, weight)| *weight > 0.0);
    let factors = std::iter::successors(Some(1.0_f32), move |factor| Some(factor * decay));
    let weighted = liked.rev().zip(factors);
    let weighted = weighted.take_while(|(_, factor)| *factor >= MIN_DECAY);
    weighted.map(|((item, weight), factor)| (item, weight * factor))
}

/// Returns the items of each user in the order of time, each with the time of the last; users are
/// in the order of their numbers.
pub(super) fn sequences(interactions: &[Interaction]) -> Vec<(i64, Box<[u32]>)> {
    let mut of_user: HashMap<u32, Vec<&Interaction>> = HashMap::new();
    for interaction in interactions {
        of_user
            .entry(interaction.user)
            .or_default()
            .push(interaction);
    }
    let mut users: Vec<_> = of_user.into_iter().collect();
    users.sort_by_key(|(user, _)| *user);
    let sequence = |(_, mut events): (u32, Vec<&Interaction>)| {
        events.sort_by_key(|i| i.at);
        let end = events.last().map_or(i64::MIN, |i| i.at);
        (end, events.iter().map(|i| i.item).collect())
    };
    users.into_iter().map(sequence).collect()
}
