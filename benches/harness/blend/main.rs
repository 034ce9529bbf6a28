//! Blend of candidate sources: the learned blend against each source, and the weights that are used
//! before any learning.
//!
//!     make bench-blend
//!     make bench-prior

mod cold;
mod films;
mod grocery;
mod prior;
mod retail;
mod vectors;
mod young;

use std::{error::Error, path::PathBuf};

use clap::{Parser, Subcommand};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Folder for the cached vectors of titles.
    #[arg(long, global = true, default_value = ".")]
    cache: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Online Retail with all events, with 1,000, with none, and with hidden items.
    Retail(retail::Args),
    /// Default weights before any learning, tuned on other data.
    Prior(prior::Args),
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let cache = &args.cache;
    match &args.command {
        Command::Retail(args) => retail::run(args, cache),
        Command::Prior(args) => prior::run(args, cache),
    }
}
