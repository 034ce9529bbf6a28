//! Quality, speed and memory of the collaborative-filtering models.
//!
//!     cargo run --release --workspace --example cf -- accuracy --data ../shared/data/gowalla
//!     cargo run --release --workspace --example cf -- accuracy --data ... \
//!         --model ials:factors=64,iterations=8
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
    command: Command,
    /// Number of threads.
    #[arg(long, global = true, default_value_t = 2)]
    threads: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Recall@20 and NDCG@20 on `valid` with train items excluded, seconds to fit, users per
    /// second.
    Accuracy(accuracy::Args),
    /// Effect of another category: HR@10 and NDCG@10 among 999 random negatives.
    Cross(cross::Args),
    /// Seconds to fit a large synthetic shop, users per second, and the peak memory of the process.
    Memory(memory::Args),
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    match args.command {
        Command::Accuracy(args) => accuracy::run(&args),
        Command::Cross(args) => cross::run(&args),
        Command::Memory(args) => memory::run(&args),
    }
}
