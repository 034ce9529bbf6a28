//! `settings`: rules, synonyms, stop words and presets of a collection, in a file.

use std::{io::Write, path::PathBuf};

use clap::Subcommand;

use super::{Outcome, target::Remote};
use crate::{error::CommandError, settings};

#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// Put the rules, synonyms, stop words and presets of a JSON file in the place of a collection's.
    ///
    /// What the file does not name stays as it is. A fault names line and field; what was sent before it stays set.
    /// Prints how many were set as JSON. The API key needs the action write.
    Push {
        /// File with any of rules, synonyms, stop_words, presets.
        file: PathBuf,
        #[command(flatten)]
        server: Remote,
    },
    /// Print those of a collection as JSON, as push takes them. The API key needs the action read.
    Pull {
        #[command(flatten)]
        server: Remote,
    },
}

pub(super) fn run(command: &SettingsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let text = match command {
        SettingsCommand::Push { file, server } => {
            serde_json::to_string(&settings::push(file, &server.http())?)
        }
        SettingsCommand::Pull { server } => {
            serde_json::to_string_pretty(&settings::pull(&server.http())?)
        }
    };
    writeln!(out, "{}", text.map_err(std::io::Error::other)?)?;
    Ok(Outcome::Complete)
}
