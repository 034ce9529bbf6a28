//! `evaluate sequence`: models of the order of choices on held-out next items.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::{Behavior, create, positive, write_json};
use crate::{
    cli::Outcome,
    error::CommandError,
    evaluate::{
        Dataset, HoldOut,
        sequence::{NextItemStudy, SequenceData},
    },
    train::sequence::SequenceRecipe,
};

#[derive(Debug, Args)]
pub struct SequenceArgs {
    /// File with a line for each user: the user, then their items in the order of time, separated
    /// by spaces; plain or gzip. May be repeated.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "events",
        conflicts_with = "events"
    )]
    sequences: Vec<PathBuf>,
    #[command(flatten)]
    behavior: Behavior,
    /// Held-out items: leave-last:N (of each user; the first of them is predicted),
    /// temporal:SHARE (the latest), temporal:DAYSd.
    #[arg(long, value_name = "SPLIT", default_value = "leave-last:1")]
    split: HoldOut,
    /// Leave the network out, whose training takes minutes.
    #[arg(long)]
    without_network: bool,
    /// Maximum number of epochs of the network.
    #[arg(long, value_name = "N", default_value_t = SequenceRecipe::default().epochs, value_parser = positive)]
    epochs: usize,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(args: &SequenceArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    // Created before the evaluation, so that an unwritable path fails early.
    let json = args.json.as_deref().map(create).transpose()?;
    let recipe = SequenceRecipe {
        epochs: args.epochs,
        seed: args.seed,
        ..SequenceRecipe::default()
    };
    let study = NextItemStudy {
        hold_out: args.split,
        recipe: (!args.without_network).then_some(recipe),
        resamples: args.resamples,
        seed: args.seed,
    };
    let mut reports = Vec::new();
    for data in args.data()? {
        let report = study.run(&data, &mut |line| eprintln!("{line}"))?;
        writeln!(out, "{}\n", report.text())?;
        reports.push(report);
    }
    write_json(json, &reports)?;
    Ok(if reports.iter().all(|report| report.refused == 0) {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}

impl SequenceArgs {
    fn data(&self) -> Result<Vec<SequenceData>, CommandError> {
        if let Some(path) = &self.behavior.events {
            let data: Dataset = self.behavior.read(path)?;
            return Ok(vec![SequenceData::of(&data)]);
        }
        let read = |path: &PathBuf| {
            SequenceData::read(path).map_err(|source| CommandError::File {
                path: path.clone(),
                source,
            })
        };
        self.sequences.iter().map(read).collect()
    }
}
