//! Default weights before any learning: those that rank best on films and groceries, for young and
//! established shops. They are tested on other data (`retail`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use vitrine::{
    cf::{Scored, metrics::Figures},
    query::blend::{BlendModel, Calibration, Example},
    schemas::Source,
};
use vitrine_indexer::evaluate::{BlendOptions, BlendSources, Dataset, Protocol, Weights};

use crate::{Outcome, films, grocery, young::Choice};

/// Numbers of events of the shops.
const EVENTS: [usize; 4] = [300, 1_000, 10_000, 50_000];

/// Number of shops for each number of events and choice.
const SHOPS: u64 = 2;

/// Held-out days of each data set.
const FILM_DAYS: i64 = 30;
const GROCERY_DAYS: i64 = 40;

/// Maximum number of test users per shop.
const MAX_USERS: usize = 200;

/// Depth of the lists.
const K: usize = 20;

const SOURCES: [Source; 5] = [
    Source::Behavior,
    Source::Session,
    Source::Sequence,
    Source::Content,
    Source::Popularity,
];
const WEIGHTS: [f32; 9] = [0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
const EVIDENCE: [f32; 8] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Maximum rounds over all parameters.
const ROUNDS: usize = 4;

#[derive(clap::Args)]
pub struct Args {
    /// Folder of MovieLens 100k.
    #[arg(long)]
    films: PathBuf,
    /// Folder of the grocery of the demo.
    #[arg(long)]
    grocery: PathBuf,
}

pub fn run(args: &Args, cache: &Path) -> Outcome<()> {
    let data = [
        (films::load(&args.films, cache)?, FILM_DAYS),
        (grocery::load(&args.grocery, cache)?, GROCERY_DAYS),
    ];
    let mut shops = Vec::new();
    for (index, (data, days)) in data.iter().enumerate() {
        for choice in Choice::CHOICES {
            for events in EVENTS {
                for seed in 1..=SHOPS {
                    shops.extend(Shop::new(index, data, choice, events, *days, seed)?);
                }
            }
        }
    }
    let all: Vec<&Shop> = shops.iter().collect();
    let current = BlendModel::rrf();
    println!("weights of {SOURCES:?}, user_evidence, item_evidence");
    println!(
        "{} current: {:.4}",
        numbers(&current),
        relative_ndcg(&current, &all)
    );
    for (index, (data, _)) in data.iter().enumerate() {
        let (other, same): (Vec<_>, Vec<_>) = shops.iter().partition(|s| s.dataset != index);
        let tuned = tune(&current, &other);
        println!(
            "{} without {}: {:.4}, on it {:.4} (current {:.4})",
            numbers(&tuned),
            data.name,
            relative_ndcg(&tuned, &other),
            relative_ndcg(&tuned, &same),
            relative_ndcg(&current, &same)
        );
    }
    let mut relative = current.clone();
    for part in relative.parts.values_mut() {
        part.calibration = Calibration::RELATIVE;
    }
    let relative = tune(&relative, &all);
    println!(
        "{} tuned on all, by relative scores instead of ranks: {:.4}",
        numbers(&relative),
        relative_ndcg(&relative, &all)
    );
    let tuned = tune(&current, &all);
    println!(
        "{} tuned on all: {:.4}",
        numbers(&tuned),
        relative_ndcg(&tuned, &all)
    );
    println!(
        "\nrelative NDCG with behavior and session at 1, content at 0.5, user_evidence 1, by popularity (down), item_evidence {EVIDENCE:?}"
    );
    for weight in WEIGHTS {
        let cell = |half: &f32| {
            let mut model = current.clone();
            (model.user_evidence, model.item_evidence) = (1.0, *half);
            if let Some(part) = model.parts.get_mut(&Source::Popularity) {
                part.weight = weight;
            }
            format!("{:.4}", relative_ndcg(&model, &all))
        };
        let row: Vec<_> = EVIDENCE.iter().map(cell).collect();
        println!("  {weight:5.2}: {}", row.join(" "));
    }
    println!("\nndcg@{K} of {SOURCES:?} alone, content with power 1, current, tuned");
    for shop in &shops {
        let alone = shop.alone.iter().map(|ndcg| format!("{ndcg:.4}"));
        println!(
            "  {}  {:.4}  {:.4} {:.4}  {} {} events {:?}, {} users",
            alone.collect::<Vec<_>>().join(" "),
            shop.plain_content,
            ndcg(&current, &shop.examples),
            ndcg(&tuned, &shop.examples),
            data[shop.dataset].0.name,
            shop.events,
            shop.choice,
            shop.examples.len()
        );
    }
    Ok(())
}

/// A young shop, and the later choices of its users.
struct Shop {
    /// Index of the data set.
    dataset: usize,
    choice: Choice,
    events: usize,
    examples: Vec<Example>,
    /// NDCG of each source alone.
    alone: Vec<f64>,
    /// NDCG of content by the cosine to the mean.
    plain_content: f64,
}

impl Shop {
    /// Returns None if no user returns.
    fn new(
        dataset: usize,
        data: &Dataset,
        choice: Choice,
        events: usize,
        days: i64,
        seed: u64,
    ) -> Outcome<Option<Self>> {
        let protocol = Protocol {
            hold_out: format!("temporal:{days}d").parse()?,
            weights: Weights::One,
            new_only: true,
            min_history: 1,
            negatives: None,
            max_users: Some(MAX_USERS),
            cold_items: None,
            max_history: None,
            seed,
        };
        let young = choice.young(&data.interactions, events, days, seed);
        let Ok(trial) = protocol.prepare_from(data, &young) else {
            return Ok(None);
        };
        let examples = |options: &BlendOptions| -> Outcome<Vec<Example>> {
            let sources = BlendSources::fit(options, data, &trial.train, &protocol)?;
            let example = |task: &vitrine_indexer::evaluate::Task| Example {
                candidate_set: sources.candidate_set(&task.history, &task.excluded),
                chosen: task.relevant.clone(),
            };
            Ok(trial.tasks.par_iter().map(example).collect())
        };
        let default = examples(&BlendOptions::default())?;
        let mut plain = BlendOptions::default();
        plain.content.power = 1.0;
        let only = |source| BlendModel::weighted(None, &BTreeMap::from([(source, 1.0)]));
        let alone = SOURCES.map(|source| ndcg(&only(source), &default));
        Ok(Some(Self {
            plain_content: ndcg(&only(Source::Content), &examples(&plain)?),
            alone: alone.to_vec(),
            dataset,
            choice,
            events,
            examples: default,
        }))
    }
}

fn ndcg(blend: &BlendModel, examples: &[Example]) -> f64 {
    let value = |example: &Example| {
        let ranked = blend.rank(&example.candidate_set).into_iter().take(K);
        let list: Vec<_> = ranked
            .map(|r| Scored {
                item: r.candidate.item,
                score: r.score,
            })
            .collect();
        Figures::of(&list, &example.chosen, K).ndcg
    };
    let values: Vec<f64> = examples.par_iter().map(value).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Returns the mean over the shops of NDCG relative to that of the best source alone.
fn relative_ndcg(blend: &BlendModel, shops: &[&Shop]) -> f64 {
    let relative = |shop: &&Shop| {
        let best = shop.alone.iter().copied().fold(1e-9, f64::max);
        ndcg(blend, &shop.examples) / best
    };
    shops.iter().map(relative).sum::<f64>() / shops.len().max(1) as f64
}

/// Returns the best blend by coordinate ascent.
fn tune(start: &BlendModel, shops: &[&Shop]) -> BlendModel {
    let (mut best, mut value) = (start.clone(), relative_ndcg(start, shops));
    for _ in 0..ROUNDS {
        let before = value;
        for coordinate in 0..SOURCES.len() + 2 {
            for changed in changes(&best, coordinate) {
                let changed_value = relative_ndcg(&changed, shops);
                if changed_value > value + 1e-4 {
                    (best, value) = (changed, changed_value);
                }
            }
        }
        if value <= before {
            break;
        }
    }
    best
}

fn changes(blend: &BlendModel, coordinate: usize) -> Vec<BlendModel> {
    let with = |apply: &dyn Fn(&mut BlendModel)| {
        let mut changed = blend.clone();
        apply(&mut changed);
        changed
    };
    match SOURCES.get(coordinate) {
        Some(source) => WEIGHTS
            .iter()
            .map(|weight| {
                with(&|model| {
                    if let Some(part) = model.parts.get_mut(source) {
                        part.weight = *weight;
                    }
                })
            })
            .collect(),
        None => EVIDENCE
            .iter()
            .map(|half| {
                with(&|model| match coordinate - SOURCES.len() {
                    0 => model.user_evidence = *half,
                    _ => model.item_evidence = *half,
                })
            })
            .collect(),
    }
}

fn numbers(blend: &BlendModel) -> String {
    let weights = SOURCES.iter().map(|source| blend.parts[source].weight);
    let all = weights.chain([blend.user_evidence, blend.item_evidence]);
    all.map(|x| format!("{x:5.2}"))
        .collect::<Vec<_>>()
        .join(" ")
}
