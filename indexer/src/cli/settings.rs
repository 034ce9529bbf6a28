//! `settings`: rules, synonyms, stop words and presets of a collection, in a file.

use std::{io::Write, path::PathBuf};

use clap::Subcommand;

use super::{Outcome, target::Remote};
use crate::{error::CommandError, settings};

#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// Replace the rules, synonyms, stop words and presets of a collection with those of a JSON
    /// file.
    ///
    /// Settings that the file does not name are unchanged. An error names line and field; settings
    /// sent before it stay set. Prints the number of settings set as JSON. The API key needs the
    /// action write.
    Push {
        /// File with any of rules, synonyms, stop_words, presets.
        file: PathBuf,
        #[command(flatten)]
        server: Remote,
    },
    /// Print the settings of a collection as JSON, in the format of push. The API key needs the
    /// action read.
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
