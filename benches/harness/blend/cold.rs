//! Cold start: items without events, and customers with few, on the held-out days.

use vitrine_indexer::evaluate::{Dataset, Weights};

use crate::{Outcome, retail};

/// Share of the items whose events are hidden.
const COLD_SHARE: f64 = 0.1;

/// Seeds of the hidden items; the map was chosen on others.
const SEEDS: [u64; 2] = [2, 3];

/// Models on hidden items; all are compared with the first.
const ITEM_MODELS: [&str; 5] = ["mapped", "content", "popularity", "item-knn", "random"];

/// Numbers of items that are left of a history.
const HISTORIES: [usize; 4] = [0, 1, 2, 5];

/// Models of customers with few events.
const CUSTOMER_MODELS: [&str; 5] = [
    "blend",
    "blend:mapped=false",
    "popularity",
    "item-knn",
    "content",
];

/// Ranks hidden items alone, then all items for customers with few events.
pub fn run(data: &Dataset, weights: Weights) -> Outcome<()> {
    for seed in SEEDS {
        println!("\n# Items without events, seed {seed}\n");
        let mut evaluation = retail::evaluation(&ITEM_MODELS.map(str::to_owned), weights)?;
        evaluation.protocol.cold_items = Some(COLD_SHARE);
        evaluation.protocol.seed = seed;
        println!("{}", evaluation.run(data, &mut |_| ())?.text());
    }
    for items in HISTORIES {
        println!("\n# Customers with at most {items} items\n");
        let mut evaluation = retail::evaluation(&CUSTOMER_MODELS.map(str::to_owned), weights)?;
        evaluation.protocol.max_history = Some(items);
        println!("{}", evaluation.run(data, &mut |_| ())?.text());
    }
    Ok(())
}
