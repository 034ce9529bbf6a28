//! Protocol of an evaluation: held-out events, tested users, relevant items, ranked items.

use std::{collections::HashMap, ops::Range};

use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use roaring::RoaringBitmap;
use serde::Serialize;
use vitrine::cf::split::{Interaction, Split};

use super::{
    Dataset, EvaluateError,
    cold_items::{ColdItems, HiddenEvents},
    hold_out::HoldOut,
};

/// Microseconds in a day.
const DAY: f64 = 86_400e6;

/// Combined weight of several events of a user with one item, in histories and matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Sum of their weights, as served.
    #[default]
    Sum,
    /// Logarithm of one plus the sum.
    Log,
    /// 1, regardless of number and kind.
    One,
}

impl Weights {
    fn of(self, sum: f32) -> f32 {
        match self {
            Self::Sum => sum,
            Self::Log => sum.ln_1p(),
            Self::One => 1.0,
        }
    }

    /// Returns one interaction for each pair of user and item, at the time of the last.
    pub fn merged(self, interactions: &[Interaction]) -> Vec<Interaction> {
        let mut places = HashMap::new();
        let mut merged: Vec<Interaction> = Vec::new();
        for i in interactions {
            match places.get(&(i.user, i.item)) {
                Some(place) => {
                    let known: &mut Interaction = &mut merged[*place];
                    known.weight += i.weight;
                    known.at = known.at.max(i.at);
                }
                None => {
                    places.insert((i.user, i.item), merged.len());
                    merged.push(*i);
                }
            }
        }
        merged.iter_mut().for_each(|i| i.weight = self.of(i.weight));
        merged
    }
}

/// Rules of a trial.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Held-out events.
    pub hold_out: HoldOut,
    /// Combined weight of several events with one item.
    pub weights: Weights,
    /// True if only held-out items new to their user are relevant; the others are not recommended.
    pub new_only: bool,
    /// Minimum number of training events of a tested user.
    pub min_history: usize,
    /// Number of random items that held-out ones are ranked among; `None` for all items.
    pub negatives: Option<usize>,
    /// Maximum number of tested users, chosen at random.
    pub max_users: Option<usize>,
    /// Share of the items, chosen at random, whose events before the split are hidden; only these
    /// are ranked.
    pub cold_items: Option<f64>,
    /// Maximum number of items of a history, the latest; the others are still not recommended.
    pub max_history: Option<usize>,
    /// Random seed.
    pub seed: u64,
}

/// Task: one user to test.
#[derive(Clone, Debug)]
pub struct Task {
    /// Id of the user.
    pub user: u32,
    /// Training items with summed weights, the oldest first.
    pub history: Vec<(u32, f32)>,
    /// Number of events of the history.
    pub events: usize,
    /// Items that must not be recommended.
    pub excluded: RoaringBitmap,
    /// Held-out items that are not excluded.
    pub relevant: Vec<u32>,
    /// Random items that held-out ones are ranked among.
    negatives: Option<RoaringBitmap>,
}

impl Task {
    /// Returns the items that are not ranked, of `items`.
    pub fn unranked(&self, items: usize) -> RoaringBitmap {
        match &self.negatives {
            None => self.excluded.clone(),
            Some(negatives) => {
                let mut rest = RoaringBitmap::new();
                rest.insert_range(0..items as u32);
                rest -= negatives;
                self.relevant.iter().for_each(|item| {
                    rest.remove(*item);
                });
                rest
            }
        }
    }
}

/// Training data and tasks.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Training interactions.
    pub train: Vec<Interaction>,
    /// Users to test.
    pub tasks: Vec<Task>,
    /// Time of the first held-out event, if it is the same for all users.
    pub cut: Option<i64>,
    /// Number of held-out events.
    pub held_out: usize,
    /// Number of users with held-out events.
    pub candidates: usize,
    /// Number of these with too little history.
    pub without_history: usize,
    /// Number of the rest without new held-out items.
    pub without_new: usize,
}

impl Protocol {
    /// Splits interactions and selects the users to test.
    ///
    /// # Errors
    /// Nothing is left to learn from, or no user to test.
    pub fn prepare(&self, data: &Dataset) -> Result<Trial, EvaluateError> {
        self.prepare_from(data, &data.interactions)
    }

    /// Prepares a trial from a part of the interactions of a data set.
    ///
    /// # Errors
    /// As [`Protocol::prepare`].
    pub fn prepare_from(
        &self,
        data: &Dataset,
        interactions: &[Interaction],
    ) -> Result<Trial, EvaluateError> {
        if interactions.is_empty() {
            return Err(EvaluateError::NoEvents);
        }
        if data.untimed > 0 && !matches!(self.hold_out, HoldOut::Random(_)) {
            return Err(EvaluateError::NoTimes {
                split: self.hold_out.to_string(),
                count: data.untimed,
            });
        }
        let split = self.split(interactions)?;
        if split.train.is_empty() {
            return Err(EvaluateError::NothingToLearn {
                split: self.hold_out.to_string(),
                events: interactions.len(),
            });
        }
        let temporal = matches!(self.hold_out, HoldOut::Latest(_) | HoldOut::Days(_));
        let cut = split.test.iter().map(|i| i.at).min().filter(|_| temporal);
        let mut train = split.train;
        let hide = |share| ColdItems::choose(data.items(), share, self.seed).hide(&mut train);
        let hidden = self.cold_items.map(hide);
        let mut trial = Trial {
            cut,
            held_out: split.test.len(),
            candidates: 0,
            without_history: 0,
            without_new: 0,
            train,
            tasks: Vec::new(),
        };
        self.choose(data, &split.test, hidden.as_ref(), &mut trial);
        if trial.tasks.is_empty() {
            return Err(EvaluateError::NobodyToTest {
                candidates: trial.candidates,
                without_history: trial.without_history,
                min_history: self.min_history,
                without_new: trial.without_new,
            });
        }
        Ok(trial)
    }

    fn split(&self, all: &[Interaction]) -> Result<Split, EvaluateError> {
        Ok(match self.hold_out {
            HoldOut::Latest(part) => Split::temporal(all, part)?,
            HoldOut::Random(part) => Split::random(all, part, self.seed)?,
            HoldOut::Last(count) => Split::leave_last(all, count),
            HoldOut::Days(days) => {
                let last = all.iter().map(|i| i.at).max().unwrap_or(0);
                Split::at(all, last.saturating_sub((days * DAY) as i64))
            }
        })
    }

    fn choose(
        &self,
        data: &Dataset,
        test: &[Interaction],
        hidden: Option<&HiddenEvents>,
        trial: &mut Trial,
    ) {
        let histories = by_user(&trial.train, data.users());
        let held_out = by_user(test, data.users());
        let mut rejected: HashMap<u32, Vec<_>> = HashMap::new();
        for r in &data.rejections {
            rejected.entry(r.user).or_default().push((r.item, r.at));
        }
        for (user, test) in (0..).zip(&held_out) {
            let Some(first) = test.iter().map(|i| i.at).min() else {
                continue;
            };
            trial.candidates += 1;
            let history = &histories[user as usize];
            if history.len() < self.min_history {
                trial.without_history += 1;
                continue;
            }
            let mut excluded: RoaringBitmap = rejected
                .get(&user)
                .into_iter()
                .flatten()
                .filter(|(_, at)| *at < first)
                .map(|(item, _)| *item)
                .collect();
            if self.new_only {
                excluded.extend(history.iter().map(|i| i.item));
            }
            if let Some(hidden) = hidden {
                excluded |= hidden.unranked(user, self.new_only);
            }
            let mut relevant: Vec<u32> = test.iter().map(|i| i.item).collect();
            relevant.sort_unstable();
            relevant.dedup();
            relevant.retain(|item| !excluded.contains(*item));
            if relevant.is_empty() {
                trial.without_new += 1;
                continue;
            }
            trial.tasks.push(Task {
                user,
                events: history.len().min(self.max_history.unwrap_or(usize::MAX)),
                history: self.summed(history),
                excluded,
                relevant,
                negatives: None,
            });
        }
        let mut rng = StdRng::seed_from_u64(self.seed);
        if let Some(max) = self.max_users.filter(|max| *max < trial.tasks.len()) {
            trial.tasks.shuffle(&mut rng);
            trial.tasks.truncate(max);
            trial.tasks.sort_by_key(|task| task.user);
        }
        if let Some(count) = self.negatives {
            for task in &mut trial.tasks {
                task.negatives = Some(sample(task, 0..data.items() as u32, count, &mut rng));
            }
        }
    }
}

impl Protocol {
    /// Returns each item once, at the place of its last event; the latest ones, if their number is
    /// limited.
    fn summed(&self, history: &[&Interaction]) -> Vec<(u32, f32)> {
        let mut sums: HashMap<u32, f32> = HashMap::new();
        for i in history {
            *sums.entry(i.item).or_default() += i.weight;
        }
        let latest = history.iter().rev();
        let mut list: Vec<_> = latest
            .filter_map(|i| Some((i.item, self.weights.of(sums.remove(&i.item)?))))
            .take(self.max_history.unwrap_or(usize::MAX))
            .collect();
        list.reverse();
        list
    }
}

/// Returns the interactions of each user, ordered by time.
fn by_user(interactions: &[Interaction], users: usize) -> Vec<Vec<&Interaction>> {
    let mut lists = vec![Vec::new(); users];
    for interaction in interactions {
        lists[interaction.user as usize].push(interaction);
    }
    for list in &mut lists {
        list.sort_by_key(|i| i.at);
    }
    lists
}

/// Returns up to `count` items that the user has no events with.
fn sample(task: &Task, items: Range<u32>, count: usize, rng: &mut StdRng) -> RoaringBitmap {
    let mut taken = task.excluded.clone();
    taken.extend(task.history.iter().map(|(item, _)| *item));
    taken.extend(&task.relevant);
    let free = items.len() - taken.range_cardinality(items.clone()) as usize;
    if free <= count.saturating_mul(2) {
        let mut rest: Vec<u32> = items.filter(|item| !taken.contains(*item)).collect();
        let (chosen, _) = rest.partial_shuffle(rng, count);
        return chosen.iter().collect();
    }
    let mut chosen = RoaringBitmap::new();
    while (chosen.len() as usize) < count {
        let item = rng.random_range(items.clone());
        if !taken.contains(item) {
            chosen.insert(item);
        }
    }
    chosen
}

#[cfg(test)]
pub(super) mod tests;
