//! What a training learns from, is stopped by and is decided on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::HeadArgs;
use crate::{
    error::CommandError,
    space::heads::Heads,
    train::{
        Choices, CoPurchases, Example, Pairs, TrainError, TrainingSet, Views, behavior,
        domains::within,
        guard::Judged,
        metrics::{measure, measure_co_purchases},
        session::{LEAST_HELD_OUT, judge_pairs},
        shuffled,
    },
};

/// Fewest items with text and photo, or people who chose several items, that heads are trained on.
const LEAST: usize = 5;

/// Pairs of text and photo, and items that the same people chose; of neither there may be none.
#[derive(Default)]
pub(super) struct Learned {
    pairs: Option<Pairs>,
    co_purchases: Option<CoPurchases>,
}

/// All parts of a training. What chooses the epoch must not decide on the promotion.
pub(super) struct Parts {
    pub target: Learned,
    pub stop: Learned,
    pub held_out: Learned,
    pub source: Learned,
    pub source_stop: Learned,
}

impl Learned {
    fn of(examples: &[Example], co_purchases: Option<CoPurchases>) -> Result<Self, TrainError> {
        let pairs = (!examples.is_empty()).then(|| Pairs::of(examples));
        Ok(Self {
            pairs: pairs.transpose()?,
            co_purchases: co_purchases.filter(|bought| !bought.people().is_empty()),
        })
    }

    pub fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            pairs: self.pairs.as_ref(),
            co_purchases: self.co_purchases.as_ref(),
        }
    }

    /// Number of pairs of text and photo.
    pub fn pairs(&self) -> usize {
        self.pairs.as_ref().map_or(0, Pairs::len)
    }

    /// Number of people who chose items that are a pair.
    pub fn people(&self) -> usize {
        self.co_purchases
            .as_ref()
            .map_or(0, |bought| bought.people().len())
    }

    pub fn judge(&self, heads: &Heads) -> Result<Judged, TrainError> {
        let pairs = self.pairs.as_ref().map(|pairs| judge_pairs(heads, pairs));
        let bought = self.co_purchases.as_ref().map(|bought| {
            Ok::<_, TrainError>(measure_co_purchases(&bought.fused(heads)?, bought)?)
        });
        Ok(Judged {
            pairs: pairs.transpose()?,
            co_purchases: bought.transpose()?,
        })
    }

    /// The space without heads.
    pub fn judge_untrained(&self) -> Result<Judged, TrainError> {
        let pairs = self.pairs.as_ref().map(|pairs| {
            let labels = pairs.has_labels().then_some(pairs.labels.as_slice());
            measure(&pairs.untrained[0], &pairs.untrained[1], labels)
        });
        let bought = match &self.co_purchases {
            Some(bought) => {
                let fused = bought.fused_untrained()?;
                fused
                    .map(|fused| measure_co_purchases(&fused, bought))
                    .transpose()?
            }
            None => None,
        };
        Ok(Judged {
            pairs: pairs.transpose()?,
            co_purchases: bought,
        })
    }

    fn size(&self) -> usize {
        self.pairs().max(self.people())
    }
}

/// Examples by what they are for.
struct Split {
    target: Vec<Example>,
    stop: Vec<Example>,
    held_out: Vec<Example>,
    source: Vec<Example>,
    source_stop: Vec<Example>,
}

impl Split {
    /// By a hash of the seed and their ids.
    fn of(args: &HeadArgs, views: &[Views]) -> Self {
        let examples = views.iter().filter_map(Views::example);
        let (own, others): (Vec<_>, Vec<_>) = examples.partition(|e| args.is_target(&e.category));
        let mut own = shuffled(own, args.seed);
        let out = |n: usize, share: f64| (n as f64 * share).round() as usize;
        let mut held_out = own.split_off(own.len() - out(own.len(), args.hold_out));
        let stop = Some(out(own.len(), 0.1)).filter(|n| *n >= LEAST_HELD_OUT);
        let stop = own.split_off(own.len() - stop.unwrap_or_default());
        // Too few pairs teach nothing beside what people chose.
        if own.len() < LEAST && args.co_purchases.is_some() {
            own.clear();
            held_out.clear();
        }
        let source = others.into_iter().filter(|e| args.is_source(&e.category));
        let mut source = shuffled(source.collect(), args.seed);
        let source_stop = source.split_off(source.len() - source.len() / 10);
        Self {
            target: own,
            stop,
            held_out,
            source,
            source_stop,
        }
    }
}

impl HeadArgs {
    fn is_target(&self, category: &str) -> bool {
        let target = self.target.as_deref();
        target.is_none_or(|target| within(category, target))
    }

    fn is_source(&self, category: &str) -> bool {
        let any = |s: &String| s == "*" || within(category, s);
        !self.is_target(category) && self.source_category.iter().any(any)
    }
}

impl Parts {
    /// Parts items by a hash of the seed and their ids, and people likewise.
    ///
    /// A person who is held out is no part of what is known of items by their behaviour. Items that are held out, or choose the
    /// epoch, are nobody's choice in training.
    pub fn of(args: &HeadArgs, views: &[Views], choices: Choices) -> Result<Self, CommandError> {
        let split = Split::of(args, views);
        let people = choices.parted(args.within_days, args.hold_out, args.seed);
        let (mut target, mut stop, mut held_out, mut source, mut source_stop) = Default::default();
        if args.co_purchases.is_some() {
            let behavior = Arc::new(behavior::features(&people.train, args.seed)?);
            let train = CoPurchases::of(views, &behavior, &people.train)?;
            let category = views.iter().map(|v| (v.id.as_str(), v.category.as_str()));
            let category: HashMap<&str, &str> = category.collect();
            let of = |id: &str| category.get(id).copied().unwrap_or_default();
            let judges = split
                .held_out
                .iter()
                .chain(&split.stop)
                .chain(&split.source_stop);
            let judges: HashSet<&str> = judges.map(|e| e.id.as_str()).collect();
            let is_judge = |id: &str| judges.contains(id);
            // The target's items with any of others; the source's among themselves.
            let in_target = |bought: CoPurchases, is_out: &dyn Fn(&str) -> bool| {
                Some(bought.restricted(|id| args.is_target(of(id)), is_out))
            };
            let in_source = |bought: CoPurchases, is_out: &dyn Fn(&str) -> bool| {
                let is_out = |id: &str| !args.is_source(of(id)) || is_out(id);
                Some(bought.restricted(|_| true, is_out))
            };
            let all = |_: &str| false;
            stop = in_target(train.chosen(&people.stop), &all);
            held_out = in_target(train.chosen(&people.held_out), &all);
            source = in_source(train.clone(), &is_judge);
            source_stop = in_source(train.chosen(&people.stop), &all);
            target = in_target(train, &is_judge);
        }
        let parts = Self {
            target: Learned::of(&split.target, target)?,
            stop: Learned::of(&split.stop, stop)?,
            held_out: Learned::of(&split.held_out, held_out)?,
            source: Learned::of(&split.source, source)?,
            source_stop: Learned::of(&split.source_stop, source_stop)?,
        };
        parts.check(args)?;
        Ok(parts)
    }

    /// People with items of different categories.
    pub fn people(&self) -> usize {
        self.target.people() + self.stop.people() + self.held_out.people()
    }

    fn check(&self, args: &HeadArgs) -> Result<(), TrainError> {
        if args.co_purchases.is_some() && self.target.people() < LEAST {
            return Err(TrainError::TooFew {
                what: "people who chose items of different categories of this catalog".to_owned(),
                found: self.target.people(),
                least: LEAST,
            });
        }
        let target = args.target.as_deref();
        if self.target.size() < LEAST {
            return Err(too_few(target, self.target.size()));
        }
        if args.transfer.is_some() && self.source.size() < LEAST {
            let category = args.source_category.join(", ");
            return Err(too_few(Some(&category), self.source.size()));
        }
        Ok(())
    }
}

fn too_few(category: Option<&str>, found: usize) -> TrainError {
    let place = category.map_or(String::new(), |c| format!(" in `{c}`"));
    TrainError::TooFew {
        what: format!("items with text and photo to train on{place}"),
        found,
        least: LEAST,
    }
}
