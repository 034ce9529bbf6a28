//! `reembed`: a collection of a running server goes over to other encoders.

mod compare;
mod fill;

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;
use vitrine_schemas::ReembeddingInfo;

use super::Outcome;
use crate::{error::CommandError, sink::HttpSink};

#[derive(Debug, Subcommand)]
pub(super) enum ReembedCommand {
    /// Begin, or go on: embed what lacks vectors of the new encoders, then compare with those from before.
    ///
    /// After a switch, the same with the encoders from before fills their spaces for a rollback.
    ///
    /// Prints a summary as JSON, then the comparison as tables. Exit status: 0 all well, 3 some items could not be
    /// embedded or --switch was not carried out, 1 failure, 2 wrong usage.
    Run(Box<fill::RunArgs>),
    /// Ask both sets of spaces the same questions.
    Compare {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        questions: compare::Questions,
    },
    /// Say how far it is, as JSON.
    Status {
        #[command(flatten)]
        server: Server,
    },
    /// Have searches see the new spaces. Those from before are kept up for a rollback.
    Switch {
        #[command(flatten)]
        server: Server,
        /// Also where items lack vectors, or the server could not embed queries: searches do not find them.
        #[arg(long)]
        force: bool,
    },
    /// Have searches see the spaces from before the switch again.
    Rollback {
        #[command(flatten)]
        server: Server,
        /// Also where items lack vectors: searches do not find them.
        #[arg(long)]
        force: bool,
    },
    /// Drop the spaces that searches do not see: before a switch the new ones, after it those from before.
    End {
        #[command(flatten)]
        server: Server,
    },
}

/// The collection.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Running server, such as http://localhost:7280.
    #[arg(long, value_name = "URL", value_parser = super::target::address)]
    server: String,
    /// The server's API key; it needs the actions read, write and admin.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Collection that is re-embedded.
    #[arg(long, value_name = "NAME")]
    collection: String,
}

impl Server {
    fn http(&self) -> HttpSink {
        let key = self.api_key.clone().filter(|key| !key.is_empty());
        HttpSink::new(&self.server, &self.collection, key)
    }
}

pub(super) fn run(command: &ReembedCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let info: ReembeddingInfo = match command {
        ReembedCommand::Run(args) => return fill::run(args, out),
        ReembedCommand::Compare { server, questions } => {
            let server = server.http();
            compare::run(&server, &server.reembedding()?, questions, out)?;
            return Ok(Outcome::Complete);
        }
        ReembedCommand::End { server } => {
            server.http().end()?;
            return Ok(Outcome::Complete);
        }
        ReembedCommand::Status { server } => server.http().reembedding()?,
        ReembedCommand::Switch { server, force } => server.http().switch(*force)?,
        ReembedCommand::Rollback { server, force } => server.http().roll_back(*force)?,
    };
    writeln!(out, "{}", json!(info))?;
    Ok(Outcome::Complete)
}
