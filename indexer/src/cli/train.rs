//! `train`: learns from a catalog or from the items and events of a collection.

mod head;
mod rank;
mod sequence;

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
    /// Train the behavior models of a collection; they are used from the next start.
    ///
    /// Prints the model, its training data and its accuracy on held-out events as JSON. Exit
    /// status: 0 success, 1 failure, 2 wrong usage.
    Cf(CfArgs),
    /// Learn how behavior, content and popularity are combined in one ranking.
    ///
    /// Models are fitted to the earlier 80 % of the stored events; the blend of their scores is
    /// learned from the choices of half of the users of the last 20 %, and evaluated on those of
    /// the other half. It is used only if it beats rank fusion and every single source. Prints the
    /// metrics as JSON; `promoted` is true if it is used.
    Blend(BlendArgs),
    /// Train heads: projections of texts, images and behavior into the shared space.
    ///
    /// Learns from items with text and image and, with --co-purchases, from items that the same
    /// users chose, on the features of the frozen encoders (cached on disk). A part of the items
    /// and of the users is held out: heads are promoted only if they beat the active heads on it
    /// and, with --transfer, also training on the target alone. Interrupted runs resume. Activated
    /// heads take effect at the next start of a program; their vectors form another space, so
    /// collections are moved with `reembed`, or indexed again.
    ///
    /// Prints the report as JSON. Exit status: 0 success, promoted or not (see `decision`), 1
    /// failure, 2 wrong usage.
    Head(Box<head::HeadArgs>),
    /// Train a network on the order of choices, and use it where it helps.
    ///
    /// The last item of each user is held out, and a GRU with tied item vectors is trained on the
    /// rest. It is promoted only if it improves the blend of sequential rules and VS-kNN, with the
    /// 95 % interval of the gain in nDCG@10 above 0, and then trained on all items. Prints the
    /// curve on standard error and the report as JSON. Exit status: 0 success, promoted or not (see
    /// `promoted`), 1 failure, 2 wrong usage.
    Sequence(sequence::SequenceArgs),
    /// Train a ranker that ranks the first hits of searches by text again.
    ///
    /// Learns from judgments, or from searches with clicks, which are corrected for position bias.
    /// Each query is ranked by a model of the other folds; the ranker is activated only if the 95 %
    /// interval of its gain in nDCG@10 is above 0. Prints the held-out table. Exit status: 0
    /// success, activated or not, 1 failure, 2 wrong usage.
    Rank(Box<rank::RankArgs>),
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
    /// Collection to learn from.
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Model [default: as configured in the collection].
    #[arg(long, value_enum)]
    model: Option<Model>,
    /// Parameter of the model, such as factors=64; may be repeated.
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
    let (key, value) = text.split_once('=').ok_or("expected k=v")?;
    let parsed = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((key.to_owned(), parsed))
}

pub(super) fn run(command: &TrainCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        TrainCommand::Cf(args) => cf(args, out),
        TrainCommand::Blend(args) => blend(args, out),
        TrainCommand::Head(args) => head::run(args, out),
        TrainCommand::Sequence(args) => sequence::run(args, out),
        TrainCommand::Rank(args) => rank::run(args, out),
    }
}

/// Opens a data directory without background training.
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
    let train_network = &sequence::train_on;
    let info = collection
        .train_blend_with(train_network)
        .map_err(SinkError::from)?;
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
            network: None,
        })?;
        database.flush()?;
        Ok(info)
    };
    let info = train().map_err(SinkError::from)?;
    writeln!(out, "{}", json!(info))?;
    Ok(Outcome::Complete)
}
