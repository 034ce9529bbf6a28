//! Suggestions on a million items: titles recombined from those of Home Depot.
//!
//!     cargo run --release --workspace --example suggest -- --data products.csv.gz
//!
//! Prefixes are typed letter by letter, as are prefixes with a typo, from phrases, brands and
//! queries of the collection.

#[path = "recombined.rs"]
mod recombined;

use std::{path::PathBuf, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use vitrine::{
    Collection, Database, Options,
    schemas::{SearchEvent, SuggestParams},
};

use self::recombined::Outcome;

/// Queries of at most so many words are typed.
const QUERY_WORDS: usize = 3;

#[derive(Parser)]
struct Args {
    /// Home Depot's `products.csv.gz`.
    #[arg(long)]
    data: PathBuf,
    #[arg(long, default_value_t = 1_000_000)]
    items: usize,
    /// Number of recorded searches.
    #[arg(long, default_value_t = 100_000)]
    searches: usize,
    /// Number of texts that are typed.
    #[arg(long, default_value_t = 2_000)]
    texts: usize,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    if !args.data.exists() {
        println!("skipped: {} is missing (VITRINE_DATA)", args.data.display());
        return Ok(());
    }
    let words = recombined::words(&args.data)?;
    let folder = tempfile::tempdir()?;
    // Builds are measured alone.
    let options = Options {
        index_threads: 0,
        ..Options::default()
    };
    let database = Database::open(folder.path(), options)?;
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    let shop = database.create_collection("shop", serde_json::from_value(config)?)?;
    let item = |n| Ok(serde_json::from_value(recombined::item(&words, n)?.0)?);
    recombined::write(&shop, args.items, item)?;
    record(&shop, &words, args.searches);
    let started = Instant::now();
    shop.build_suggestions()?;
    println!(
        "{} items: built in {:.1} s",
        args.items,
        started.elapsed().as_secs_f64()
    );
    measure(&shop, &words, args.texts)
}

/// Records searches for the last words of titles, frequent ones by many users.
fn record(shop: &Collection, words: &[Vec<String>], searches: usize) {
    let mut rng = StdRng::seed_from_u64(1);
    for n in 0..searches {
        let skewed = rng.random::<f64>().powi(4);
        let title = &words[(skewed * words.len() as f64) as usize % words.len()];
        let query = title[title.len().saturating_sub(2)..].join(" ");
        shop.record_search(SearchEvent {
            request_id: n.to_string(),
            query,
            user: Some(format!("user {}", rng.random_range(0..20_000))),
            hits: 10,
            ..SearchEvent::default()
        });
        if n % 5_000 == 0 {
            // The queue is bounded; reading writes it.
            let _ = shop.search_summary(&Default::default());
        }
    }
}

/// Types texts letter by letter, as they are and with a typo.
fn measure(shop: &Collection, words: &[Vec<String>], texts: usize) -> Outcome<()> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut times: [Vec<f64>; 2] = Default::default();
    let mut answered = [0_usize; 2];
    for _ in 0..texts {
        let title = words.choose(&mut rng).ok_or("no titles")?;
        let start = rng.random_range(0..title.len().max(1));
        let text = title[start..].iter().take(QUERY_WORDS).cloned();
        let text = text.collect::<Vec<_>>().join(" ");
        for (typo, text) in [text.clone(), with_typo(&text, &mut rng)]
            .into_iter()
            .enumerate()
        {
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
            for end in ends {
                let params = SuggestParams {
                    q: text[..end].to_owned(),
                    limit: 8,
                    kinds: Vec::new(),
                };
                let started = Instant::now();
                let found = shop.suggest(&params)?;
                times[typo].push(started.elapsed().as_secs_f64() * 1e3);
                answered[typo] += usize::from(!found.suggestions.is_empty());
            }
        }
    }
    for ((name, mut times), answered) in ["as typed", "with a typo"]
        .into_iter()
        .zip(times)
        .zip(answered)
    {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{name:12} {} keystrokes, {:.0} % answered: p50 {:.3} ms  p99 {:.3} ms  max {:.3} ms",
            times.len(),
            100.0 * answered as f64 / times.len() as f64,
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    for q in ["", "s", "fauc", "kitchn si", "ceiling f", "led "] {
        let params = SuggestParams {
            q: q.to_owned(),
            limit: 8,
            kinds: Vec::new(),
        };
        let found = shop.suggest(&params)?.suggestions.into_iter();
        let found: Vec<_> = found
            .map(|s| format!("{} ({:?} {})", s.text, s.kind, s.items))
            .collect();
        println!("{q:10} {}", found.join(", "));
    }
    Ok(())
}

/// Swaps two letters of a text.
fn with_typo(text: &str, rng: &mut StdRng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.len() > 3 {
        let at = rng.random_range(1..chars.len() - 1);
        chars.swap(at, at + 1);
    }
    chars.into_iter().collect()
}
