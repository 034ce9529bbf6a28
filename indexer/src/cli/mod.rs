//! Commands and their flags. Each command is a thin function over the library; results go to
//! standard output as JSON or lines, everything else to standard error.

mod catalog;
mod doctor;
mod domains;
mod dry_run_report;
mod embed;
mod evaluate;
mod events;
mod federate;
mod heads;
mod index;
mod models;
mod reembed;
mod settings;
mod target;
mod train;
mod transcribe;

use std::{io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::error::CommandError;
use crate::space::{Encoders, ModelError, Precision};

/// Reads catalogs, embeds images and text, fills collections of a Vitrine database.
///
/// RUST_LOG sets the log level of standard error (default: info).
#[derive(Debug, Parser)]
#[command(name = "vitrine-indexer", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Index a catalog into a collection.
    ///
    /// May be repeated at any time: unchanged items are skipped, and interrupted runs resume.
    ///
    /// Prints a summary as JSON. Exit status: 0 success, 3 some records were rejected (see
    /// --rejects), 1 failure, 2 wrong usage.
    Index(Box<index::IndexArgs>),
    /// Import behavior events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Learn from a catalog or from the items and events of a collection.
    #[command(subcommand)]
    Train(train::TrainCommand),
    /// Train heads together with other shops, none of which shows its data.
    #[command(subcommand)]
    Federate(federate::FederateCommand),
    /// Embed a text or an image; prints the vectors as JSON.
    Embed(embed::EmbedArgs),
    /// Turn recordings of speech into texts; prints one line of JSON per file.
    ///
    /// Exit status: 0 success, 3 some recordings cannot be used, 1 failure, 2 wrong usage.
    Transcribe(transcribe::TranscribeArgs),
    /// Rank the categories that a category could learn from, best first.
    ///
    /// Prints JSON: similarity, volume, users in common, the expected benefit and its explanation.
    Domains(domains::DomainsArgs),
    /// List, activate or deactivate trained heads.
    #[command(subcommand)]
    Heads(heads::HeadsCommand),
    /// List, fetch, inspect, select or verify the encoders.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Fetch sample data.
    #[command(subcommand)]
    Sample(models::SampleCommand),
    /// Set rules, synonyms, stop words and presets from a file, or save them to a file.
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Evaluate recommendations or searches.
    #[command(subcommand)]
    Evaluate(evaluate::EvaluateCommand),
    /// Move a collection of a running server to other encoders or heads while it serves.
    ///
    /// Searches use the old spaces until they are switched, and use them again after a rollback.
    /// Interrupted runs resume. Nothing is switched unless requested.
    #[command(subcommand)]
    Reembed(reembed::ReembedCommand),
    /// Check that this machine can embed: processor, memory, models.
    ///
    /// Prints one line per check, each problem with a fix. Exit status: 0 success, 1 some check
    /// failed.
    Doctor(ModelsDir),
}

/// Folder of the encoders.
#[derive(Debug, Args)]
struct ModelsDir {
    /// Folder of the models [default: $VITRINE_MODELS, else ~/.cache/vitrine/models].
    #[arg(long, value_name = "DIR")]
    models_dir: Option<PathBuf>,
}

/// Encoders to load.
#[derive(Debug, Args)]
struct Models {
    #[command(flatten)]
    dir: ModelsDir,
    /// Numeric precision of the text encoder; collections cannot mix precisions.
    #[arg(long, value_enum, default_value_t)]
    precision: Precision,
}

impl Models {
    fn load(&self) -> Result<Encoders, ModelError> {
        Encoders::load(&self.dir.path(), self.precision)
    }
}

impl ModelsDir {
    fn path(&self) -> PathBuf {
        self.models_dir
            .clone()
            .unwrap_or_else(crate::models::default_dir)
    }
}

/// Outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Success.
    Complete,
    /// Done, but some records were rejected.
    Partial,
    /// A check failed.
    Failed,
}

/// Runs a command; its result is written to `out`.
///
/// # Errors
/// The command failed; the message gives the reason and how to fix it.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match cli.command {
        Command::Index(args) => index::run(&args, out),
        Command::Events(command) => events::run(&command, out),
        Command::Train(command) => train::run(&command, out),
        Command::Federate(command) => federate::run(&command, out),
        Command::Embed(args) => embed::run(&args, out),
        Command::Transcribe(args) => transcribe::run(&args, out),
        Command::Domains(args) => domains::run(&args, out),
        Command::Heads(command) => heads::run(&command, out),
        Command::Models(command) => models::run(&command, out),
        Command::Sample(command) => models::sample(&command),
        Command::Settings(command) => settings::run(&command, out),
        Command::Evaluate(command) => evaluate::run(&command, out),
        Command::Reembed(command) => reembed::run(&command, out),
        Command::Doctor(dir) => doctor::run(&dir.path(), out),
    }
}
