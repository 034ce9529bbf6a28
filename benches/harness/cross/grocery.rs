//! Grocery: an item of a later basket, and the items of other categories bought with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use serde_json::Value;
use vitrine::{
    Collection, Database, Options, Training,
    cf::{Scored, metrics::Figures},
    schemas::{BoughtTogetherParams, Event},
};

use crate::{
    Outcome, Selection,
    comparison::{Comparison, across, anywhere, similar, weights, without},
};

/// Number of hits evaluated.
const K: usize = 10;

/// Share of the events, the latest, that provide the queries.
const HELD_OUT: f64 = 0.1;

/// Events stored per call.
const BATCH: usize = 1_000;

#[derive(clap::Args)]
pub struct Args {
    /// Data directory with the indexed products; the earlier events are stored there on the first
    /// run.
    #[arg(long)]
    data: PathBuf,
    #[arg(long, default_value = "grocery")]
    collection: String,
    /// File events.jsonl with one basket per line.
    #[arg(long)]
    events: PathBuf,
    #[arg(long, default_value = "shared")]
    space: String,
}

/// An item of a basket, and the items of other categories in it.
struct Basket {
    name: String,
    item: String,
    category: String,
    others: Vec<String>,
}

pub fn run(args: &Args, selection: Selection) -> Outcome<()> {
    let db = Database::open(&args.data, Options::default())?;
    let shop = db.collection(&args.collection)?;
    let mut events = read(args)?;
    let later = events.split_off((events.len() as f64 * (1.0 - HELD_OUT)) as usize);
    if shop.models().models.is_empty() {
        for batch in events.chunks(BATCH) {
            db.append_events(batch)?;
        }
        shop.train(&Training::default())?;
    }
    let categories = categories(&shop)?;
    let baskets = later
        .iter()
        .filter_map(|event| Basket::of(event, &categories));
    let queries = selection.of(baskets.collect(), |basket: &Basket| &basket.name);
    println!(
        "{}: {} items of {} categories, {} earlier baskets, {} queries of later ones",
        args.collection,
        categories.len(),
        categories.values().collect::<BTreeSet<_>>().len(),
        events.len(),
        queries.len()
    );
    let metrics = |basket: &Basket, hits: &[String]| metrics(basket, hits);
    if selection.weights {
        let first = |basket: &Basket, hits: &[String]| metrics(basket, hits)[0];
        return weights(&shop, &args.space, &queries, |basket| &basket.item, first);
    }
    let mut comparison = Comparison::new(&["NDCG@10", "recall@10", "hit rate@10"]);
    comparison.add("across categories", &queries, |basket| {
        Ok(metrics(
            basket,
            &similar(&shop, &basket.item, &across(&args.space, K))?,
        ))
    })?;
    comparison.add("nearest of other categories", &queries, |basket| {
        let mut params = anywhere(&args.space, K);
        params.filter = without(&basket.category);
        Ok(metrics(basket, &similar(&shop, &basket.item, &params)?))
    })?;
    let popular = popular(&events, &categories);
    comparison.add("most bought of other categories", &queries, |basket| {
        let others = popular
            .iter()
            .filter(|id| categories[*id] != basket.category);
        let hits: Vec<_> = others.take(K).cloned().collect();
        Ok(metrics(basket, &hits))
    })?;
    comparison.add("bought together, of other categories", &queries, |basket| {
        let params = BoughtTogetherParams {
            exclude_out_of_stock: false,
            limit: K,
            filter: without(&basket.category),
        };
        let response = shop.bought_together(&basket.item, &params)?;
        let hits: Vec<_> = response.hits.into_iter().map(|hit| hit.id).collect();
        Ok(metrics(basket, &hits))
    })?;
    comparison.print();
    Ok(())
}

/// Reads the purchases in the order of time.
fn read(args: &Args) -> Outcome<Vec<Event>> {
    let mut events = Vec::new();
    for line in BufReader::new(File::open(&args.events)?).lines() {
        let mut event: Value = serde_json::from_str(&line?)?;
        event["collection"] = args.collection.clone().into();
        events.push(serde_json::from_value::<Event>(event)?);
    }
    events.sort_by(|a, b| a.ts.cmp(&b.ts).then(a.id.cmp(&b.id)));
    Ok(events)
}

fn categories(shop: &Collection) -> Outcome<BTreeMap<String, String>> {
    let (mut all, mut cursor) = (BTreeMap::new(), None);
    loop {
        let (page, next) = shop.scroll(None, 1000, cursor.as_deref(), false)?;
        let known = page
            .into_iter()
            .filter_map(|item| Some((item.id, item.category?)));
        all.extend(known);
        match next {
            Some(_) => cursor = next,
            None => return Ok(all),
        }
    }
}

fn popular(events: &[Event], categories: &BTreeMap<String, String>) -> Vec<String> {
    let mut counts: HashMap<&String, usize> = HashMap::new();
    for item in events.iter().flat_map(|event| &event.items) {
        if categories.contains_key(item) {
            *counts.entry(item).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts.into_iter().map(|(id, _)| id.clone()).collect()
}

impl Basket {
    /// Returns None if the basket has items of one category only.
    fn of(event: &Event, categories: &BTreeMap<String, String>) -> Option<Self> {
        let known: Vec<&String> = event
            .items
            .iter()
            .filter(|item| categories.contains_key(*item))
            .collect();
        let hash = |id: &&&String| *blake3::hash(id.as_bytes()).as_bytes();
        let item = *known.iter().min_by_key(hash)?;
        let category = &categories[item];
        let others = known
            .iter()
            .filter(|other| categories[**other] != *category);
        let others: Vec<String> = others.map(|id| (*id).clone()).collect();
        (!others.is_empty()).then(|| Self {
            name: event.user.clone().unwrap_or_default() + event.ts.as_deref().unwrap_or_default(),
            item: item.clone(),
            category: category.clone(),
            others,
        })
    }
}

fn metrics(basket: &Basket, hits: &[String]) -> Vec<f64> {
    // Metrics take numbers: the index of each id.
    let others: HashMap<&str, u32> = (0..)
        .zip(&basket.others)
        .map(|(n, id)| (id.as_str(), n))
        .collect();
    let none = others.len() as u32;
    let hits: Vec<Scored> = hits
        .iter()
        .map(|id| Scored {
            item: others.get(id.as_str()).copied().unwrap_or(none),
            score: 0.0,
        })
        .collect();
    let relevant: Vec<u32> = others.into_values().collect();
    let figures = Figures::of(&hits, &relevant, K);
    vec![figures.ndcg, figures.recall, figures.hit_rate]
}
