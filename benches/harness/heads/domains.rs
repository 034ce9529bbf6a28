//! Does `domains` rank sources as they prove to help?

use std::collections::BTreeMap;
use std::error::Error;

use vitrine_indexer::train::domains::{level, rank, within};
use vitrine_indexer::train::transfer::{Domains, Transfer, train_fresh, transfer};
use vitrine_indexer::train::{Example, Pairs, Recipe};

use crate::data::Data;
use crate::retrieval::judge;

/// Items of the target that are trained on.
const TRAIN: usize = 40;
/// Fewest items of a source, and of a target.
const LEAST: usize = 60;
const LEAST_TARGET: usize = 160;

pub fn run(data: &Data) -> Result<(), Box<dyn Error>> {
    println!(
        "\n## Ranking of sources beside the gains measured ({TRAIN} training items in the target, model transfer)"
    );
    let mut groups: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    for example in &data.examples {
        let name = level(&example.category, 2);
        groups.entry(name).or_default().push(example.clone());
    }
    groups.retain(|_, examples| examples.len() >= LEAST);
    let recipe = Recipe {
        epochs: 15,
        ..Recipe::default()
    };
    let mut heads = BTreeMap::new();
    for (name, examples) in &groups {
        let pairs = Pairs::of(examples)?;
        let trained = train_fresh(&data.encoders, &recipe, &pairs, None, None, &mut |_| ())?;
        heads.insert(name.clone(), (trained.heads, pairs));
    }
    let mut all = Vec::new();
    for (target, own) in groups.iter().filter(|(_, own)| own.len() >= LEAST_TARGET) {
        let (train, held_out) = own.split_at(TRAIN);
        let pairs = Pairs::of(train)?;
        let alone = train_fresh(&data.encoders, &recipe, &pairs, None, None, &mut |_| ())?;
        let alone = judge(&alone.heads, held_out)?.quality.score;
        // What `domains` would see: the sources, and of the target only what it trains on.
        let seen: Vec<Example> = data
            .examples
            .iter()
            .filter(|e| !within(&e.category, target))
            .chain(train)
            .cloned()
            .collect();
        let (mut expected, mut measured) = (Vec::new(), Vec::new());
        println!("\n{target}: target only {alone:.3}");
        for ranked in rank(&seen, target, None)? {
            let Some((source_heads, source)) = heads.get(&ranked.source) else {
                continue;
            };
            let domains = Domains {
                source_heads,
                source,
                target: &pairs,
                held_out: None,
            };
            let trained = transfer(Transfer::Model, &domains, &recipe, 1.0, &mut |_| ())?;
            let gain = judge(&trained.heads, held_out)?.quality.score - alone;
            println!(
                "  {:<28} expected {:.3}  measured {gain:+.3}  items {:>5}  mmd {:.3}  centroid {:+.2}  neighbours {:.2}",
                ranked.source,
                ranked.expected_gain,
                ranked.items,
                ranked.mmd,
                ranked.centroid_cosine,
                ranked.neighbour_lift
            );
            expected.push(ranked.expected_gain);
            measured.push(gain);
        }
        let rho = spearman(&expected, &measured);
        println!("  Spearman {rho:+.2} over {} sources", expected.len());
        all.push(rho);
    }
    let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
    println!("\nmean Spearman {mean:+.2} over {} targets", all.len());
    Ok(())
}

/// Spearman's rank correlation; no ties are expected.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |v: &f64| values.iter().filter(|w| *w < v).count() as f64;
        values.iter().map(rank).collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let n = a.len() as f64;
    let squares: f64 = a.iter().zip(&b).map(|(x, y)| (x - y).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0)).max(1.0)
}
