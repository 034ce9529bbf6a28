//! `train`: what a collection can learn from what it holds.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};
use vitrine::{Database, Options};

use super::Outcome;
use crate::{error::CommandError, sink::SinkError};

#[derive(Debug, Subcommand)]
pub(super) enum TrainCommand {
    /// Learn how behaviour, content and popularity are joined in one ranking.
    ///
    /// Models are fitted to the earlier four fifths of the stored events; how their scores are joined is learned from what
    /// half of the people of the last fifth chose, and judged by what the other half chose. It is used from then on only
    /// where it beats rank fusion and every source alone. Prints the figures as JSON; `promoted` says whether it is used.
    Blend(BlendArgs),
}

#[derive(Debug, Args)]
pub(super) struct BlendArgs {
    /// Data directory; no server may have it open.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Collection to learn from.
    #[arg(long, value_name = "NAME")]
    collection: String,
}

pub(super) fn run(command: &TrainCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let TrainCommand::Blend(args) = command;
    let options = Options {
        create: false,
        index_threads: 0,
        ..Options::default()
    };
    let database = Database::open(&args.data, options).map_err(SinkError::from)?;
    let collection = database
        .collection(&args.collection)
        .map_err(SinkError::from)?;
    let info = collection.train_blend().map_err(SinkError::from)?;
    let text = serde_json::to_string_pretty(&info).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(Outcome::Complete)
}
