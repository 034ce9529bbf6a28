//! `train head`: trains heads on a catalog, and activates them if the guard promotes them.

mod parts;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use serde_json::json;

use self::parts::{LearningSet, TrainingParts};
use super::super::{Outcome, catalog::Catalog};
use crate::{
    error::CommandError,
    events::micros,
    source::events::{self, EventMapping},
    space::{
        Encoders,
        heads::{self, Heads},
    },
    train::{
        Checkpoint, Choices, Epoch, Recipe, Report, Split, TrainError, Trained, guard,
        private::{Account, Privacy, train_private},
        transfer::{Domains, Transfer, train_fresh, transfer},
    },
};

#[derive(Debug, Args)]
pub(in crate::cli) struct HeadArgs {
    #[command(flatten)]
    catalog: Catalog,
    /// Name of the heads, a folder under heads/ in the folder of the models [default: the first
    /// free number].
    #[arg(long)]
    name: Option<String>,
    /// Transfer knowledge from --source-category to --target: `feature` (the source's heads are
    /// frozen, a new last layer is trained), `model` (training starts from them), `finetune` (L =
    /// L_s + lambda * L_t).
    #[arg(long, value_enum, requires = "source_category", requires = "target")]
    transfer: Option<Transfer>,
    /// Category to learn from; may be repeated; `*`: all but the target.
    #[arg(long, value_name = "CATEGORY", requires = "transfer")]
    source_category: Vec<String>,
    /// Category that the heads are for [default: all items].
    #[arg(long, value_name = "CATEGORY")]
    target: Option<String>,
    /// Weight of the target's loss in `finetune`.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive, requires = "transfer")]
    lambda: f64,
    /// Also learn from items that the same users chose: from the events of this file or, without a
    /// file, from those of the collection. The vectors of items then include behavior.
    #[arg(long, value_name = "EVENTS", num_args = 0..=1)]
    co_purchases: Option<Option<PathBuf>>,
    /// Days from a first choice within which choices of a user are paired [default: unlimited].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..), requires = "co_purchases")]
    within_days: Option<u32>,
    /// TOML file that maps the columns of the event file to fields of an event.
    #[arg(long, value_name = "FILE", requires = "co_purchases")]
    events_mapping: Option<PathBuf>,
    /// Weight of the co-purchase loss, relative to that of texts and their images.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().co_purchase_weight, value_parser = positive, requires = "co_purchases")]
    co_purchase_weight: f64,
    /// Strength of the logQ (popularity) correction of the co-purchase loss: 1 = similarity is
    /// conditional probability, so popular items are near to many; 0 = similarity is lift.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().popularity_correction, value_parser = fraction, requires = "co_purchases")]
    popularity_correction: f64,
    /// Train privately: the heads hardly depend on any group of some pairs of text and image, by
    /// differential privacy with this epsilon. Needs many items.
    #[arg(long, value_name = "EPSILON", conflicts_with_all = ["transfer", "co_purchases"])]
    private_epsilon: Option<f64>,
    /// Probability of a greater privacy loss.
    #[arg(long, value_name = "DELTA", default_value_t = Privacy::default().delta, requires = "private_epsilon")]
    private_delta: f64,
    /// Mean number of pairs of a group; all of them are protected together.
    #[arg(long, value_name = "N", default_value_t = Privacy::default().group, requires = "private_epsilon")]
    private_group: usize,
    /// Share of the items, and of the users, that is held out for the decision of the guard.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15, value_parser = share)]
    hold_out: f64,
    /// Maximum number of epochs.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().epochs)]
    epochs: usize,
    /// Pairs per step.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().batch)]
    batch: usize,
    /// Maximum learning rate.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().rate)]
    rate: f32,
    /// Random seed, also of the split.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of training threads [default: all].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Activate the heads if the guard promotes them; otherwise use `vitrine-indexer heads use`.
    #[arg(long)]
    activate: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(x),
        _ => Err("must be a number above 0".to_owned()),
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("must be 0 to 1".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.01..=0.5).contains(&x) => Ok(x),
        _ => Err("must be 0.01 to 0.5".to_owned()),
    }
}

impl HeadArgs {
    fn recipe(&self) -> Recipe {
        Recipe {
            epochs: self.epochs.max(1),
            batch: self.batch.max(2),
            rate: self.rate,
            seed: self.seed,
            co_purchase_weight: self.co_purchase_weight,
            popularity_correction: self.popularity_correction,
            ..Recipe::default()
        }
    }

    /// Returns the choices of each user; empty without --co-purchases.
    fn choices(&self) -> Result<Choices, CommandError> {
        let mut choices = Choices::default();
        let Some(place) = &self.co_purchases else {
            return Ok(choices);
        };
        if let Some(path) = place {
            let mapping = match &self.events_mapping {
                Some(path) => EventMapping::load(path)?,
                None => EventMapping::default(),
            };
            let mut unread = 0;
            for record in events::open(path, None, &mapping, self.catalog.name())? {
                match record?.event {
                    Ok(event) => {
                        let at = micros(&event).ok().flatten();
                        choices.add(&event, at.unwrap_or_default());
                    }
                    Err(_) => unread += 1,
                }
            }
            if unread > 0 {
                tracing::warn!(
                    unread,
                    "events skipped; `events import` reports the reasons"
                );
            }
        } else if let Some(collection) = self.catalog.stored()? {
            collection.for_each_event(|at, event| choices.add(&event, at))?;
        } else {
            let reason =
                "--co-purchases: name an event file, or a collection by --data and --collection";
            return Err(TrainError::Recipe(reason.to_owned()).into());
        }
        Ok(choices)
    }

    /// Trains, privately if an epsilon is given.
    fn train(
        &self,
        encoders: &Encoders,
        parts: &TrainingParts,
        folder: &Path,
    ) -> Result<Learned, TrainError> {
        if let Some(epsilon) = self.private_epsilon {
            return self.train_private(epsilon, encoders, parts);
        }
        let recipe = self.recipe();
        let fresh = |of: &LearningSet, stop: &LearningSet, file: &str, what| {
            let base = encoders.base_fingerprint();
            let checkpoint = Checkpoint::new(&folder.join(file));
            let (from, stop) = (of.set(), stop.set());
            train_fresh(
                base,
                &recipe,
                from,
                stop,
                Some(&checkpoint),
                &mut log_epochs(what),
            )
        };
        let alone = fresh(
            &parts.target,
            &parts.stop,
            "checkpoint.safetensors",
            "training",
        )?;
        let Some(method) = self.transfer else {
            return Ok(Learned::new(alone));
        };
        let source = fresh(
            &parts.source,
            &parts.source_stop,
            "source.safetensors",
            "source",
        )?;
        let domains = Domains {
            source_heads: &source.heads,
            source: parts.source.set(),
            target: parts.target.set(),
            held_out: parts.stop.set(),
        };
        let trained = transfer(
            method,
            &domains,
            &recipe,
            self.lambda,
            &mut log_epochs("transfer"),
        )?;
        Ok(Learned {
            alone: Some(alone.heads),
            ..Learned::new(trained)
        })
    }

    fn train_private(
        &self,
        epsilon: f64,
        encoders: &Encoders,
        parts: &TrainingParts,
    ) -> Result<Learned, TrainError> {
        let privacy = Privacy {
            epsilon,
            delta: self.private_delta,
            group: self.private_group,
            ..Privacy::default()
        };
        let pairs = parts.target.set().pairs;
        let pairs = pairs.ok_or_else(|| TrainError::TooFew {
            what: "items with text and image for a private training".to_owned(),
            found: 0,
            min: 1,
        })?;
        let base = encoders.base_fingerprint();
        let private = train_private(base, &self.recipe(), &privacy, pairs)?;
        let trained = Trained {
            heads: private.heads,
            curve: Vec::new(),
            best: 0,
        };
        Ok(Learned {
            account: Some(private.account),
            ..Learned::new(trained)
        })
    }
}

/// Result of a training.
struct Learned {
    trained: Trained,
    /// Heads trained on the target alone, after a transfer.
    alone: Option<Heads>,
    /// Cost of a private training.
    account: Option<Account>,
}

impl Learned {
    fn new(trained: Trained) -> Self {
        Self {
            trained,
            alone: None,
            account: None,
        }
    }
}

/// Logs epochs.
fn log_epochs(what: &'static str) -> impl FnMut(&Epoch) {
    move |e| {
        let round = |x: f64| (x * 1000.0).round() / 1000.0;
        let score = e.held_out.map(|q| round(q.score));
        let co_purchases = e.co_purchases.map(round);
        tracing::info!(
            epoch = e.epoch,
            loss = format!("{:.4}", e.loss),
            score,
            co_purchases,
            "{what}"
        );
    }
}

pub(super) fn run(args: &HeadArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let models = args.catalog.models.dir.path();
    let name = free_name(&models, args.name.as_deref())?;
    let folder = heads::folder(&models, &name)?;
    let items = args.catalog.items()?;
    let (encoders, views, counts) = args.catalog.views(&items)?;
    let parts = TrainingParts::of(args, &views, args.choices()?)?;
    let started = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or(0));
    let pool = pool
        .build()
        .map_err(|e| TrainError::Recipe(format!("--threads: {e}")))?;
    let learned = pool.install(|| args.train(&encoders, &parts, &folder))?;
    let (trained, alone) = (learned.trained, learned.alone);
    let seconds = started.elapsed().as_secs_f64();

    let decision = decide(&models, &encoders, &parts, &trained.heads, alone.as_ref())?;
    trained.heads.save(&folder)?;
    let report = Report {
        heads: name.clone(),
        transfer: args.transfer,
        recipe: args.recipe(),
        items: counts,
        split: Split {
            train: parts.target.pairs(),
            stop: parts.stop.pairs(),
            held_out: parts.held_out.pairs(),
            users: parts.users(),
        },
        curve: trained.curve,
        best_epoch: trained.best,
        privacy: learned.account,
        seconds: (seconds * 10.0).round() / 10.0,
        decision,
    };
    report.save(&folder)?;
    let in_use = report.decision.promoted && args.activate;
    if in_use {
        heads::activate(&models, Some(&name))?;
    }
    writeln!(out, "{}", json!({"in_use": in_use, "report": report}))?;
    Ok(Outcome::Complete)
}

/// Returns a name without finished heads: active heads must not change under a running server.
fn free_name(models: &Path, requested: Option<&str>) -> Result<String, CommandError> {
    let taken = heads::list(models)?;
    match requested {
        Some(name) if taken.iter().any(|t| t == name) => {
            let name = name.to_owned();
            Err(CommandError::HeadsExist { name })
        }
        Some(name) => Ok(name.to_owned()),
        None => Ok((1..=taken.len() + 1)
            .map(|n| n.to_string())
            .find(|n| !taken.contains(n))
            .unwrap_or_default()),
    }
}

/// Compares the candidate with the active heads (or the space without heads) and, after a transfer,
/// with heads trained on the target alone.
fn decide(
    models: &Path,
    encoders: &Encoders,
    parts: &TrainingParts,
    candidate: &Heads,
    alone: Option<&Heads>,
) -> Result<guard::Decision, CommandError> {
    let held_out = &parts.held_out;
    let current = match heads::active(models)? {
        Some(name) => {
            let heads = Heads::load(&heads::folder(models, &name)?, encoders.base_fingerprint())?;
            ("the heads in use", held_out.measure(&heads)?)
        }
        None => ("the space without heads", held_out.measure_untrained()?),
    };
    let mut baselines = vec![current];
    if let Some(alone) = alone {
        baselines.push(("training on the target alone", held_out.measure(alone)?));
    }
    let baselines: Vec<_> = baselines
        .iter()
        .map(|(name, metrics)| (*name, metrics))
        .collect();
    Ok(guard::decide(&held_out.measure(candidate)?, &baselines))
}
