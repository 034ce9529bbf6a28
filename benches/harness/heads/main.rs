//! Heads on real products: retrieval by training size, transfer between categories, and the ranking
//! of sources by `domains` compared with measured gains. All metrics are computed on items that
//! were not used for training, early stopping or the guard.

mod data;
mod domains;
mod membership;
mod retrieval;
mod transfer;

use std::path::PathBuf;

use clap::Parser;

#[derive(Parser)]
struct Args {
    /// Folder with styles.csv and images/.
    #[arg(long)]
    data: PathBuf,
    /// Mapping of styles.csv.
    #[arg(long)]
    mapping: PathBuf,
    /// Folder of the models.
    #[arg(long)]
    models: PathBuf,
    /// Folder of the feature cache.
    #[arg(long)]
    features: PathBuf,
    /// Embed title and category, as the indexer does, rather than the title alone.
    #[arg(long)]
    item_text: bool,
    /// Experiments to run: retrieval, transfer, domains, membership.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "retrieval,transfer,domains"
    )]
    parts: Vec<String>,
    /// Number of seeds of the transfer experiment and of the measured gains.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Targets of the rankings [default: all].
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Training sizes of the retrieval experiment.
    #[arg(long, value_delimiter = ',', default_value = "500,1000,2000,5000")]
    sizes: Vec<usize>,
    /// Recipes to try, as JSON over the defaults; retrieval is then measured on a part of the
    /// training pool.
    #[arg(long)]
    tune: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let data = data::load(
        &args.data,
        &args.mapping,
        &args.models,
        &args.features,
        args.item_text,
    )?;
    let text = if args.item_text {
        "title and category"
    } else {
        "title"
    };
    println!("{} items with text ({text}) and image", data.examples.len());
    if !args.tune.is_empty() {
        return retrieval::tune(&data, &args.tune);
    }
    for part in &args.parts {
        match part.as_str() {
            "retrieval" => retrieval::run(&data, &args.sizes)?,
            "transfer" => transfer::run(&data, args.seeds)?,
            "membership" => membership::run(&data)?,
            "domains" => domains::run(&data, args.seeds, &args.targets)?,
            other => return Err(format!("no part `{other}`").into()),
        }
    }
    Ok(())
}
