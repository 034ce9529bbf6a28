//! How good are similar items of other categories, beside plain nearest neighbours and popularity?
//!
//!     cargo run --release --workspace --example cross -- style --data DIR --collection fashion
//!     cargo run --release --workspace --example cross -- grocery --data DIR --events events.jsonl
//!     cargo run --release --workspace --example cross -- catalog --catalog styles.csv --part choose
//!     cargo run --release --workspace --example cross -- pairs --data ../shared/data/amazon-cross
//!
//! Questions are parted in two by a hash: `--part choose` is what settings are chosen on, `report`, the default, is not looked at
//! for that. All contenders answer the same questions, and differences are paired.

mod catalog;
mod contest;
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
    question: Question,
    /// Questions that are asked.
    #[arg(long, global = true, value_enum, default_value = "report")]
    part: Part,
    /// Questions at most.
    #[arg(long, global = true, default_value_t = 1_000)]
    questions: usize,
    /// Prints what other weights of the sources would give, on the best 200 of each answer.
    #[arg(long, global = true)]
    weights: bool,
}

#[derive(Subcommand)]
enum Question {
    /// Fashion: do they share usage, season, gender and colour with the item?
    Style(style::Args),
    /// Prints the lines of a catalog that are of a part.
    Catalog(catalog::Args),
    /// A grocery: were they in the same later basket?
    Grocery(grocery::Args),
    /// Purchases in two categories: are they what was held out?
    Pairs(pairs::Args),
}

/// Half of the questions.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// For choosing settings.
    Choose,
    /// For figures.
    Report,
}

/// Which questions are asked.
#[derive(Clone, Copy)]
pub struct Asking {
    part: Part,
    questions: usize,
    weights: bool,
}

impl Asking {
    /// Whether what bears the name is of the part.
    pub fn is_of(self, name: &str) -> bool {
        let is_even = blake3::hash(name.as_bytes()).as_bytes()[0].is_multiple_of(2);
        is_even == (self.part == Part::Choose)
    }

    /// Those of the part, so many at most, in an order that only their names decide.
    pub fn of<T>(self, all: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
        let mut hashed: Vec<_> = all
            .into_iter()
            .filter(|one| self.is_of(name(one)))
            .map(|one| (*blake3::hash(name(&one).as_bytes()).as_bytes(), one))
            .collect();
        hashed.sort_by_key(|(hash, _)| *hash);
        hashed.truncate(self.questions);
        hashed.into_iter().map(|(_, one)| one).collect()
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let asking = Asking {
        part: args.part,
        questions: args.questions,
        weights: args.weights,
    };
    match args.question {
        Question::Style(args) => style::run(&args, asking),
        Question::Catalog(args) => catalog::run(&args, asking),
        Question::Grocery(args) => grocery::run(&args, asking),
        Question::Pairs(args) => pairs::run(&args, asking),
    }
}
