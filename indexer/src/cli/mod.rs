//! Commands and their flags. Each command is a thin function over the library; results go to standard output as JSON
//! or lines, everything else to standard error.

mod catalog;
mod doctor;
mod domains;
mod embed;
mod evaluate;
mod events;
mod heads;
mod index;
mod models;
mod reembed;
mod settings;
mod target;
mod train;

use std::{io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::error::CommandError;
use crate::space::{Encoders, ModelError, Precision};

/// Reads catalogs, embeds photos and text, fills collections of a Vitrine database.
///
/// RUST_LOG sets what is logged to standard error (default: info).
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
    /// Run it again at any time: unchanged items are skipped, and a run that was killed goes on where it was.
    ///
    /// Prints a summary as JSON. Exit status: 0 all well, 3 something was refused (see --rejects), 1 failure, 2 wrong
    /// usage.
    Index(Box<index::IndexArgs>),
    /// Import behaviour events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Learn from a catalog or from what a collection holds.
    #[command(subcommand)]
    Train(train::TrainCommand),
    /// Embed a text or a photo; prints the vectors as JSON.
    Embed(embed::EmbedArgs),
    /// Rank the categories that a category could learn from, best first.
    ///
    /// Prints JSON: similarity, volume, people who touched both, what to expect and why.
    Domains(domains::DomainsArgs),
    /// List trained heads, put some into use, or none.
    #[command(subcommand)]
    Heads(heads::HeadsCommand),
    /// List, get, inspect, choose or verify the encoders.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Get sample data.
    #[command(subcommand)]
    Sample(models::SampleCommand),
    /// Set rules, synonyms, stop words and presets from a file, or save them to one.
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Measure how good answers are.
    #[command(subcommand)]
    Evaluate(evaluate::EvaluateCommand),
    /// Take a collection of a running server over to other encoders or heads while it serves.
    ///
    /// Searches see the spaces from before until they are switched, and see them again after a rollback. A run that was killed
    /// goes on where it was. Nothing is switched unless asked for.
    #[command(subcommand)]
    Reembed(reembed::ReembedCommand),
    /// Check that this machine can embed: processor, memory, models.
    ///
    /// A line a check, each problem with its mend. Exit status: 0 all well, 1 some problem.
    Doctor(ModelsDir),
}

/// Where the encoders are.
#[derive(Debug, Args)]
struct ModelsDir {
    /// Folder of the models [default: $VITRINE_MODELS, else ~/.cache/vitrine/models].
    #[arg(long, value_name = "DIR")]
    models_dir: Option<PathBuf>,
}

/// The encoders to load.
#[derive(Debug, Args)]
struct Models {
    #[command(flatten)]
    dir: ModelsDir,
    /// Numbers the text encoder computes in; vectors of one are not searched with vectors of another.
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

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All well.
    Complete,
    /// Done, but something was refused.
    Partial,
    /// What was checked is not well.
    Failed,
}

/// Carries out a command; its result goes to `out`.
///
/// # Errors
/// It could not be carried out; the message says why and how to mend it.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match cli.command {
        Command::Index(args) => index::run(&args, out),
        Command::Events(command) => events::run(&command, out),
        Command::Train(command) => train::run(&command, out),
        Command::Embed(args) => embed::run(&args, out),
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
