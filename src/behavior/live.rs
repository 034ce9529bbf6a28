//! Item neighborhoods, sequential rules and popularity that count events after a training as they
//! arrive.

use std::sync::Arc;

use super::{
    Log,
    activity::{Touch, sequence_of},
    log::Arrival,
};
use crate::{
    Result,
    cf::{
        ItemKnn, ItemNeighbor, LiveItemKnn, Popularity, SequentialRules, SequentialRulesOptions,
        nearer,
    },
};

/// Maximum number of earlier touches, the latest, that a new one is paired with. A training pairs
/// all, but here a writer waits.
const MAX_EARLIER_TOUCHES: usize = 50;

/// Maximum number of counted pairs of items, about 64 MiB. Later events wait for the next training.
const MAX_PAIRS: usize = 2 << 20;

/// Number of baskets at which half of what popularity explains is taken from a similarity.
const PRIOR_BASKETS: f32 = 20.0;

/// Neighborhoods of a training, updated with later events.
pub(crate) struct Live {
    /// Items touched by the same users.
    pub item_knn: LiveItemKnn,
    /// Items bought together.
    baskets: LiveItemKnn,
    /// Number of baskets counted after the training.
    new_baskets: u64,
    /// Items chosen soon after others.
    pub rules: SequentialRules,
    /// Decayed counts of events.
    pub popularity: Popularity,
}

impl Live {
    /// Starts from the trained models.
    pub fn new(
        item_knn: ItemKnn,
        baskets: ItemKnn,
        rules: SequentialRules,
        popularity: Popularity,
    ) -> Self {
        Self {
            item_knn: LiveItemKnn::new(Arc::new(item_knn)),
            baskets: LiveItemKnn::new(Arc::new(baskets)),
            new_baskets: 0,
            rules,
            popularity,
        }
    }

    /// Returns the trained item neighborhoods of baskets.
    pub fn trained_baskets(&self) -> &ItemKnn {
        self.baskets.fitted()
    }

    /// Returns the items that were bought with an item after a training with `trained` baskets, the
    /// strongest first.
    ///
    /// If `a` and `b` of `N` baskets contain two independent items, `ab / N` are expected to
    /// contain both. The ratio of this to their common baskets, the reciprocal of the lift (Brin,
    /// Motwani, Ullman and Tsur 1997), is the share of the similarity that is removed, so that
    /// what everybody buys does not lead every list.
    pub fn bought_with(&self, item: u32, trained: u64) -> Vec<ItemNeighbor> {
        let baskets = (trained + self.new_baskets).max(1) as f32;
        let trust = baskets / (baskets + PRIOR_BASKETS);
        let mut neighbors = self.baskets.neighbors(item);
        for neighbor in &mut neighbors {
            let expected = self.baskets.norm(item) * self.baskets.norm(neighbor.item) / baskets;
            let explained = trust * expected / neighbor.users.max(1) as f32;
            neighbor.similarity *= 1.0 - explained.min(1.0);
        }
        neighbors.sort_unstable_by(nearer);
        neighbors
    }

    /// Returns the approximate bytes of the counted pairs and of the rules.
    pub fn memory(&self) -> usize {
        32 * (self.item_knn.pairs() + self.baskets.pairs()) + self.rules.memory()
    }

    /// Counts a row of the log.
    pub fn count(&mut self, log: &Log, row: u64) {
        let Some(arrival) = log.arrival(row, MAX_EARLIER_TOUCHES) else {
            return;
        };
        self.rules.grow(log.names().len());
        count_rules(&mut self.rules, &arrival);
        count_popularity(&mut self.popularity, log.names().len(), &arrival.touch);
        if self.item_knn.pairs() + self.baskets.pairs() >= MAX_PAIRS {
            return;
        }
        let Arrival { touch, before } = arrival;
        self.item_knn.grow(log.names().len());
        self.baskets.grow(log.names().len());
        // Both the user and the session count, as in a training, but as one person.
        for (number, before) in before.iter().enumerate() {
            let before: Vec<_> = before.iter().map(|t| (t.item, t.weight)).collect();
            let is_again = number > 0;
            add(&mut self.item_knn, &before, &touch, touch.weight, is_again);
        }
        if let (true, Some(before)) = (touch.bought, before.first()) {
            let same = |t: &&Touch| t.bought && t.basket() == touch.basket();
            let before: Vec<_> = before.iter().filter(same).map(|t| (t.item, 1.0)).collect();
            self.new_baskets += u64::from(before.is_empty());
            add(&mut self.baskets, &before, &touch, 1.0, false);
        }
    }
}

/// Returns the sequential rules of the rows of a log before `end`, counted one by one: for a stored
/// model of a version without rules.
pub(super) fn rules_of(log: &Log, end: u64) -> Result<SequentialRules> {
    let mut rules = SequentialRules::new(log.names().len(), SequentialRulesOptions::default())?;
    for row in 0..end {
        if let Some(arrival) = log.arrival(row, MAX_EARLIER_TOUCHES) {
            count_rules(&mut rules, &arrival);
        }
    }
    Ok(rules)
}

/// Counts an event in the sequence of its user, or else of its session.
fn count_rules(rules: &mut SequentialRules, arrival: &Arrival) {
    let touch = &arrival.touch;
    let before = sequence_of(arrival.before.first().into_iter().flatten().rev());
    if touch.weight > 0.0 && before.last() != Some(&touch.item) {
        let counted = rules.add(&before, touch.item);
        debug_assert!(counted.is_ok(), "{counted:?}");
    }
}

/// Counts an event of positive weight in the popularity of `items` items.
fn count_popularity(popularity: &mut Popularity, items: usize, touch: &Touch) {
    if touch.weight > 0.0 {
        popularity.grow(items);
        let seconds = touch.micros as f64 / 1e6;
        let counted = popularity.add(touch.item, touch.weight, seconds);
        debug_assert!(counted.is_ok(), "{counted:?}");
    }
}

/// Counts an event of positive weight, if the model supports counting; `is_again` is true for the
/// session of a user who was counted.
fn add(model: &mut LiveItemKnn, before: &[(u32, f32)], touch: &Touch, weight: f32, is_again: bool) {
    if model.counts_events() && weight > 0.0 {
        let counted = match is_again {
            true => model.add_session(before, touch.item, weight),
            false => model.add(before, touch.item, weight),
        };
        debug_assert!(counted.is_ok(), "{counted:?}");
    }
}
