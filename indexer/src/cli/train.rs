//! `train`: what is learned from a catalog or from what a collection holds.

mod head;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use vitrine::{Database, Options, Training};
use vitrine_schemas::ModelChoice;

use super::Outcome;
use crate::{error::CommandError, sink::SinkError};

#[derive(Debug, Subcommand)]
pub(super) enum TrainCommand {
    /// Train the models of behaviour of a collection, and have them answer from the next start.
    ///
    /// Prints what was trained, from what and how well it foretold held-out events, as JSON. Exit status: 0 all well, 1
    /// failure, 2 wrong usage.
    Cf(CfArgs),
    /// Learn how behaviour, content and popularity are joined in one ranking.
    ///
    /// Models are fitted to the earlier four fifths of the stored events; how their scores are joined is learned from what
    /// half of the people of the last fifth chose, and judged by what the other half chose. It is used from then on only
    /// where it beats rank fusion and every source alone. Prints the figures as JSON; `promoted` says whether it is used.
    Blend(BlendArgs),
    /// Train heads: how texts, photos and behaviour reach the shared space.
    ///
    /// Learns from items that have text and photo and, with --co-purchases, from what people chose together, on the frozen
    /// encoders' features (cached on disk). A part of the items and of the people is held out: the heads are promoted only
    /// where they beat those in use on it, and with --transfer also training on the target alone. Run it again after a kill and it goes on where it was. Heads put into use count from the next start
    /// of a program on; their vectors are another space, so collections are
    /// taken over with `reembed`, or indexed anew.
    ///
    /// Prints the report as JSON. Exit status: 0 all well, promoted or not (see `decision`), 1 failure, 2 wrong usage.
    Head(Box<head::HeadArgs>),
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

#[derive(Debug, Args)]
pub(super) struct CfArgs {
    /// Data directory; no server may have it open.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Collection whose events are learned from.
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Model; as the collection is configured where it is left out.
    #[arg(long, value_enum)]
    model: Option<Model>,
    /// Parameter of the model, such as factors=64; may be given several times.
    #[arg(long = "param", value_name = "K=V", value_parser = parameter)]
    parameters: Vec<(String, Value)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Model {
    Auto,
    ItemKnn,
    GraphFilter,
    Ease,
    Ials,
}

fn parameter(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write it as k=v")?;
    let parsed = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((key.to_owned(), parsed))
}

pub(super) fn run(command: &TrainCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        TrainCommand::Cf(args) => cf(args, out),
        TrainCommand::Blend(args) => blend(args, out),
        TrainCommand::Head(args) => head::run(args, out),
    }
}

/// Opens a directory in which nothing but what is asked for is trained.
fn open(data: &Path) -> vitrine::Result<Database> {
    let options = Options {
        create: false,
        index_threads: 0,
        ..Options::default()
    };
    Database::open(data, options)
}

fn blend(args: &BlendArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let database = open(&args.data).map_err(SinkError::from)?;
    let collection = database
        .collection(&args.collection)
        .map_err(SinkError::from)?;
    let info = collection.train_blend().map_err(SinkError::from)?;
    let text = serde_json::to_string_pretty(&info).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(Outcome::Complete)
}

fn cf(args: &CfArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let train = || -> vitrine::Result<_> {
        let database = open(&args.data)?;
        let collection = database.collection(&args.collection)?;
        let info = collection.train(&Training {
            model: args.model.map(|model| match model {
                Model::Auto => ModelChoice::Auto,
                Model::ItemKnn => ModelChoice::ItemKnn,
                Model::GraphFilter => ModelChoice::GraphFilter,
                Model::Ease => ModelChoice::Ease,
                Model::Ials => ModelChoice::Ials,
            }),
            parameters: args.parameters.iter().cloned().collect::<Map<_, _>>(),
        })?;
        database.flush()?;
        Ok(info)
    };
    let info = train().map_err(SinkError::from)?;
    writeln!(out, "{}", json!(info))?;
    Ok(Outcome::Complete)
}
