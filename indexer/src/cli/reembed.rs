//! `reembed`: a collection of a running server goes over to other encoders.

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
    /// Begin, or go on: embed what lacks vectors of the new encoders, then compare with those from before.
    ///
    /// After a switch, the same with the encoders from before fills their spaces for a rollback.
    ///
    /// The API key needs the actions read, write and admin.
    ///
    /// Prints a summary as JSON, then the comparison as tables. Exit status: 0 all well, 3 some items could not be
    /// embedded or --switch was not carried out, 1 failure, 2 wrong usage.
    Run(Box<fill::RunArgs>),
    /// Ask both sets of spaces the same questions.
    Compare {
        #[command(flatten)]
        server: Remote,
        #[command(flatten)]
        questions: compare::Questions,
    },
    /// Say how far it is, as JSON.
    Status {
        #[command(flatten)]
        server: Remote,
    },
    /// Have searches see the new spaces. Those from before are kept up for a rollback.
    Switch {
        #[command(flatten)]
        server: Remote,
        /// Also where items lack vectors, or the server could not embed queries: searches do not find them.
        #[arg(long)]
        force: bool,
    },
    /// Have searches see the spaces from before the switch again.
    Rollback {
        #[command(flatten)]
        server: Remote,
        /// Also where items lack vectors: searches do not find them.
        #[arg(long)]
        force: bool,
    },
    /// Drop the spaces that searches do not see: before a switch the new ones, after it those from before.
    End {
        #[command(flatten)]
        server: Remote,
    },
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
