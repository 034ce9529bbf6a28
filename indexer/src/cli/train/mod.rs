//! `train`: what is learned from a catalog or from behaviour, one file a kind.

mod head;

use std::io::Write;

use clap::Subcommand;

use super::Outcome;
use crate::error::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum TrainCommand {
    /// Train heads: how texts and photos reach the shared space.
    ///
    /// Learns from items that have both, on the frozen encoders' features (cached on disk). A part of the items is held
    /// out: the heads are promoted only where they beat those in use on it, and with --transfer also training on the
    /// target alone. Run it again after a kill and it goes on where it was. Heads put into use count from the next start
    /// of a program on; their vectors are another space, so collections have to be indexed anew.
    ///
    /// Prints the report as JSON. Exit status: 0 all well, promoted or not (see `decision`), 1 failure, 2 wrong usage.
    Head(Box<head::HeadArgs>),
}

pub(super) fn run(command: &TrainCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        TrainCommand::Head(args) => head::run(args, out),
    }
}
