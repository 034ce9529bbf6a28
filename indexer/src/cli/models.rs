//! `models` and `sample`: downloads with the clients of the package registries, only on request.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{ModelsDir, Outcome};
use crate::{
    encode::{describe, text::bert::Prefixes},
    error::CommandError,
    models::{self, Preset},
    space::selection::{self, Selection},
};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models that can be fetched: name, kind, license, source.
    List,
    /// Fetch models, pinned by version and sha256; those of a preset if none is named.
    ///
    /// `hf:OWNER/NAME` and `hf:OWNER/NAME@REVISION` are repositories of the Hugging Face Hub, or of
    /// the server in `HF_ENDPOINT`. Commit and checksums are recorded in the model's folder.
    Get {
        /// Models or repositories to fetch.
        names: Vec<String>,
        /// Models to fetch if none is named.
        #[arg(long, value_enum, default_value_t, conflicts_with = "names")]
        preset: Preset,
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Describe the model in a folder after loading it completely; prints JSON.
    ///
    /// The folder has the layout of Hugging Face or sentence-transformers. A folder that cannot be
    /// used is rejected with a list of missing or invalid files.
    Inspect {
        /// Folder of the model: a name within the models folder, or a path.
        folder: PathBuf,
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Select the model in a folder for its modalities: text, image, or both; prints the selection
    /// as JSON.
    ///
    /// Existing collections keep their vectors and reject others: index them again.
    Use(UseArgs),
    /// Select the default models, those that `get` fetches.
    Default {
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Check the models' files against their checksums. Exit status: 0 all files match, 1 some file
    /// does not.
    Verify {
        #[command(flatten)]
        dir: ModelsDir,
    },
}

#[derive(Debug, Args)]
pub(super) struct UseArgs {
    /// Folder of the model: a name within the models folder, or a path.
    folder: PathBuf,
    /// Prefix of queries, overrides the one of the folder (e5: "query: ").
    #[arg(long, value_name = "TEXT")]
    query_prefix: Option<String>,
    /// Prefix of indexed texts, overrides the one of the folder (e5: "passage: ").
    #[arg(long, value_name = "TEXT")]
    document_prefix: Option<String>,
    #[command(flatten)]
    dir: ModelsDir,
}

impl UseArgs {
    /// Returns the prefixes; one given alone leaves the other empty.
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
    /// Fetch a sample: products to index and, for the grocery, events to import.
    Get {
        /// Sample to fetch.
        #[arg(long, value_enum, default_value = "shop")]
        name: Sample,
        /// Folder to write it to.
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Available samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sample {
    /// Small shop: products.csv (--format vendure) and images.
    Shop,
    /// Grocery with a year of purchases of 800 households: products.jsonl and events.jsonl.
    Grocery,
}

pub(super) fn run(command: &ModelsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        ModelsCommand::List => {
            for model in models::list() {
                let (name, kind, license) = (model.name, model.kind, model.license);
                writeln!(out, "{name}\t{kind}\t{license}\t{}", model.source())?;
            }
            Ok(Outcome::Complete)
        }
        ModelsCommand::Get { names, preset, dir } => {
            models::get(names, *preset, &dir.path(), &mut |line| eprintln!("{line}"))?;
            Ok(Outcome::Complete)
        }
        ModelsCommand::Inspect { folder, dir } => {
            let (folder, _) = selection::find(&dir.path(), folder)?;
            write_json(out, &describe(&folder)?)
        }
        ModelsCommand::Use(args) => {
            let models_dir = args.dir.path();
            // Loaded before it is selected: a folder that does not load must not keep the server
            // from starting.
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
