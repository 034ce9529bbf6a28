//! Facets, browsing and sorting on a million items: titles recombined from those of Home Depot.
//!
//!     cargo run --release --workspace --example search_scale -- --data products.csv.gz
//!
//! The first figures are of the columns alone: three facets over a sixth of the items, counted by
//! an intersection of bitmaps per value and by the engine. The others are of whole searches, on a
//! collection without vectors: by words of a title, by an unfinished last word, and without words.

#[path = "recombined.rs"]
mod recombined;

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use roaring::RoaringBitmap;
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper,
    payload::PayloadIndex,
    schemas::{CollectionConfig, FacetSpec, FilterSpec, Item},
};

use self::recombined::Outcome;

/// Every n-th item matches the filter of the facets.
const MATCH_EVERY: usize = 6;

#[derive(Parser)]
struct Args {
    /// Home Depot's `products.csv.gz`.
    #[arg(long)]
    data: PathBuf,
    #[arg(long, default_value_t = 1_000_000)]
    items: usize,
    /// Number of searches of each kind.
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// Measures the columns only, without a collection.
    #[arg(long)]
    columns: bool,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    if !args.data.exists() {
        println!("skipped: {} is missing (VITRINE_DATA)", args.data.display());
        return Ok(());
    }
    let words = recombined::words(&args.data)?;
    let config = config()?;
    columns(&args, &words, &config)?;
    if !args.columns {
        searches(&args, &words, config)?;
    }
    Ok(())
}

fn config() -> Outcome<CollectionConfig> {
    Ok(serde_json::from_value(json!({
        "attributes": {"rating": "float", "shelf": "integer", "material": "keyword"}, "vectors": {"shared": {"dim": 2}}
    }))?)
}

/// Returns the n-th item.
fn item(words: &[Vec<String>], n: usize) -> Outcome<Item> {
    let (mut item, last_word, mut rng) = recombined::item(words, n)?;
    let cents: u32 = rng.random_range(99..50_000);
    item["price"] = json!({"amount": f64::from(cents) / 100.0});
    item["created_at"] = json!(format!("202{}-{:02}-{:02}", n % 6, n % 12 + 1, n % 28 + 1));
    item["attributes"] = json!({"shelf": n % MATCH_EVERY, "material": last_word});
    if !n.is_multiple_of(3) {
        item["attributes"]["rating"] = json!(f64::from(rng.random_range(10..51_u8)) / 10.0);
    }
    Ok(serde_json::from_value(item)?)
}

fn facets() -> Outcome<Vec<FacetSpec>> {
    Ok(serde_json::from_value(json!([
        {"field": "brand"}, {"field": "category", "depth": 2}, {"field": "material"}
    ]))?)
}

/// Compares facets by bitmap per value with those of the engine.
fn columns(args: &Args, words: &[Vec<String>], config: &CollectionConfig) -> Outcome<()> {
    let mut index = PayloadIndex::new(config);
    let mut by_value: [BTreeMap<String, RoaringBitmap>; 3] = Default::default();
    let mut matching = RoaringBitmap::new();
    for n in 0..args.items {
        let (item, id) = (item(words, n)?, n as u32);
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let values = [
            text(item.brand.as_deref()),
            text(item.category.as_deref()),
            text(item.attributes.get("material").and_then(Value::as_str)),
        ];
        for (column, value) in by_value.iter_mut().zip(values) {
            column.entry(value).or_default().insert(id);
        }
        if n % MATCH_EVERY == 0 {
            matching.insert(id);
        }
        index.insert(id, &item);
    }
    let distinct: Vec<_> = by_value.iter().map(BTreeMap::len).collect();
    println!(
        "{} items, {} match, distinct values: {distinct:?}",
        args.items,
        matching.len()
    );
    measure("3 facets, a bitmap per value", args.queries.min(50), || {
        for column in &by_value {
            let counts = column
                .iter()
                .map(|(value, items)| (items.intersection_len(&matching), value));
            let mut counts: Vec<_> = counts.filter(|(count, _)| *count > 0).collect();
            counts.sort_by(|a, b| b.cmp(a));
            std::hint::black_box(counts);
        }
        Ok(())
    })?;
    let (specs, before) = (facets()?, index.bytes());
    measure("3 facets, a value per item", args.queries, || {
        for spec in &specs {
            std::hint::black_box(index.facet(spec, &matching)?);
        }
        Ok(())
    })?;
    let added = (index.bytes() - before) as f64 / args.items as f64;
    println!("values by item: {added:.1} bytes per item and 3 fields");
    Ok(())
}

/// Measures whole searches.
fn searches(args: &Args, words: &[Vec<String>], config: CollectionConfig) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(folder.path(), Options::default())?;
    let shop = database.create_collection("shop", config)?;
    let started = Instant::now();
    recombined::write(&shop, args.items, |n| item(words, n))?;
    println!("written in {:.0} s", started.elapsed().as_secs_f64());
    for (name, count, letters, typos) in [
        ("1 word", 1, None, false),
        ("3 words", 3, None, false),
        ("3 words, with corrections", 3, None, true),
        ("6 words", 6, None, false),
        ("2 letters of a word", 1, Some(2), true),
        ("a word and 1 letter", 2, Some(1), true),
        ("a word and 3 letters", 2, Some(3), true),
        ("2 words and 4 letters", 3, Some(4), true),
    ] {
        let query = Words {
            count,
            letters,
            typos,
        };
        by_words(args, &shop, name, words, &query)?;
    }
    let part = "shelf = 0";
    for (name, filter, sort) in [
        ("browse, default order", None, json!([])),
        ("browse, 1/6, default order", Some(part), json!([])),
        ("browse, by price", None, json!(["price"])),
        ("browse, 1/6, by price", Some(part), json!(["price:desc"])),
        (
            "browse, 1/6, by rating and date",
            Some(part),
            json!(["rating:desc", "created_at:desc"]),
        ),
        (
            "browse, a category, by price",
            Some("category = \"Department 3\""),
            json!(["price"]),
        ),
        (
            "browse, an aisle, by brand and price",
            Some("category = \"Department 7 > Aisle 7\""),
            json!(["brand", "price"]),
        ),
    ] {
        let search = Search {
            filter: filter.map(|text| FilterSpec::Text(text.to_owned())),
            sort: serde_json::from_value(sort)?,
            facets: facets()?,
            limit: 24,
            ..Search::default()
        };
        browse(args, &shop, name, &search)?;
    }
    Ok(())
}

/// Form of a query by words.
struct Words {
    count: usize,
    /// Number of letters of the last word, which is unfinished; None if it is whole.
    letters: Option<usize>,
    typos: bool,
}

/// Measures searches for words of one title each, in random order.
fn by_words(
    args: &Args,
    shop: &Collection,
    name: &str,
    titles: &[Vec<String>],
    form: &Words,
) -> Outcome<()> {
    let mut rng = StdRng::seed_from_u64(form.count as u64);
    measure(name, args.queries, || {
        let title = titles.choose(&mut rng).ok_or("no titles")?;
        let mut words: Vec<_> = title
            .choose_multiple(&mut rng, form.count)
            .cloned()
            .collect();
        if let (Some(letters), Some(last)) = (form.letters, words.last_mut()) {
            *last = last.chars().take(letters).collect();
        }
        let search = Search {
            lexical: Some(LexicalQuery {
                text: words.join(" "),
                prefix: form.letters.is_some(),
                typos: form.typos,
                ..LexicalQuery::default()
            }),
            limit: 24,
            ..Search::default()
        };
        std::hint::black_box(shop.search(&search, &Shopper::default())?);
        Ok(())
    })
}

fn browse(args: &Args, shop: &Collection, name: &str, search: &Search) -> Outcome<()> {
    let mut page = 0;
    measure(name, args.queries, || {
        page += 1;
        let search = Search {
            offset: page % 10 * search.limit,
            ..search.clone()
        };
        let answer = shop.search(&search, &Shopper::default())?;
        if answer.hits.len() != search.limit {
            return Err(
                format!("expected {} hits, got {}", search.limit, answer.hits.len()).into(),
            );
        }
        Ok(())
    })
}

/// Prints percentiles of the duration, without the first run.
fn measure(name: &str, runs: usize, mut run: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let started = Instant::now();
    run()?;
    let first = started.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let started = Instant::now();
        run()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (p50, p99) = (at(0.5), at(0.99));
    println!("{name:40} p50 {p50:7.2} ms  p99 {p99:7.2} ms  first {first:7.1} ms");
    Ok(())
}
