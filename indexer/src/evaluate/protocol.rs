//! Protocol of an evaluation: held-out events, tested users, relevant items, ranked items.

use std::{collections::HashMap, fmt, ops::Range, str::FromStr};

use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use roaring::RoaringBitmap;
use serde::Serialize;
use vitrine::cf::split::{Interaction, Split};

use super::{
    Dataset, EvaluateError,
    cold_items::{ColdItems, HiddenEvents},
};

/// Microseconds in a day.
const DAY: f64 = 86_400e6;

/// Rule for holding out events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// Latest share of all events.
    Latest(f64),
    /// Events of the last days.
    Days(f64),
    /// Last events of each user.
    Last(usize),
    /// Random share.
    Random(f64),
}

impl FromStr for HoldOut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let part = || match value {
            "" => Ok(0.2),
            _ => match value.parse() {
                Ok(part) if part > 0.0 && part < 1.0 => Ok(part),
                _ => Err(format!(
                    "expected a share between 0 and 1 such as 0.2, got `{value}`"
                )),
            },
        };
        match (name, value.strip_suffix('d')) {
            ("temporal", Some(days)) => match days.parse() {
                Ok(days) if days > 0.0 && days < 1e6 => Ok(Self::Days(days)),
                _ => Err(format!(
                    "expected a number of days such as 40d, got `{value}`"
                )),
            },
            ("temporal", None) => part().map(Self::Latest),
            ("random", _) => part().map(Self::Random),
            ("leave-last", _) if value.is_empty() => Ok(Self::Last(1)),
            ("leave-last", _) => match value.parse() {
                Ok(count) if count > 0 => Ok(Self::Last(count)),
                _ => Err(format!(
                    "expected a number of events of at least 1, got `{value}`"
                )),
            },
            _ => Err(format!(
                "expected temporal:SHARE, temporal:DAYSd, leave-last:N or random:SHARE, got `{name}`"
            )),
        }
    }
}

impl fmt::Display for HoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest(part) => write!(f, "temporal:{part}"),
            Self::Days(days) => write!(f, "temporal:{days}d"),
            Self::Last(count) => write!(f, "leave-last:{count}"),
            Self::Random(part) => write!(f, "random:{part}"),
        }
    }
}

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
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a protocol with a split, and otherwise the defaults.
    pub fn protocol(hold_out: &str) -> Protocol {
        Protocol {
            hold_out: hold_out.parse().expect("a split"),
            weights: Weights::Sum,
            new_only: true,
            min_history: 1,
            negatives: None,
            max_users: None,
            cold_items: None,
            max_history: None,
            seed: 1,
        }
    }

    fn data(events: &[(u32, u32, i64)]) -> Dataset {
        let mut data = Dataset::new("test");
        for (user, item, at) in events {
            data.add(&format!("u{user}"), &format!("i{item}"), Some(1.0), *at);
        }
        data
    }

    #[test]
    fn splits_are_read_and_written() {
        for text in [
            "temporal:0.25",
            "temporal:40d",
            "leave-last:2",
            "random:0.1",
        ] {
            assert_eq!(text.parse::<HoldOut>().expect(text).to_string(), text);
        }
        assert_eq!("temporal".parse(), Ok(HoldOut::Latest(0.2)));
        assert_eq!("leave-last".parse(), Ok(HoldOut::Last(1)));
        for wrong in [
            "",
            "half",
            "temporal:0",
            "temporal:1",
            "temporal:-3d",
            "temporal:nan",
            "leave-last:0",
            "random:x",
        ] {
            assert!(wrong.parse::<HoldOut>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_is_tested_and_on_what() {
        // User 0 has a history, buys item 1 again and item 3 for the first time; user 1 only
        // repeats; user 2 has no history.
        let day = 86_400_000_000;
        let data = data(&[
            (0, 1, 0),
            (0, 2, 1),
            (0, 1, 2),
            (1, 5, 3),
            (0, 1, 10 * day),
            (0, 3, 11 * day),
            (1, 5, 11 * day),
            (2, 2, 11 * day),
        ]);
        let trial = protocol("temporal:5d").prepare(&data).expect("fine");
        assert_eq!((trial.held_out, trial.candidates), (4, 3));
        assert_eq!((trial.without_history, trial.without_new), (1, 1));
        assert_eq!(trial.cut, Some(10 * day));
        let [task] = trial.tasks.as_slice() else {
            panic!("{:?}", trial.tasks)
        };
        // i1 = 0, i2 = 1, i5 = 2, i3 = 3.
        assert_eq!(task.history, [(1, 1.0), (0, 2.0)]);
        assert_eq!((task.events, task.relevant.as_slice()), (3, &[3][..]));
        let all = Protocol {
            new_only: false,
            min_history: 0,
            ..protocol("temporal:5d")
        };
        let trial = all.prepare(&data).expect("fine");
        let relevant: Vec<_> = trial.tasks.iter().map(|t| t.relevant.as_slice()).collect();
        assert_eq!(relevant, [&[0, 3][..], &[2], &[1]]);
    }

    #[test]
    fn a_history_keeps_its_latest_items_and_the_others_are_not_recommended() {
        let data = data(&[(0, 1, 0), (0, 2, 1), (0, 1, 2), (0, 3, 9)]);
        let trial = |max_history| {
            let rules = Protocol {
                max_history: Some(max_history),
                ..protocol("leave-last")
            };
            rules.prepare(&data).expect("fine").tasks.remove(0)
        };
        assert_eq!(trial(1).history, [(0, 2.0)]);
        assert!(trial(0).history.is_empty() && trial(0).events == 0);
        assert_eq!(trial(0).excluded.len(), 2);
    }

    #[test]
    fn only_hidden_items_are_ranked_and_nothing_is_learned_of_them() {
        let events: Vec<_> = (0..20)
            .flat_map(|i| (0..4).map(move |u| (u, i, 0)))
            .collect();
        let held_out = (0..20).map(|i| (4, i, 9));
        let before = [(4, 0, 0), (4, 1, 0), (4, 2, 0)];
        let data = data(&[events, before.to_vec(), held_out.collect()].concat());
        let rules = Protocol {
            cold_items: Some(0.5),
            ..protocol("temporal:0.00000000005d")
        };
        let trial = rules.prepare(&data).expect("fine");
        let learned: RoaringBitmap = trial.train.iter().map(|i| i.item).collect();
        assert_eq!(learned.len(), 10);
        let task = trial.tasks.iter().find(|t| t.user == 4).expect("tested");
        assert!(task.relevant.iter().all(|item| !learned.contains(*item)));
        // Items that the user had before, hidden or not, are neither relevant nor ranked.
        let had = (0..3).filter(|item| !learned.contains(*item)).count();
        assert_eq!(task.relevant.len(), 10 - had);
        assert_eq!(task.unranked(20).len() as usize, 10 + had);
    }

    #[test]
    fn events_with_one_item_are_joined() {
        let data = data(&[(0, 1, 5), (0, 2, 1), (0, 1, 3)]);
        let joined = |weights: Weights| {
            let merged = weights.merged(&data.interactions);
            merged
                .iter()
                .map(|i| (i.item, i.weight, i.at))
                .collect::<Vec<_>>()
        };
        assert_eq!(joined(Weights::Sum), [(0, 2.0, 5), (1, 1.0, 1)]);
        assert_eq!(joined(Weights::One), [(0, 1.0, 5), (1, 1.0, 1)]);
        assert_eq!(joined(Weights::Log)[0].1, 3.0_f32.ln());
    }

    #[test]
    fn what_was_rejected_before_is_not_asked_for() {
        let mut data = data(&[(0, 1, 0), (0, 2, 100), (0, 3, 101)]);
        data.add("u0", "i2", None, 50);
        data.add("u0", "i3", None, 150);
        let trial = protocol("leave-last:2").prepare(&data).expect("fine");
        assert_eq!(trial.tasks[0].relevant, [2]);
        assert!(trial.tasks[0].excluded.contains(1) && !trial.tasks[0].excluded.contains(2));
    }

    #[test]
    fn nothing_to_do_is_said() {
        let lone = data(&[(0, 1, 7), (1, 1, 7)]);
        let error = protocol("temporal:30d")
            .prepare(&lone)
            .expect_err("all of it");
        assert!(
            matches!(error, EvaluateError::NothingToLearn { .. }),
            "{error}"
        );
        let error = protocol("leave-last").prepare(&lone).expect_err("one each");
        assert!(
            matches!(error, EvaluateError::NobodyToTest { .. }),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn nothing_leaks(
            events in prop::collection::vec((0_u32..6, 0_u32..12, 0_i64..40), 1..120),
            split in prop::sample::select(vec!["temporal:0.3", "temporal:0.00000000015d", "leave-last:2", "random:0.3"]),
            new_only in any::<bool>(),
        ) {
            let data = data(&events);
            let rules = Protocol { new_only, negatives: Some(3), ..protocol(split) };
            let Ok(trial) = rules.prepare(&data) else { return Ok(()) };
            prop_assert_eq!(trial.train.len() + trial.held_out, events.len());
            if let Some(cut) = trial.cut {
                prop_assert!(trial.train.iter().all(|i| i.at < cut), "learned from the future");
            }
            for task in &trial.tasks {
                let own: Vec<_> = trial.train.iter().filter(|i| i.user == task.user).collect();
                prop_assert_eq!(own.len(), task.events);
                prop_assert_eq!(task.history.iter().map(|(_, w)| *w as usize).sum::<usize>(), own.len());
                if new_only {
                    prop_assert!(task.relevant.iter().all(|r| own.iter().all(|i| i.item != *r)));
                }
                if split.starts_with("leave-last") {
                    let last = own.iter().map(|i| i.at).max().unwrap_or(i64::MIN);
                    let all = data.interactions.iter().filter(|i| i.user == task.user && i.at < last);
                    prop_assert!(all.count() <= own.len(), "something earlier was held out");
                }
                let ranked = data.items() as u64 - task.unranked(data.items()).len();
                prop_assert!(ranked <= task.relevant.len() as u64 + 3);
                prop_assert!(task.relevant.iter().all(|r| !task.unranked(data.items()).contains(*r)));
            }
        }
    }
}
