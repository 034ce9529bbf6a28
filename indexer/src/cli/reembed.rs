//! `reembed`: moves a collection of a running server to other encoders.

mod compare;
mod fill;

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use vitrine_schemas::ReembeddingInfo;

use super::{Outcome, target::Remote};
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum ReembedCommand {
    /// Start or resume: embed items that lack vectors of the new encoders, then compare them with
    /// the old ones.
    ///
    /// After a switch, run it with the old encoders to keep their spaces current for a rollback.
    ///
    /// The API key needs the actions read, write and admin.
    ///
    /// Prints a summary as JSON, then the comparison as tables. Exit status: 0 success, 3 some
    /// items could not be embedded or --switch was not carried out, 1 failure, 2 wrong usage.
    Run(Box<fill::RunArgs>),
    /// Compare the results of both sets of spaces for the same queries.
    Compare {
        #[command(flatten)]
        server: Remote,
        #[command(flatten)]
        queries: compare::QueryArgs,
    },
    /// Print the progress as JSON.
    Status {
        #[command(flatten)]
        server: Remote,
    },
    /// Switch searches to the new spaces. The old ones are kept current for a rollback.
    Switch {
        #[command(flatten)]
        server: Remote,
        /// Switch even if items lack vectors (searches do not find them) or the server cannot embed
        /// queries.
        #[arg(long)]
        force: bool,
    },
    /// Switch searches back to the old spaces.
    Rollback {
        #[command(flatten)]
        server: Remote,
        /// Switch back even if items lack vectors: searches do not find them.
        #[arg(long)]
        force: bool,
    },
    /// Drop the inactive spaces: the new ones before a switch, the old ones after it.
    End {
        #[command(flatten)]
        server: Remote,
    },
}

pub(super) fn run(command: &ReembedCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let info: ReembeddingInfo = match command {
        ReembedCommand::Run(args) => return fill::run(args, out),
        ReembedCommand::Compare { server, queries } => {
            let server = server.http();
            compare::run(&server, &server.reembedding()?, queries, out)?;
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
