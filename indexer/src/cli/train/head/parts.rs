//! Data of a training: pairs to learn from, for early stopping, and for the decision of the guard.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::HeadArgs;
use crate::{
    error::CommandError,
    space::heads::Heads,
    train::{
        Choices, CoPurchases, Example, ItemFeatures, Pairs, TrainError, TrainingSet, behavior,
        domains::within,
        guard::HeldOutScores,
        metrics::{measure, measure_co_purchases},
        shuffled,
        trainer::{MIN_HELD_OUT, evaluate_pairs},
    },
};

/// Minimum number of items with text and image, or of users who chose several items, to train on.
const MIN_PAIRS: usize = 5;

/// Pairs of text and image, and co-purchases; either may be absent.
#[derive(Default)]
pub(super) struct LearningSet {
    pairs: Option<Pairs>,
    co_purchases: Option<CoPurchases>,
}

/// All parts of a training. Data for early stopping must not decide on the promotion.
pub(super) struct TrainingParts {
    pub target: LearningSet,
    pub stop: LearningSet,
    pub held_out: LearningSet,
    pub source: LearningSet,
    pub source_stop: LearningSet,
}

impl LearningSet {
    fn of(examples: &[Example], co_purchases: Option<CoPurchases>) -> Result<Self, TrainError> {
        let pairs = (!examples.is_empty()).then(|| Pairs::of(examples));
        Ok(Self {
            pairs: pairs.transpose()?,
            co_purchases: co_purchases.filter(|bought| !bought.users().is_empty()),
        })
    }

    pub fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            pairs: self.pairs.as_ref(),
            co_purchases: self.co_purchases.as_ref(),
        }
    }

    /// Number of pairs of text and image.
    pub fn pairs(&self) -> usize {
        self.pairs.as_ref().map_or(0, Pairs::len)
    }

    /// Number of users with a pair of chosen items.
    pub fn users(&self) -> usize {
        self.co_purchases
            .as_ref()
            .map_or(0, |bought| bought.users().len())
    }

    pub fn measure(&self, heads: &Heads) -> Result<HeldOutScores, TrainError> {
        let pairs = self
            .pairs
            .as_ref()
            .map(|pairs| evaluate_pairs(heads, pairs));
        let bought = self.co_purchases.as_ref().map(|bought| {
            Ok::<_, TrainError>(measure_co_purchases(&bought.fused(heads)?, bought)?)
        });
        Ok(HeldOutScores {
            pairs: pairs.transpose()?,
            co_purchases: bought.transpose()?,
        })
    }

    /// Measures the space without heads.
    pub fn measure_untrained(&self) -> Result<HeldOutScores, TrainError> {
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
        Ok(HeldOutScores {
            pairs: pairs.transpose()?,
            co_purchases: bought,
        })
    }

    fn size(&self) -> usize {
        self.pairs().max(self.users())
    }
}

/// Examples by purpose.
struct Split {
    target: Vec<Example>,
    stop: Vec<Example>,
    held_out: Vec<Example>,
    source: Vec<Example>,
    source_stop: Vec<Example>,
}

impl Split {
    /// Splits by a hash of the seed and the item ids.
    fn of(args: &HeadArgs, views: &[ItemFeatures]) -> Self {
        let examples = views.iter().filter_map(ItemFeatures::example);
        let (target, others): (Vec<_>, Vec<_>) =
            examples.partition(|e| args.is_target(&e.category));
        let mut target = shuffled(target, args.seed);
        let out = |n: usize, share: f64| (n as f64 * share).round() as usize;
        let mut held_out = target.split_off(target.len() - out(target.len(), args.hold_out));
        let stop = Some(out(target.len(), 0.1)).filter(|n| *n >= MIN_HELD_OUT);
        let stop = target.split_off(target.len() - stop.unwrap_or_default());
        // Too few pairs add nothing to co-purchases.
        if target.len() < MIN_PAIRS && args.co_purchases.is_some() {
            target.clear();
            held_out.clear();
        }
        let source = others.into_iter().filter(|e| args.is_source(&e.category));
        let mut source = shuffled(source.collect(), args.seed);
        let source_stop = source.split_off(source.len() - source.len() / 10);
        Self {
            target,
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

impl TrainingParts {
    /// Splits items by a hash of the seed and their ids, and users likewise.
    ///
    /// Behavior features of items exclude held-out users. Items that are held out, or used for
    /// early stopping, are excluded from the choices of training.
    pub fn of(
        args: &HeadArgs,
        views: &[ItemFeatures],
        choices: Choices,
    ) -> Result<Self, CommandError> {
        let split = Split::of(args, views);
        let users = choices.split(args.within_days, args.hold_out, args.seed);
        let (mut target, mut stop, mut held_out, mut source, mut source_stop) = Default::default();
        if args.co_purchases.is_some() {
            let behavior = Arc::new(behavior::features(&users.train, args.seed)?);
            let train = CoPurchases::of(views, &behavior, &users.train)?;
            let category = views.iter().map(|v| (v.id.as_str(), v.category.as_str()));
            let category: HashMap<&str, &str> = category.collect();
            let of = |id: &str| category.get(id).copied().unwrap_or_default();
            let excluded = split
                .held_out
                .iter()
                .chain(&split.stop)
                .chain(&split.source_stop);
            let excluded: HashSet<&str> = excluded.map(|e| e.id.as_str()).collect();
            let is_excluded = |id: &str| excluded.contains(id);
            // Items of the target paired with any others; items of the source only with each other.
            let in_target = |bought: CoPurchases, is_out: &dyn Fn(&str) -> bool| {
                Some(bought.restricted(|id| args.is_target(of(id)), is_out))
            };
            let in_source = |bought: CoPurchases, is_out: &dyn Fn(&str) -> bool| {
                let is_out = |id: &str| !args.is_source(of(id)) || is_out(id);
                Some(bought.restricted(|_| true, is_out))
            };
            let none = |_: &str| false;
            stop = in_target(train.with_choices(&users.stop), &none);
            held_out = in_target(train.with_choices(&users.held_out), &none);
            source = in_source(train.clone(), &is_excluded);
            source_stop = in_source(train.with_choices(&users.stop), &none);
            target = in_target(train, &is_excluded);
        }
        let parts = Self {
            target: LearningSet::of(&split.target, target)?,
            stop: LearningSet::of(&split.stop, stop)?,
            held_out: LearningSet::of(&split.held_out, held_out)?,
            source: LearningSet::of(&split.source, source)?,
            source_stop: LearningSet::of(&split.source_stop, source_stop)?,
        };
        parts.check(args)?;
        Ok(parts)
    }

    /// Number of users with items of different categories.
    pub fn users(&self) -> usize {
        self.target.users() + self.stop.users() + self.held_out.users()
    }

    fn check(&self, args: &HeadArgs) -> Result<(), TrainError> {
        if args.co_purchases.is_some() && self.target.users() < MIN_PAIRS {
            return Err(TrainError::TooFew {
                what: "users who chose items of different categories of this catalog".to_owned(),
                found: self.target.users(),
                min: MIN_PAIRS,
            });
        }
        let target = args.target.as_deref();
        if self.target.size() < MIN_PAIRS {
            return Err(too_few(target, self.target.size()));
        }
        if args.transfer.is_some() && self.source.size() < MIN_PAIRS {
            let category = args.source_category.join(", ");
            return Err(too_few(Some(&category), self.source.size()));
        }
        Ok(())
    }
}

fn too_few(category: Option<&str>, count: usize) -> TrainError {
    let place = category.map_or(String::new(), |c| format!(" in `{c}`"));
    TrainError::TooFew {
        what: format!("items with text and image to train on{place}"),
        found: count,
        min: MIN_PAIRS,
    }
}
