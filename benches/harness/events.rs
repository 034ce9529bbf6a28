//! Cost of events: storing, memory, startup and training. Prints one JSON object.
//!
//! Users and items are drawn by Zipf's law (exponents 0.7 and 0.9); half of the events have a
//! session; four fifths are views, the rest purchases.

use std::{path::PathBuf, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, distr::Distribution, rngs::StdRng};
use rand_distr::Zipf;
use serde_json::json;
use vitrine::{
    Database, Options, Training,
    schemas::{CollectionConfig, Event, EventKind, ModelChoice},
};

const BATCH: usize = 1000;

/// Period of the events, in seconds: two years.
const PERIOD_SECONDS: i64 = 2 * 365 * 86_400;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    #[arg(long, default_value_t = 150_000)]
    users: usize,
    #[arg(long, default_value_t = 15_000)]
    items: usize,
    /// Data directory, which must not exist.
    #[arg(long)]
    data: PathBuf,
    /// Train item-kNN at the end.
    #[arg(long)]
    train: bool,
}

fn main() {
    let args = Args::parse();
    let options = || Options {
        index_threads: 0,
        ..Options::default()
    };
    let config: CollectionConfig =
        serde_json::from_value(json!({"vectors": {"shared": {"dim": 2}}})).expect("a config");
    let started = Instant::now();
    let db = Database::open(&args.data, options()).expect("open");
    db.create_collection("shop", config).expect("create");
    let mut events = Events::new(&args);
    let mut left = args.events;
    while left > 0 {
        let batch: Vec<_> = (0..BATCH.min(left)).map(|_| events.next()).collect();
        left -= batch.len();
        db.append_events(&batch).expect("stored");
    }
    let stored = started.elapsed().as_secs_f64();
    let written = db.info("shop").expect("there").events;
    db.flush().expect("flushed");
    drop(db);
    let started = Instant::now();
    let db = Database::open(&args.data, options()).expect("open");
    let opened = started.elapsed().as_secs_f64();
    let info = db.info("shop").expect("there").events;
    assert_eq!(info.touches, written.touches);
    let resident = status("VmRSS");
    let started = Instant::now();
    let trained = args.train.then(|| {
        let shop = db.collection("shop").expect("there");
        let training = Training {
            model: Some(ModelChoice::ItemKnn),
            ..Training::default()
        };
        shop.train(&training).expect("trained")
    });
    let report = json!({
        "events": args.events,
        "users": info.users,
        "sessions": info.sessions,
        "items": info.items,
        "store_events_per_s": (args.events as f64 / stored).round(),
        "open_seconds": opened,
        "log_mib": info.memory_bytes >> 20,
        "log_bytes_per_event": info.memory_bytes as f64 / args.events as f64,
        "resident_mib_after_open": resident >> 10,
        "train_seconds": trained.as_ref().map(|_| started.elapsed().as_secs_f64()),
        "train_estimated_mib": trained.as_ref().map(|t| t.estimated_bytes >> 20),
        "model_mib": trained.as_ref().map(|t| t.stored_bytes >> 20),
        "peak_resident_mib": status("VmHWM") >> 10,
    });
    println!("{report}");
}

/// Returns a memory figure of this process in KiB, from /proc.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    let figure = line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok());
    figure.unwrap_or(0)
}

struct Events {
    random: StdRng,
    users: Zipf<f64>,
    items: Zipf<f64>,
    number: u64,
    /// Seconds between events.
    interval: f64,
}

impl Events {
    fn new(args: &Args) -> Self {
        Self {
            random: StdRng::seed_from_u64(1),
            users: Zipf::new(args.users as f64, 0.7).expect("users"),
            items: Zipf::new(args.items as f64, 0.9).expect("items"),
            number: 0,
            interval: PERIOD_SECONDS as f64 / args.events as f64,
        }
    }

    fn next(&mut self) -> Event {
        let user = self.users.sample(&mut self.random) as u64;
        let item = self.items.sample(&mut self.random) as u64;
        self.number += 1;
        let second = 1_700_000_000 + (self.number as f64 * self.interval) as i64;
        let time = chrono::DateTime::from_timestamp(second, 0).expect("a time");
        let has_session = self.random.random_bool(0.5);
        Event {
            id: Some(self.number.to_string()),
            kind: if self.random.random_bool(0.8) {
                EventKind::View
            } else {
                EventKind::Purchase
            },
            collection: "shop".into(),
            user: Some(format!("user-{user:08}")),
            // About three events per session.
            session: has_session.then(|| format!("session-{user:08}-{}", self.number / 3 % 64)),
            items: vec![format!("item-{item:07}")],
            ts: Some(time.to_rfc3339()),
            value: None,
            quantity: None,
            request_id: None,
            position: None,
        }
    }
}
