//! Model of rewards, fitted to other pages than those that it predicts for.

use std::collections::HashMap;

use super::log::{Action, LoggedPage, Shown};

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
        let rewards: f64 = hits().map(|hit| hit.reward).sum();
        let mean = rewards / hits().count().max(1) as f64;
        let by_position = sums_by(hits(), |action| action.position, |_| 1.0);
        let by_position = by_position.into_iter();
        let by_position: HashMap<u32, f64> = by_position
            .map(|(position, sums)| (position, sums.ratio(mean, PRIOR_HITS)))
            .collect();
        let by_item = sums_by(
            hits(),
            |action| action.item,
            |action| by_position[&action.position],
        );
        let by_item = by_item.into_iter();
        let by_item = by_item.map(|(item, sums)| (item, sums.ratio(1.0, PRIOR_HITS * mean)));
        Self {
            mean,
            by_item: by_item.collect(),
            by_position,
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
    /// Returns the ratio of the sums, drawn towards a prior by its weight in the second sum.
    fn ratio(self, prior: f64, weight: f64) -> f64 {
        (self.reward + weight * prior) / (self.expected + weight).max(f64::MIN_POSITIVE)
    }
}

/// Adds up the rewards of hits by a key, and what they were expected to be.
fn sums_by<'a>(
    hits: impl Iterator<Item = &'a Shown>,
    key: impl Fn(Action) -> u32,
    expected: impl Fn(Action) -> f64,
) -> HashMap<u32, Sums> {
    let mut sums: HashMap<u32, Sums> = HashMap::new();
    for hit in hits {
        let own = sums.entry(key(hit.action)).or_default();
        own.reward += hit.reward;
        own.expected += expected(hit.action);
    }
    sums
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

#[cfg(test)]
mod tests {
    use super::*;

    fn page(user: usize, hits: &[(u32, u32, f64)]) -> LoggedPage {
        let shown = hits.iter().map(|(item, position, reward)| Shown {
            action: action(*item, *position),
            propensity: 1.0,
            target: 1.0,
            reward: *reward,
        });
        LoggedPage {
            user,
            shown: shown.collect(),
            target: None,
        }
    }

    fn action(item: u32, position: u32) -> Action {
        Action { item, position }
    }

    #[test]
    fn positions_and_items_are_told_apart() {
        // Position 1 earns twice as much as 2, and item 7 twice as much as 8 at the same position.
        let pages = [
            page(0, &[(7, 1, 4.0), (8, 2, 1.0)]),
            page(0, &[(8, 1, 2.0), (7, 2, 2.0)]),
        ];
        let pages: Vec<_> = pages.iter().cycle().take(2000).collect();
        let model = RewardModel::fit(pages.into_iter());
        for (item, position, reward) in [(7, 1, 4.0), (7, 2, 2.0), (8, 1, 2.0), (8, 2, 1.0)] {
            let predicted = model.predict(action(item, position));
            assert!(
                (predicted / reward - 1.0).abs() < 0.02,
                "{item} at {position}: {predicted}"
            );
        }
        // An unknown item earns what its position does.
        assert!((model.predict(action(9, 1)) - 3.0).abs() < 0.02);
        assert!((model.predict(action(9, 5)) - 2.25).abs() < 0.02);
    }

    #[test]
    fn a_page_is_predicted_by_pages_of_others() {
        let pages: Vec<_> = (0..10)
            .map(|user| page(user, &[(1, 1, f64::from(u8::from(user == 3)))]))
            .collect();
        let models = CrossFitted::fit(&pages);
        assert_eq!(models.for_user(3).predict(action(1, 1)), 0.0);
        assert!(models.for_user(4).predict(action(1, 1)) > 0.0);
    }
}
