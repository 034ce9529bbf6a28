//! How well and how fast do the collaborative-filtering models recommend, and in how much memory?
//!
//!     cargo run --release --workspace --example cf -- accuracy --data ../shared/data/gowalla
//!     cargo run --release --workspace --example cf -- accuracy --data ... --model ials:factors=64,iterations=8
//!     cargo run --release --workspace --example cf -- cross --data ../shared/data/amazon-cross
//!     cargo run --release --workspace --example cf -- memory --model item-knn

mod accuracy;
mod cross;
mod data;
mod memory;
mod settings;

use std::error::Error;

use clap::{Parser, Subcommand};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    question: Question,
    /// Threads.
    #[arg(long, global = true, default_value_t = 2)]
    threads: usize,
}

#[derive(Subcommand)]
enum Question {
    /// Recall@20 and NDCG@20 on `valid` with train items excluded, seconds to fit, users recommended a second.
    Accuracy(accuracy::Args),
    /// Does another category help? HR@10 and NDCG@10 among 999 random negatives.
    Cross(cross::Args),
    /// Seconds to fit a large synthetic shop, users a second, and the most memory the process had.
    Memory(memory::Args),
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    match args.question {
        Question::Accuracy(args) => accuracy::run(&args),
        Question::Cross(args) => cross::run(&args),
        Question::Memory(args) => memory::run(&args),
    }
}
