//! How sources are joined: does the learned blend beat each of them, and what is used until anything was learned?
//!
//!     make bench-blend
//!     make bench-prior

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
    part: Part,
    /// Folder where vectors of titles are kept.
    #[arg(long, global = true, default_value = ".")]
    cache: PathBuf,
}

#[derive(Subcommand)]
enum Part {
    /// Online Retail at all events, at 1,000 and at none.
    Retail(retail::Args),
    /// The weights used until something was learned, found on other data.
    Prior(prior::Args),
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    match &args.part {
        Part::Retail(own) => retail::run(own, &args.cache),
        Part::Prior(own) => prior::run(own, &args.cache),
    }
}
