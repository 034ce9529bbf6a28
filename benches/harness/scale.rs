//! The life of a large collection through the engine's public interface: import under searches,
//! merging, a clean restart, a third deleted and written again. Progress is written to standard
//! error, one line of JSON per phase to standard output.
//!
//! An interrupted import resumes when it is started again over the same folder (its rate is that of
//! the rest).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Options, Target, VectorSearch,
    schemas::{CollectionConfig, IndexInfo, Item},
};

mod npy;

#[derive(Parser)]
struct Args {
    /// Vectors of the items: .npy, f32, two dimensions.
    #[arg(long)]
    base: PathBuf,
    /// Vectors to search for.
    #[arg(long)]
    queries: PathBuf,
    /// Folder of the database; created unless it holds an unfinished import, and removed at the
    /// end.
    #[arg(long)]
    data: PathBuf,
    /// Number of items per write.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Number of items: the first ones of the file.
    #[arg(long, default_value_t = usize::MAX)]
    items: usize,
    /// Number of threads that seal and merge.
    #[arg(long, default_value_t = 1)]
    index_threads: usize,
    /// Run without concurrent searches: the work is done sooner, and no search times are measured.
    #[arg(long)]
    unwatched: bool,
    /// Number of queries whose recall is measured.
    #[arg(long, default_value_t = 300)]
    recall_queries: usize,
}

const K: usize = 10;
/// Maximum number of vectors that stay unsealed.
const MAX_UNSEALED: u64 = 10_000;
/// Share of the items that are deleted and written again.
const REPLACED: f64 = 0.3;
/// Share of the items written before searches are measured: searches among few items are fast.
const MIN_SEARCHED_SHARE: f64 = 0.1;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let args = Args::parse();
    let base = npy::Matrix::read(&args.base)?;
    let queries = npy::Matrix::read(&args.queries)?;
    let rows: Vec<&[f32]> = base.rows().take(args.items).collect();
    let queries: Vec<&[f32]> = queries.rows().collect();

    let (mut db, mut shop) = open(&args, base.columns)?;
    let written = shop.stats().items as usize;
    let min_items = (rows.len() as f64 * MIN_SEARCHED_SHARE) as u64;
    let searched = if args.unwatched {
        &[][..]
    } else {
        &queries[..]
    };
    let (import, measured) = measure(&shop, searched, min_items, || {
        write(&shop, &rows, (written..rows.len()).collect(), args.batch)
    });
    import?;
    report("import", rows.len() - written, &measured, &shop);
    let ((), measured) = measure(&shop, searched, 0, || settle(&shop));
    report("merge", rows.len(), &measured, &shop);
    let ((), measured) = measure(&shop, searched, 0, || thread::sleep(Duration::from_secs(5)));
    report("quiet", 0, &measured, &shop);

    let truth = truth(&shop, &queries[..args.recall_queries.min(queries.len())])?;
    let as_imported = (recall(&shop, &queries, &truth)?, index(&shop).segments);
    drop((shop, db));
    let started = Instant::now();
    (db, shop) = open(&args, base.columns)?;
    let seconds = started.elapsed().as_secs_f64();
    shop.search_vectors(&near(queries[0], false))?;
    let first = started.elapsed().as_secs_f64();
    let files = bytes_below(&args.data);
    println!(
        "{}",
        json!({"phase": "open", "seconds": seconds, "first_answer_seconds": first, "items": shop.stats().items,
               "disk_bytes": files, "raw_bytes": rows.len() * base.columns * 4, "rss_bytes": status("VmRSS")})
    );

    let mut some: Vec<usize> = (0..rows.len()).collect();
    some.shuffle(&mut StdRng::seed_from_u64(30));
    some.truncate((rows.len() as f64 * REPLACED) as usize);
    let (done, measured) = measure(&shop, searched, 0, || {
        let ids: Vec<_> = some.iter().map(usize::to_string).collect();
        for ids in ids.chunks(args.batch) {
            shop.delete(ids)?;
        }
        write(&shop, &rows, some.clone(), args.batch)
    });
    done?;
    report("delete and write again", 2 * some.len(), &measured, &shop);
    let ((), measured) = measure(&shop, searched, 0, || settle(&shop));
    report("merge", rows.len(), &measured, &shop);
    let replaced = (recall(&shop, &queries, &truth)?, index(&shop).segments);
    db.optimize("shop")?;
    let replaced_in_one = recall(&shop, &queries, &truth)?;
    drop((shop, db));
    fs::remove_dir_all(&args.data)?;

    // Baseline: an index built from scratch of the same vectors.
    (db, shop) = open(&args, base.columns)?;
    write(&shop, &rows, (0..rows.len()).collect(), args.batch)?;
    db.optimize("shop")?;
    let fresh = recall(&shop, &queries, &truth)?;
    println!(
        "{}",
        json!({"phase": "recall", "at": K, "queries": truth.len(), "as_imported": as_imported, "after_30_percent_replaced": replaced,
               "after_30_percent_replaced_in_one_segment": replaced_in_one, "fresh_in_one_segment": fresh})
    );
    drop((shop, db));
    fs::remove_dir_all(&args.data)?;
    Ok(())
}

fn open(args: &Args, dim: usize) -> Outcome<(Database, Arc<Collection>)> {
    let options = Options {
        index_threads: args.index_threads,
        ..Options::default()
    };
    let db = Database::open(&args.data, options)?;
    let config: CollectionConfig = serde_json::from_value(json!({
        "attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": dim, "metric": "l2"}}
    }))?;
    let shop = db.create_collection("shop", config)?;
    Ok((db, shop))
}

/// Returns a product as shops have them.
fn item(n: usize, vector: &[f32]) -> Outcome<Item> {
    let color = ["red", "green", "blue", "black"][n % 4];
    let fields = json!({
        "id": n.to_string(), "title": format!("Product number {n}"), "brand": format!("Brand {}", n % 997),
        "category": format!("Department {} > Shelf {}", n % 13, n % 211),
        "price": {"amount": (n * 7919 % 100_000) as f64 / 100.0, "currency": "EUR"},
        "attributes": {"color": color},
    });
    let mut item: Item = serde_json::from_value(fields)?;
    item.vectors.insert("shared".into(), vector.to_vec());
    Ok(item)
}

fn write(shop: &Collection, rows: &[&[f32]], indexes: Vec<usize>, batch: usize) -> Outcome<()> {
    let started = Instant::now();
    let mut reported = Instant::now();
    for (done, chunk) in indexes.chunks(batch).enumerate() {
        let items = chunk.iter().map(|n| item(*n, rows[*n]));
        for outcome in shop.upsert(items.collect::<Result<_, _>>()?)? {
            outcome?;
        }
        if reported.elapsed() > Duration::from_secs(5) {
            reported = Instant::now();
            let done = (done + 1) * batch;
            let rate = done as f64 / started.elapsed().as_secs_f64();
            let of = indexes.len();
            eprintln!(
                "{done} of {of} written, {rate:.0} a second; {:?}",
                index(shop)
            );
        }
    }
    Ok(())
}

/// Waits until sealing and merging are done.
fn settle(shop: &Collection) {
    let mut reported = Instant::now();
    // Polls are counted, not time: the process may be suspended for a while.
    let mut quiet = 0;
    while quiet < 60 {
        let state = index(shop);
        quiet += 1;
        if state.unsealed >= MAX_UNSEALED || state.building.is_some() {
            quiet = 0;
        }
        if reported.elapsed() > Duration::from_secs(5) {
            reported = Instant::now();
            eprintln!("merging; {state:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn index(shop: &Collection) -> IndexInfo {
    shop.stats().indexes["shared"].clone()
}

struct Measurements {
    seconds: f64,
    /// Seconds during which searches ran.
    searching: f64,
    /// Latency of each search in milliseconds.
    searches: Vec<f64>,
}

/// Runs `work` while another thread searches without a pause, once there are `min_items` items.
fn measure<T>(
    shop: &Collection,
    queries: &[&[f32]],
    min_items: u64,
    work: impl FnOnce() -> T,
) -> (T, Measurements) {
    let finished = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let searching = scope.spawn(|| {
            let mut searches = Vec::new();
            while shop.stats().items < min_items && !finished.load(Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            let began = Instant::now();
            for query in queries.iter().cycle() {
                if finished.load(Relaxed) {
                    break;
                }
                let started = Instant::now();
                shop.search_vectors(&near(query, false)).expect("an answer");
                searches.push(started.elapsed().as_secs_f64() * 1e3);
            }
            (began.elapsed().as_secs_f64(), searches)
        });
        let done = work();
        let seconds = started.elapsed().as_secs_f64();
        finished.store(true, Relaxed);
        let (searching, searches) = searching.join().expect("searches succeeded");
        let measured = Measurements {
            seconds,
            searching,
            searches,
        };
        (done, measured)
    })
}

fn report(phase: &str, items: usize, measured: &Measurements, shop: &Collection) {
    let mut sorted = measured.searches.clone();
    sorted.sort_by(f64::total_cmp);
    let percentile = |share: f64| {
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share) as usize).copied()
    };
    let state = serde_json::to_value(index(shop)).unwrap_or(Value::Null);
    println!(
        "{}",
        json!({
            "phase": phase, "items": items, "seconds": measured.seconds, "items_per_second": items as f64 / measured.seconds,
            "qps": sorted.len() as f64 / measured.searching, "p50_ms": percentile(0.5), "p99_ms": percentile(0.99), "slowest_ms": percentile(1.0),
            "rss_bytes": status("VmRSS"), "peak_rss_bytes": status("VmHWM"), "index": state,
        })
    );
}

fn near(query: &[f32], exact: bool) -> VectorSearch {
    VectorSearch {
        target: Target::Vector(query.to_vec()),
        fingerprint: None,
        space: "shared".into(),
        filter: None,
        limit: K,
        ef: None,
        exact,
        with_vectors: false,
        explain: false,
        deadline: None,
    }
}

/// Returns the score of the `K`-th nearest of each query.
fn truth(shop: &Collection, queries: &[&[f32]]) -> Outcome<Vec<f32>> {
    let last = |query: &&[f32]| {
        let hits = shop.search_vectors(&near(query, true))?.hits;
        Ok(hits.last().map_or(0.0, |hit| hit.score))
    };
    queries.iter().map(last).collect()
}

/// Returns the share of hits as near as the true ones; ties count.
fn recall(shop: &Collection, queries: &[&[f32]], truth: &[f32]) -> Outcome<f64> {
    let mut good = 0;
    for (query, min_score) in queries.iter().zip(truth) {
        let hits = shop.search_vectors(&near(query, false))?.hits;
        good += hits.iter().filter(|hit| hit.score >= *min_score).count();
    }
    Ok(good as f64 / (K * truth.len()) as f64)
}

/// Returns a memory figure of this process, in bytes.
fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(m) if m.is_dir() => bytes_below(&entry.path()),
        Ok(m) => m.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
