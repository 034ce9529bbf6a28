//! Model of rewards, fitted to other pages than those that it predicts for.

use std::collections::HashMap;

use super::log::{Action, LoggedPage};

/// Number of folds of the users.
const FOLDS: usize = 5;

/// Weight of the mean reward in that of a position, and of the mean factor in that of an item, in
/// hits.
const PRIOR_HITS: f64 = 10.0;

/// Predictions by the mean reward of the position times a factor of the item: its rewards relative
/// to those that its positions would let expect.
pub(super) struct RewardModel {
    mean: f64,
    by_position: HashMap<u32, f64>,
    by_item: HashMap<u32, f64>,
}

impl RewardModel {
    fn fit<'a>(pages: impl Iterator<Item = &'a LoggedPage> + Clone) -> Self {
        let hits = || pages.clone().flat_map(|page| &page.shown);
        let mut all = Sums::default();
        let mut positions: HashMap<u32, Sums> = HashMap::new();
        for hit in hits() {
            all.add(hit.reward, 1.0);
            let position = positions.entry(hit.action.position).or_default();
            position.add(hit.reward, 1.0);
        }
        let mean = if all.expected > 0.0 {
            all.reward / all.expected
        } else {
            0.0
        };
        let smoothed =
            |sums: Sums| (sums.reward + PRIOR_HITS * mean) / (sums.expected + PRIOR_HITS);
        let by_position: HashMap<u32, f64> = positions
            .into_iter()
            .map(|(position, sums)| (position, smoothed(sums)))
            .collect();
        let mut items: HashMap<u32, Sums> = HashMap::new();
        for hit in hits() {
            let expected = by_position[&hit.action.position];
            items
                .entry(hit.action.item)
                .or_default()
                .add(hit.reward, expected);
        }
        let factor = |sums: Sums| {
            let prior = PRIOR_HITS * mean;
            if mean > 0.0 {
                (sums.reward + prior) / (sums.expected + prior)
            } else {
                1.0
            }
        };
        Self {
            mean,
            by_position,
            by_item: items
                .into_iter()
                .map(|(item, sums)| (item, factor(sums)))
                .collect(),
        }
    }

    /// Returns the expected reward of an item.
    pub fn predict(&self, action: Action) -> f64 {
        let position = self.by_position.get(&action.position).unwrap_or(&self.mean);
        position * self.by_item.get(&action.item).unwrap_or(&1.0)
    }
}

/// Sums of rewards and of what they were expected to be.
#[derive(Clone, Copy, Default)]
struct Sums {
    reward: f64,
    expected: f64,
}

impl Sums {
    fn add(&mut self, reward: f64, expected: f64) {
        self.reward += reward;
        self.expected += expected;
    }
}

/// Models of all folds: that of a page is fitted to the pages of the users in other folds.
pub(super) struct CrossFitted(Vec<RewardModel>);

impl CrossFitted {
    /// Fits the models.
    pub fn fit(pages: &[LoggedPage]) -> Self {
        let fold = |fold: usize| {
            let others = pages.iter().filter(move |page| page.user % FOLDS != fold);
            RewardModel::fit(others)
        };
        Self((0..FOLDS).map(fold).collect())
    }

    /// Returns the model for the pages of a user.
    pub fn for_user(&self, user: usize) -> &RewardModel {
        &self.0[user % FOLDS]
    }
}
