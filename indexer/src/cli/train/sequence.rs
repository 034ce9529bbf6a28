//! `train sequence`: a network on the order of the choices in a collection.

use std::{io::Write, path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::json;
use vitrine::{Error, Sequences, Training, cf::SequenceModel};

use super::open;
use crate::{
    cli::{Outcome, evaluate::positive},
    error::CommandError,
    evaluate::{
        HoldOut,
        sequence::{NextItemStudy, SequenceData},
    },
    sink::SinkError,
    train::sequence::{SequenceRecipe, SequenceTrainer},
};

#[derive(Debug, Args)]
pub struct SequenceArgs {
    /// Data directory; no server may have it open.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Collection to learn from.
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Length of item vectors and of the state.
    #[arg(long, value_name = "N", default_value_t = SequenceRecipe::default().dim, value_parser = positive)]
    dim: usize,
    /// Maximum number of epochs.
    #[arg(long, value_name = "N", default_value_t = SequenceRecipe::default().epochs, value_parser = positive)]
    epochs: usize,
    /// Number of epochs without a gain after which training stops.
    #[arg(long, value_name = "N", default_value_t = SequenceRecipe::default().patience, value_parser = positive)]
    patience: usize,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &SequenceArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let recipe = SequenceRecipe {
        dim: args.dim,
        epochs: args.epochs,
        patience: args.patience,
        seed: args.seed,
        ..SequenceRecipe::default()
    };
    let database = open(&args.data).map_err(SinkError::from)?;
    let collection = database
        .collection(&args.collection)
        .map_err(SinkError::from)?;
    let learned = collection.sequences();
    let name = format!("collection {}", args.collection);
    let data = SequenceData::of_sequences(&name, learned.items, &learned.sequences);
    let study = NextItemStudy {
        hold_out: HoldOut::Last(1),
        recipe: Some(recipe),
        resamples: 1000,
        seed: args.seed,
    };
    let report = study.run(&data, &mut |line| eprintln!("{line}"))?;
    let promoted = report.gain_of_network().is_some_and(|gain| gain.low > 0.0);
    let mut model = None;
    if promoted {
        let trainer = SequenceTrainer {
            recipe: &recipe,
            items: learned.items,
            sequences: &learned.sequences,
        };
        let network = trainer.fit(report.epochs, &mut |epoch| eprintln!("gru: {epoch}"))?;
        let training = Training {
            network: Some(Arc::new(network)),
            ..Training::default()
        };
        let info = collection.train(&training).map_err(SinkError::from)?;
        database.flush().map_err(SinkError::from)?;
        model = Some(info);
    }
    let answer = json!({"promoted": promoted, "model": model, "report": report});
    let text = serde_json::to_string_pretty(&answer).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(Outcome::Complete)
}

/// Trains a network with the default hyperparameters, for the learning of a blend.
pub(super) fn train_on(learned: &Sequences) -> Result<Option<SequenceModel>, Error> {
    let trainer = SequenceTrainer {
        recipe: &SequenceRecipe::default(),
        items: learned.items,
        sequences: &learned.sequences,
    };
    let trained = trainer.run(&mut |epoch| eprintln!("gru: {epoch}"));
    let trained = trained.map_err(|e| Error::invalid("/network", e.to_string()))?;
    Ok(Some(trained.model))
}
