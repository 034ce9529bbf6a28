//! `federate join`: a shop in a training, which adopts the heads if they win on its own held-out
//! pairs.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::json;

use super::SharedKey;
use crate::{
    cli::{Outcome, catalog::Catalog},
    error::CommandError,
    federate::{
        Features, FederateError,
        http::{Api, Member, Progress},
    },
    space::heads::{self, Heads},
    train::{
        ItemFeatures, Pairs, TrainError,
        guard::{self, Decision, HeldOutScores},
        metrics::measure,
        shuffled,
        trainer::evaluate_pairs,
    },
};

#[derive(Debug, Args)]
pub(in crate::cli) struct JoinArgs {
    /// URL of the coordinator.
    #[arg(long, value_name = "URL")]
    coordinator: String,
    #[command(flatten)]
    shared: SharedKey,
    /// PEM file with the certificate that the coordinator's is checked against [default: public
    /// authorities].
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name of this shop, which the coordinator logs.
    #[arg(long, value_name = "NAME")]
    shop: String,
    #[command(flatten)]
    catalog: Catalog,
    /// Share of the items that is held out for the decision of the guard.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    hold_out: f64,
    /// Name of the heads, a folder under heads/ in the folder of the models.
    #[arg(long, value_name = "NAME", default_value = "federated")]
    name: String,
    /// Activate the heads if the guard promotes them; otherwise use `vitrine-indexer heads use`.
    #[arg(long)]
    activate: bool,
    /// Seed of the split and of the local trainings [default: from the name of the shop].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Seconds for which a coordinator that cannot be reached is tried again.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
}

pub(super) fn run(args: &JoinArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let models = args.catalog.models.dir.path();
    let folder = heads::folder(&models, &args.name)?;
    if heads::list(&models)?.contains(&args.name) {
        let name = args.name.clone();
        return Err(CommandError::HeadsExist { name });
    }
    if !(0.01..=0.5).contains(&args.hold_out) {
        let reason = format!("--hold-out: expected 0.01 to 0.5, got {}", args.hold_out);
        return Err(CommandError::Usage(reason));
    }
    let items = args.catalog.items()?;
    let (encoders, views, _) = args.catalog.views(&items)?;
    let seed = args.seed.unwrap_or_else(|| seed_of(&args.shop));
    let mut train = shuffled(
        views.iter().filter_map(ItemFeatures::example).collect(),
        seed,
    );
    let out_count = (train.len() as f64 * args.hold_out).round() as usize;
    let held_out = train.split_off(train.len() - out_count);
    let (train, held_out) = (Pairs::of(&train)?, Pairs::of(&held_out)?);
    let patience = Duration::from_secs(args.patience);
    let api = Api::new(
        &args.coordinator,
        &args.shared.key,
        args.ca.as_deref(),
        patience,
    )?;
    let member = Member {
        api: &api,
        shop: args.shop.clone(),
        features: Features {
            encoders: encoders.base_fingerprint().to_owned(),
            text: encoders.text_width(),
            image: encoders.image_width(),
        },
        pairs: &train,
        seed,
    };
    let finished = member.run(&mut |progress| {
        if let Progress::Trained { round, norm } = progress {
            tracing::info!(round, norm = format!("{norm:.4}"), "trained");
        }
    })?;
    let decision = decide(
        &models,
        encoders.base_fingerprint(),
        &held_out,
        &finished.heads,
    )?;
    finished.heads.save(&folder)?;
    heads::write_json(&folder.join("decision.json"), &decision)?;
    heads::write_json(&folder.join("federation.json"), &finished.plan)?;
    let in_use = decision.promoted && args.activate;
    if in_use {
        heads::activate(&models, Some(&args.name))?;
    }
    let digest = finished.heads.digest()?;
    let report = json!({
        "in_use": in_use, "heads": args.name, "digest": digest, "decision": decision,
    });
    writeln!(out, "{report}")?;
    Ok(Outcome::Complete)
}

/// Returns a seed that shops with other names do not have.
fn seed_of(shop: &str) -> u64 {
    let hash = blake3::hash(shop.as_bytes());
    u64::from_le_bytes(std::array::from_fn(|i| hash.as_bytes()[i]))
}

/// Compares the heads with those in use, or with the space without heads, on the shop's own pairs.
fn decide(
    models: &Path,
    encoders: &str,
    held_out: &Pairs,
    candidate: &Heads,
) -> Result<Decision, CommandError> {
    let scores = |heads: &Heads| -> Result<HeldOutScores, FederateError> {
        Ok(evaluate_pairs(heads, held_out)
            .map_err(TrainError::from)?
            .into())
    };
    let (rival, baseline) = match heads::active(models)? {
        Some(name) => {
            let active = Heads::load(&heads::folder(models, &name)?, encoders)?;
            ("the heads in use", scores(&active)?)
        }
        None => {
            let labels = held_out.has_labels().then_some(held_out.labels.as_slice());
            let [text, image] = &held_out.untrained;
            (
                "the space without heads",
                measure(text, image, labels)?.into(),
            )
        }
    };
    Ok(guard::decide(&scores(candidate)?, &[(rival, &baseline)]))
}
