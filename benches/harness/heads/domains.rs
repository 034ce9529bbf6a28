//! Comparison of the ranking by `domains` with the measured gains of sources.

use std::collections::BTreeMap;
use std::error::Error;

use vitrine_indexer::train::domains::{RankedSource, level, rank, within};
use vitrine_indexer::train::transfer::{Domains, Transfer, train_fresh, transfer};
use vitrine_indexer::train::{Example, Pairs, Recipe, shuffled};

use crate::data::Data;
use crate::retrieval::evaluate;

/// Number of training items of the target.
const TRAIN: usize = 40;
/// Minimum number of items of a source.
const MIN_SOURCE_ITEMS: usize = 60;
/// Minimum number of items of a target.
const MIN_TARGET_ITEMS: usize = 140;

/// Rank and measured gain of a source, one entry for each seed.
#[derive(Default)]
struct Source {
    ranked: Vec<RankedSource>,
    gains: Vec<f64>,
}

/// Runs the experiment for `targets`, or all that are large enough. Each seed draws other training
/// items of the target and trains again, so that the standard error of a mean gain is known.
pub fn run(data: &Data, seeds: u64, targets: &[String]) -> Result<(), Box<dyn Error>> {
    println!(
        "\n## Ranking of sources beside the gains measured ({TRAIN} training items in the target, model transfer, {seeds} seeds)"
    );
    let mut groups: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    for example in &data.examples {
        let name = level(&example.category, 2);
        groups.entry(name).or_default().push(example.clone());
    }
    groups.retain(|_, examples| examples.len() >= MIN_SOURCE_ITEMS);
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
    let mut summary = Summary::default();
    let wanted = |name: &String| targets.is_empty() || targets.contains(name);
    let large = groups
        .iter()
        .filter(|(name, own)| own.len() >= MIN_TARGET_ITEMS && wanted(name));
    for (target, own) in large {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        let mut alone_scores = 0.0;
        for seed in 0..seeds {
            let recipe = Recipe {
                seed,
                ..recipe.clone()
            };
            let own = shuffled(own.clone(), seed);
            let (train, held_out) = own.split_at(TRAIN);
            let pairs = Pairs::of(train)?;
            let alone = train_fresh(&data.encoders, &recipe, &pairs, None, None, &mut |_| ())?;
            let alone = evaluate(&alone.heads, held_out)?.quality.score;
            alone_scores += alone / seeds as f64;
            // The input of `domains`: the sources, and only the training items of the target.
            let others = data
                .examples
                .iter()
                .filter(|e| !within(&e.category, target));
            let seen: Vec<Example> = others.chain(train).cloned().collect();
            for ranked in rank(&seen, target, None)? {
                let Some((source_heads, source)) = heads.get(&ranked.source) else {
                    continue;
                };
                let domains = Domains {
                    source_heads,
                    source: source.into(),
                    target: (&pairs).into(),
                    held_out: None.into(),
                };
                let trained = transfer(Transfer::Model, &domains, &recipe, 1.0, &mut |_| ())?;
                let gain = evaluate(&trained.heads, held_out)?.quality.score - alone;
                let source = sources.entry(ranked.source.clone()).or_default();
                source.gains.push(gain);
                source.ranked.push(ranked);
            }
        }
        println!("\n{target}: target only {alone_scores:.3}");
        summary.target(&sources);
    }
    summary.print();
    Ok(())
}

/// Spearman's correlation with the mean gains, one entry for each target.
#[derive(Default)]
struct Summary {
    by_figure: BTreeMap<&'static str, Vec<f64>>,
}

type Figure = (&'static str, fn(&RankedSource) -> f64);

/// Components of the ranking, each of which is also evaluated alone.
const FIGURES: [Figure; 6] = [
    ("expected gain", |r| r.expected_gain),
    ("mmd, negative", |r| -r.mmd),
    ("centroid cosine", |r| r.centroid_cosine),
    ("neighbor lift", |r| r.neighbor_lift),
    ("likeness", |r| r.likeness),
    ("items", |r| r.items as f64),
];

impl Summary {
    fn target(&mut self, sources: &BTreeMap<String, Source>) {
        let gains: Vec<f64> = sources.values().map(|s| mean(&s.gains)).collect();
        let mut order: Vec<(&String, &Source)> = sources.iter().collect();
        order.sort_by(|a, b| mean(&b.1.gains).total_cmp(&mean(&a.1.gains)));
        for (name, source) in order {
            let of = |figure: fn(&RankedSource) -> f64| {
                mean(&source.ranked.iter().map(figure).collect::<Vec<_>>())
            };
            println!(
                "  {name:<28} measured {:+.3} +- {:.3}  expected {:.3}  items {:>5}  mmd {:.3}  centroid {:+.2}  neighbors {:.2}  likeness {:.3}",
                mean(&source.gains),
                error(&source.gains),
                of(|r| r.expected_gain),
                of(|r| r.items as f64),
                of(|r| r.mmd),
                of(|r| r.centroid_cosine),
                of(|r| r.neighbor_lift),
                of(|r| r.likeness),
            );
        }
        let seeds = sources.values().map(|s| s.gains.len()).min().unwrap_or(0);
        for (name, figure) in FIGURES {
            // A user ranks once: the ranking of each seed counts separately.
            let rho: Vec<f64> = (0..seeds)
                .map(|seed| {
                    let ranked = sources.values().map(|s| figure(&s.ranked[seed]));
                    spearman(&ranked.collect::<Vec<_>>(), &gains)
                })
                .collect();
            self.by_figure.entry(name).or_default().push(mean(&rho));
        }
        let half = |odd: usize| -> Vec<f64> {
            let every = |s: &Source| {
                s.gains
                    .iter()
                    .skip(odd)
                    .step_by(2)
                    .copied()
                    .collect::<Vec<_>>()
            };
            sources.values().map(|s| mean(&every(s))).collect()
        };
        let agreement = if seeds > 1 {
            spearman(&half(0), &half(1))
        } else {
            f64::NAN
        };
        let name = "one half of the seeds' gains to the other's";
        self.by_figure.entry(name).or_default().push(agreement);
        let rho = self.by_figure["expected gain"]
            .last()
            .copied()
            .unwrap_or(f64::NAN);
        println!(
            "  Spearman {rho:+.2} over {} sources, halves of the seeds agree by {agreement:+.2}",
            gains.len()
        );
    }

    fn print(&self) {
        println!("\nSpearman's correlation with the measured gains, mean over targets");
        for (name, rho) in &self.by_figure {
            let each: Vec<String> = rho.iter().map(|r| format!("{r:+.2}")).collect();
            println!("  {name:<44} {:+.2}   ({})", mean(rho), each.join(" "));
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard error of the mean.
fn error(values: &[f64]) -> f64 {
    let (n, middle) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|v| (v - middle).powi(2)).sum();
    (squares / (n - 1.0).max(1.0) / n).sqrt()
}

/// Returns Spearman's rank correlation: Pearson's correlation of the ranks, with mean ranks for
/// ties.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let count = |test: &dyn Fn(f64) -> bool| values.iter().filter(|w| test(**w)).count() as f64;
        let rank = |v: &f64| count(&|w| w < *v) + (count(&|w| w == *v) - 1.0) / 2.0;
        values.iter().map(rank).collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let (ma, mb) = (mean(&a), mean(&b));
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    product(&a, ma, &b, mb)
        / (product(&a, ma, &a, ma) * product(&b, mb, &b, mb))
            .sqrt()
            .max(1e-12)
}
