//! Quality of similar items of other categories, compared with nearest neighbors and popularity.
//!
//!     cargo run --release --workspace --example cross -- style --data DIR --collection fashion
//!     cargo run --release --workspace --example cross -- grocery --data DIR --events events.jsonl
//!     cargo run --release --workspace --example cross -- catalog --catalog FILE --part choose
//!     cargo run --release --workspace --example cross -- pairs --data ../shared/data/amazon-cross
//!
//! A hash divides the queries into two halves: `--part choose` is for choosing settings; `report`,
//! the default, is not used for that. All methods answer the same queries, and differences are
//! paired.

mod catalog;
mod comparison;
#[path = "../cf/data.rs"]
mod data;
mod grocery;
mod pairs;
mod style;

use std::error::Error;

use clap::{Parser, Subcommand, ValueEnum};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Half of the queries to run.
    #[arg(long, global = true, value_enum, default_value = "report")]
    part: Half,
    /// Maximum number of queries.
    #[arg(long, global = true, default_value_t = 1_000)]
    queries: usize,
    /// Print the results of other weights of the sources, on the best 200 items of each query.
    #[arg(long, global = true)]
    weights: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Fashion: shared usage, season, gender and color.
    Style(style::Args),
    /// Prints the lines of a catalog that belong to a half.
    Catalog(catalog::Args),
    /// Grocery: items of the same later basket.
    Grocery(grocery::Args),
    /// Purchases in two categories: held-out items.
    Pairs(pairs::Args),
}

/// Half of the queries.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Half {
    /// For choosing settings.
    Choose,
    /// For reported results.
    Report,
}

/// Selection of queries.
#[derive(Clone, Copy)]
pub struct Selection {
    part: Half,
    queries: usize,
    weights: bool,
}

impl Selection {
    /// Returns true if the query with this name belongs to the half.
    pub fn contains(self, name: &str) -> bool {
        let is_even = blake3::hash(name.as_bytes()).as_bytes()[0].is_multiple_of(2);
        is_even == (self.part == Half::Choose)
    }

    /// Returns the queries of the half up to the maximum number, in an order that depends only on
    /// their names.
    pub fn of<T>(self, all: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
        let mut hashed: Vec<_> = all
            .into_iter()
            .filter(|query| self.contains(name(query)))
            .map(|query| (*blake3::hash(name(&query).as_bytes()).as_bytes(), query))
            .collect();
        hashed.sort_by_key(|(hash, _)| *hash);
        hashed.truncate(self.queries);
        hashed.into_iter().map(|(_, query)| query).collect()
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let selection = Selection {
        part: args.part,
        queries: args.queries,
        weights: args.weights,
    };
    match args.command {
        Command::Style(args) => style::run(&args, selection),
        Command::Catalog(args) => catalog::run(&args, selection),
        Command::Grocery(args) => grocery::run(&args, selection),
        Command::Pairs(args) => pairs::run(&args, selection),
    }
}
