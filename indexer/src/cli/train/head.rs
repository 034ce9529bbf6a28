//! `train head`: a catalog in, heads out, in use where the guard lets them.

use std::{io::Write, path::Path, time::Instant};

use clap::Args;
use serde_json::json;

use super::super::{Outcome, catalog::Catalog};
use crate::{
    error::CommandError,
    space::{
        Encoders,
        heads::{self, Heads},
    },
    train::{
        Checkpoint, Epoch, Example, Pairs, Recipe, Report, Split, TrainError, Trained,
        domains::within,
        guard,
        metrics::measure,
        session::LEAST_HELD_OUT,
        shuffled,
        transfer::{Domains, Transfer, train_fresh, transfer},
    },
};

/// Fewest items with text and photo that heads are trained on.
const LEAST_PAIRS: usize = 5;

#[derive(Debug, Args)]
pub(in crate::cli) struct HeadArgs {
    #[command(flatten)]
    catalog: Catalog,
    /// Name of the heads, a folder under heads/ in the folder of the models [default: the first number not taken].
    #[arg(long)]
    name: Option<String>,
    /// Carry knowledge over from --source-category to --target: `feature` (the source's heads stay, a new last layer
    /// is trained), `model` (they are the start), `finetune` (L = L_s + lambda * L_t).
    #[arg(long, value_enum, requires = "source_category", requires = "target")]
    transfer: Option<Transfer>,
    /// Category to learn from, or several; `*`: all but the target.
    #[arg(long, value_name = "CATEGORY", requires = "transfer")]
    source_category: Vec<String>,
    /// Category the heads are for; all items where it is left out.
    #[arg(long, value_name = "CATEGORY")]
    target: Option<String>,
    /// Weight of the target's loss in `finetune`.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive, requires = "transfer")]
    lambda: f64,
    /// Share of the items that is held out: the decision is made on it.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15, value_parser = share)]
    hold_out: f64,
    /// Most epochs.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().epochs)]
    epochs: usize,
    /// Pairs a step.
    #[arg(long, value_name = "N", default_value_t = Recipe::default().batch)]
    batch: usize,
    /// Highest learning rate.
    #[arg(long, value_name = "X", default_value_t = Recipe::default().rate)]
    rate: f32,
    /// Decides everything random, the split too.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads to train with [default: all].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Put the heads into use where the guard promotes them; else `vitrine-indexer heads use` does.
    #[arg(long)]
    activate: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(x),
        _ => Err("must be a number above 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.01..=0.5).contains(&x) => Ok(x),
        _ => Err("must be 0.01 to 0.5".to_owned()),
    }
}

/// The target's examples by what they are for, and those of the source.
struct Parts {
    train: Vec<Example>,
    stop: Vec<Example>,
    held_out: Vec<Example>,
    source: Vec<Example>,
}

impl HeadArgs {
    fn recipe(&self) -> Recipe {
        Recipe {
            epochs: self.epochs.max(1),
            batch: self.batch.max(2),
            rate: self.rate,
            seed: self.seed,
            ..Recipe::default()
        }
    }

    fn split(&self, examples: Vec<Example>) -> Result<Parts, CommandError> {
        let of = |domain: &str, e: &Example| within(&e.category, domain);
        let (own, others): (Vec<_>, Vec<_>) = examples
            .into_iter()
            .partition(|e| self.target.as_deref().is_none_or(|t| of(t, e)));
        let mut own = shuffled(own, self.seed);
        let out = |n: usize, share: f64| (n as f64 * share).round() as usize;
        let held_out = own.split_off(own.len() - out(own.len(), self.hold_out));
        // What chooses the epoch must not decide on the promotion.
        let stop = Some(out(own.len(), 0.1)).filter(|n| *n >= LEAST_HELD_OUT);
        let stop = own.split_off(own.len() - stop.unwrap_or_default());
        if own.len() < LEAST_PAIRS {
            return Err(too_few(self.target.as_deref(), own.len()).into());
        }
        let wanted = |e: &&Example| {
            let any = |s: &String| s == "*" || of(s, e);
            self.source_category.iter().any(any)
        };
        let source: Vec<Example> = others.iter().filter(wanted).cloned().collect();
        if self.transfer.is_some() && source.len() < LEAST_PAIRS {
            let category = self.source_category.join(", ");
            return Err(too_few(Some(&category), source.len()).into());
        }
        Ok(Parts {
            train: own,
            stop,
            held_out,
            source,
        })
    }

    fn train(
        &self,
        encoders: &Encoders,
        parts: &Parts,
        folder: &Path,
    ) -> Result<(Trained, Option<Heads>), TrainError> {
        let recipe = self.recipe();
        let base = encoders.base_fingerprint();
        let (target, stop) = (Pairs::of(&parts.train)?, pairs(&parts.stop)?);
        let checkpoint = Checkpoint::new(&folder.join("checkpoint.safetensors"));
        let alone = train_fresh(
            base,
            &recipe,
            &target,
            stop.as_ref(),
            Some(&checkpoint),
            &mut say("training"),
        )?;
        let Some(how) = self.transfer else {
            return Ok((alone, None));
        };
        let mut rest = shuffled(parts.source.clone(), self.seed);
        let source_stop = pairs(&rest.split_off(rest.len() - rest.len() / 10))?;
        let source = Pairs::of(&rest)?;
        let checkpoint = Checkpoint::new(&folder.join("source.safetensors"));
        let from = train_fresh(
            base,
            &recipe,
            &source,
            source_stop.as_ref(),
            Some(&checkpoint),
            &mut say("source"),
        )?;
        let domains = Domains {
            source_heads: &from.heads,
            source: &source,
            target: &target,
            held_out: stop.as_ref(),
        };
        let trained = transfer(how, &domains, &recipe, self.lambda, &mut say("transfer"))?;
        Ok((trained, Some(alone.heads)))
    }
}

fn too_few(category: Option<&str>, found: usize) -> TrainError {
    let place = category.map_or(String::new(), |c| format!(" in `{c}`"));
    TrainError::TooFew {
        what: format!("items with text and photo to train on{place}"),
        found,
        least: LEAST_PAIRS,
    }
}

fn pairs(examples: &[Example]) -> Result<Option<Pairs>, TrainError> {
    (!examples.is_empty())
        .then(|| Pairs::of(examples))
        .transpose()
}

/// Logs epochs.
fn say(what: &'static str) -> impl FnMut(&Epoch) {
    move |e| {
        let score = e.held_out.map(|q| (q.score * 1000.0).round() / 1000.0);
        tracing::info!(
            epoch = e.epoch,
            loss = format!("{:.4}", e.loss),
            score,
            "{what}"
        );
    }
}

pub(super) fn run(args: &HeadArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let models = args.catalog.models.dir.path();
    let name = free_name(&models, args.name.as_deref())?;
    let folder = heads::folder(&models, &name)?;
    let items = args.catalog.items()?;
    let (encoders, examples, counts) = args.catalog.examples(&items)?;
    let parts = args.split(examples)?;
    let started = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or(0));
    let pool = pool
        .build()
        .map_err(|e| TrainError::Recipe(format!("--threads: {e}")))?;
    let (trained, alone) = pool.install(|| args.train(&encoders, &parts, &folder))?;
    let seconds = started.elapsed().as_secs_f64();

    let decision = decide(
        &models,
        &encoders,
        &parts.held_out,
        &trained.heads,
        alone.as_ref(),
    )?;
    trained.heads.save(&folder)?;
    let report = Report {
        heads: name.clone(),
        transfer: args.transfer,
        recipe: args.recipe(),
        items: counts,
        split: Split {
            train: parts.train.len(),
            stop: parts.stop.len(),
            held_out: parts.held_out.len(),
        },
        curve: trained.curve,
        best_epoch: trained.best,
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

/// A name that no finished heads have: those in use must not change under a running server.
fn free_name(models: &Path, wanted: Option<&str>) -> Result<String, CommandError> {
    let taken = heads::list(models)?;
    match wanted {
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

/// Measures the candidate beside the heads in use (or the space without any) and, after a transfer, beside heads trained
/// on the target alone.
fn decide(
    models: &Path,
    encoders: &Encoders,
    held_out: &[Example],
    candidate: &Heads,
    alone: Option<&Heads>,
) -> Result<guard::Decision, CommandError> {
    let pairs = Pairs::of(held_out)?;
    let labels = pairs.has_labels().then_some(pairs.labels.as_slice());
    let of = |heads: &Heads| -> Result<_, TrainError> {
        let (text, photo) = (
            heads.text.embed(&pairs.text)?,
            heads.photo.embed(&pairs.photo)?,
        );
        Ok(measure(&text, &photo, labels)?)
    };
    let current = match heads::active(models)? {
        Some(name) => {
            let heads = Heads::load(&heads::folder(models, &name)?, encoders.base_fingerprint())?;
            ("the heads in use", of(&heads)?)
        }
        None => {
            let [text, photo] = &pairs.untrained;
            ("the space without heads", measure(text, photo, labels)?)
        }
    };
    let mut rivals = vec![current];
    if let Some(alone) = alone {
        rivals.push(("training on the target alone", of(alone)?));
    }
    let rivals: Vec<_> = rivals.iter().map(|(name, m)| (*name, m)).collect();
    Ok(guard::decide(&of(candidate)?, &rivals))
}
