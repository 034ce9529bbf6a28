//! `models` and `sample`: what is fetched, by the package registries' own clients, and only when asked.

use std::{io::Write, path::PathBuf};

use clap::{Subcommand, ValueEnum};

use super::{ModelsDir, Outcome};
use crate::{error::CommandError, models};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// Name the models that can be got: name, kind, licence, source.
    List,
    /// Get models, pinned by version and sha256; all where none is named.
    Get {
        /// Models to get.
        names: Vec<String>,
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Check the models' files against their checksums. Exit status: 0 all well, 1 some file is not.
    Verify {
        #[command(flatten)]
        dir: ModelsDir,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SampleCommand {
    /// Get a sample: products to index and, with the grocery, events to import.
    Get {
        /// Which one.
        #[arg(long, value_enum, default_value = "shop")]
        name: Sample,
        /// Folder to put it in.
        #[arg(long)]
        dir: PathBuf,
    },
}

/// The samples there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sample {
    /// A small shop: products.csv (--format vendure) and photos.
    Shop,
    /// A grocery with a year of purchases of 800 households: products.jsonl and events.jsonl.
    Grocery,
}

pub(super) fn run(command: &ModelsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        ModelsCommand::List => {
            for model in models::list() {
                let (name, kind, licence) = (model.name, model.kind, model.licence);
                writeln!(out, "{name}\t{kind}\t{licence}\t{}", model.source())?;
            }
            Ok(Outcome::Complete)
        }
        ModelsCommand::Get { names, dir } => {
            models::get(names, &dir.path(), &mut |line| eprintln!("{line}"))?;
            Ok(Outcome::Complete)
        }
        ModelsCommand::Verify { dir } => {
            let lines = models::verify(&dir.path())?;
            for line in &lines {
                let state = line.problem.as_deref().unwrap_or("ok");
                writeln!(out, "{}/{}\t{state}", line.model, line.file)?;
            }
            let well = lines.iter().all(|line| line.problem.is_none());
            Ok(if well {
                Outcome::Complete
            } else {
                Outcome::Failed
            })
        }
    }
}

pub(super) fn sample(command: &SampleCommand) -> Result<Outcome, CommandError> {
    let SampleCommand::Get { name, dir } = command;
    match name {
        Sample::Shop => models::get_sample(dir)?,
        Sample::Grocery => models::get_grocery(dir)?,
    }
    Ok(Outcome::Complete)
}
