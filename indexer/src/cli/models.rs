//! `models` and `sample`: what is fetched, by the package registries' own clients, and only when asked.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{ModelsDir, Outcome};
use crate::{
    encode::{bert::Prefixes, describe},
    error::CommandError,
    models,
    space::selection::{self, Selection},
};

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
    /// Say what the model in a folder is, after loading it whole; prints JSON.
    ///
    /// A folder in the form of Hugging Face or sentence-transformers. One that cannot be used is refused with what is
    /// missing or wrong.
    Inspect {
        /// Folder of the model: one of the models folder by its name, else a path.
        folder: PathBuf,
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Put the model in a folder to use, for what it takes: text, image, or both; prints what is in use as JSON.
    ///
    /// Collections filled before keep their vectors and refuse others: index them anew.
    Use(UseArgs),
    /// Put the models that `get` gets back to use.
    Default {
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Check the models' files against their checksums. Exit status: 0 all well, 1 some file is not.
    Verify {
        #[command(flatten)]
        dir: ModelsDir,
    },
}

#[derive(Debug, Args)]
pub(super) struct UseArgs {
    /// Folder of the model: one of the models folder by its name, else a path.
    folder: PathBuf,
    /// What to put before searches, in place of what the folder says (e5: "query: ").
    #[arg(long, value_name = "TEXT")]
    query_prefix: Option<String>,
    /// What to put before texts to be found, in place of what the folder says (e5: "passage: ").
    #[arg(long, value_name = "TEXT")]
    document_prefix: Option<String>,
    #[command(flatten)]
    dir: ModelsDir,
}

impl UseArgs {
    /// One given alone leaves the other empty.
    fn prefixes(&self) -> Option<Prefixes> {
        let given = self.query_prefix.is_some() || self.document_prefix.is_some();
        given.then(|| Prefixes {
            query: self.query_prefix.clone().unwrap_or_default(),
            document: self.document_prefix.clone().unwrap_or_default(),
        })
    }
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
        ModelsCommand::Inspect { folder, dir } => {
            let (folder, _) = selection::find(&dir.path(), folder)?;
            write_json(out, &describe(&folder)?)
        }
        ModelsCommand::Use(args) => {
            let models_dir = args.dir.path();
            // Loaded before it is chosen: a folder that does not load must not keep the server from starting.
            describe(&selection::find(&models_dir, &args.folder)?.0)?;
            let mut selection = Selection::load(&models_dir)?;
            selection.choose(&models_dir, &args.folder, args.prefixes())?;
            selection.save(&models_dir)?;
            write_json(out, &selection)
        }
        ModelsCommand::Default { dir } => {
            Selection::default().save(&dir.path())?;
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

fn write_json(out: &mut dyn Write, value: &impl Serialize) -> Result<Outcome, CommandError> {
    writeln!(out, "{}", serde_json::json!(value))?;
    Ok(Outcome::Complete)
}

pub(super) fn sample(command: &SampleCommand) -> Result<Outcome, CommandError> {
    let SampleCommand::Get { name, dir } = command;
    match name {
        Sample::Shop => models::get_sample(dir)?,
        Sample::Grocery => models::get_grocery(dir)?,
    }
    Ok(Outcome::Complete)
}
