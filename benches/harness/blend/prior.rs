//! The weights used until something was learned: those that rank best on films and groceries, young ones and old ones. Other
//! data than those they are tested on (`retail`).

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

/// Events of the shops, and how many shops of each number and choice.
const EVENTS: [usize; 4] = [300, 1_000, 10_000, 50_000];
const SHOPS: u64 = 2;

/// Days held out of each.
const FILM_DAYS: i64 = 30;
const GROCERY_DAYS: i64 = 40;

/// People asked for each shop, at most.
const PEOPLE: usize = 200;

/// Depth of the lists.
const K: usize = 20;

const SOURCES: [Source; 4] = [
    Source::Behavior,
    Source::Session,
    Source::Content,
    Source::Popularity,
];
const WEIGHTS: [f32; 9] = [0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
const EVIDENCE: [f32; 8] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Rounds over all numbers.
const ROUNDS: usize = 4;

#[derive(clap::Args)]
pub struct Args {
    /// Folder of MovieLens 100k.
    #[arg(long)]
    films: PathBuf,
    /// Folder of the demo's grocery.
    #[arg(long)]
    grocery: PathBuf,
}

pub fn run(args: &Args, cache: &Path) -> Outcome<()> {
    let data = [
        (films::load(&args.films, cache)?, FILM_DAYS),
        (grocery::load(&args.grocery, cache)?, GROCERY_DAYS),
    ];
    let mut shops = Vec::new();
    for (of, (data, days)) in data.iter().enumerate() {
        for choice in Choice::ALL {
            for events in EVENTS {
                for seed in 1..=SHOPS {
                    shops.extend(Shop::new(of, data, choice, events, *days, seed)?);
                }
            }
        }
    }
    let all: Vec<&Shop> = shops.iter().collect();
    let now = BlendModel::rrf();
    println!("weights of {SOURCES:?}, user_evidence, item_evidence");
    println!("{} now: {:.4}", numbers(&now), worth(&now, &all));
    for (of, (data, _)) in data.iter().enumerate() {
        let (other, own): (Vec<_>, Vec<_>) = shops.iter().partition(|s| s.of != of);
        let found = best(&now, &other);
        println!(
            "{} without {}: {:.4}, there {:.4} (now {:.4})",
            numbers(&found),
            data.name,
            worth(&found, &other),
            worth(&found, &own),
            worth(&now, &own)
        );
    }
    let mut relative = now.clone();
    for part in relative.parts.values_mut() {
        part.calibration = Calibration::RELATIVE;
    }
    let relative = best(&relative, &all);
    println!(
        "{} found on all, by relative scores instead of ranks: {:.4}",
        numbers(&relative),
        worth(&relative, &all)
    );
    let found = best(&now, &all);
    println!(
        "{} found on all: {:.4}",
        numbers(&found),
        worth(&found, &all)
    );
    println!(
        "\nworth with behaviour and session at 1, content at 0.5, user_evidence 1, by popularity (down), item_evidence {EVIDENCE:?}"
    );
    for weight in WEIGHTS {
        let at = |half: &f32| {
            let mut model = now.clone();
            (model.user_evidence, model.item_evidence) = (1.0, *half);
            if let Some(part) = model.parts.get_mut(&Source::Popularity) {
                part.weight = weight;
            }
            format!("{:.4}", worth(&model, &all))
        };
        let row: Vec<_> = EVIDENCE.iter().map(at).collect();
        println!("  {weight:5.2}: {}", row.join(" "));
    }
    println!("\nndcg@{K} of {SOURCES:?} alone, content with power 1, as it is now, as found");
    for shop in &shops {
        let alone = shop.alone.iter().map(|ndcg| format!("{ndcg:.4}"));
        println!(
            "  {}  {:.4}  {:.4} {:.4}  {} {} events {:?}, {} people",
            alone.collect::<Vec<_>>().join(" "),
            shop.plain_content,
            ndcg(&now, &shop.examples),
            ndcg(&found, &shop.examples),
            data[shop.of].0.name,
            shop.events,
            shop.choice,
            shop.examples.len()
        );
    }
    Ok(())
}

/// A young shop, and what its people chose next.
struct Shop {
    /// Number of its data set.
    of: usize,
    choice: Choice,
    events: usize,
    examples: Vec<Example>,
    /// NDCG of each source alone, and of content by the cosine to the mean.
    alone: Vec<f64>,
    plain_content: f64,
}

impl Shop {
    /// None where nobody comes back.
    fn new(
        of: usize,
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
            max_users: Some(PEOPLE),
            seed,
        };
        let young = choice.young(&data.interactions, events, days, seed);
        let Ok(trial) = protocol.prepare_from(data, &young) else {
            return Ok(None);
        };
        let ask = |options: &BlendOptions| -> Outcome<Vec<Example>> {
            let sources = BlendSources::fit(options, data, &trial.train, &protocol)?;
            let example = |task: &vitrine_indexer::evaluate::Task| Example {
                question: sources.question(&task.history, &task.excluded),
                chosen: task.relevant.clone(),
            };
            Ok(trial.tasks.par_iter().map(example).collect())
        };
        let examples = ask(&BlendOptions::default())?;
        let mut plain = BlendOptions::default();
        plain.content.power = 1.0;
        let only = |source| BlendModel::weighted(None, &BTreeMap::from([(source, 1.0)]));
        let alone = SOURCES.map(|source| ndcg(&only(source), &examples));
        Ok(Some(Self {
            plain_content: ndcg(&only(Source::Content), &ask(&plain)?),
            alone: alone.to_vec(),
            of,
            choice,
            events,
            examples,
        }))
    }
}

fn ndcg(blend: &BlendModel, examples: &[Example]) -> f64 {
    let one = |example: &Example| {
        let ranked = blend.rank(&example.question).into_iter().take(K);
        let list: Vec<_> = ranked
            .map(|r| Scored {
                item: r.candidate.item,
                score: r.score,
            })
            .collect();
        Figures::of(&list, &example.chosen, K).ndcg
    };
    let values: Vec<f64> = examples.par_iter().map(one).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Mean over the shops of what the blend has against the best source alone.
fn worth(blend: &BlendModel, shops: &[&Shop]) -> f64 {
    let of = |shop: &&Shop| {
        let best = shop.alone.iter().copied().fold(1e-9, f64::max);
        ndcg(blend, &shop.examples) / best
    };
    shops.iter().map(of).sum::<f64>() / shops.len().max(1) as f64
}

/// The best blend found by changing one number after the other.
fn best(start: &BlendModel, shops: &[&Shop]) -> BlendModel {
    let (mut at, mut value) = (start.clone(), worth(start, shops));
    for _ in 0..ROUNDS {
        let before = value;
        for coordinate in 0..SOURCES.len() + 2 {
            for changed in changes(&at, coordinate) {
                let own = worth(&changed, shops);
                if own > value + 1e-4 {
                    (at, value) = (changed, own);
                }
            }
        }
        if value <= before {
            break;
        }
    }
    at
}

fn changes(at: &BlendModel, coordinate: usize) -> Vec<BlendModel> {
    let with = |apply: &dyn Fn(&mut BlendModel)| {
        let mut changed = at.clone();
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
