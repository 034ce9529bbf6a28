//! `settings`: rules, synonyms, stop words and presets of a collection, in a file.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};

use super::Outcome;
use crate::{error::CommandError, settings, sink::HttpSink};

#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// Put the rules, synonyms, stop words and presets of a JSON file in the place of a collection's.
    ///
    /// What the file does not name stays as it is. A fault names line and field; what was sent before it stays set.
    /// Prints how many were set as JSON.
    Push {
        /// File with any of rules, synonyms, stop_words, presets.
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
    /// Print those of a collection as JSON, as push takes them.
    Pull {
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(super) struct Server {
    /// Running server, such as http://localhost:7280.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The server's API key; it needs the action read, and write to push.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Collection.
    #[arg(long, value_name = "NAME")]
    collection: String,
}

impl Server {
    fn http(&self) -> HttpSink {
        let key = self.api_key.clone().filter(|key| !key.is_empty());
        HttpSink::new(&self.server, &self.collection, key)
    }
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
