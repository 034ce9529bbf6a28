//! Latency of recommendations and personalized searches with many items and events. Synthetic data:
//! items around some hundred centers, users who like a few of them, popularity by Zipf's law.
//!
//!     cargo run --release --workspace --example recommend -- --items 100000 --events 1000000

mod random_network;

use std::{error::Error, path::PathBuf, sync::Arc, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal, Zipf};
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Options, Shopper, Target, VectorSearch,
    schemas::{Event, Item, RecommendRequest},
};

use crate::random_network::random_network;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Number of cluster centers of the items; four of them make a category.
const CENTERS: usize = 400;

/// Items or events written per call.
const BATCH: usize = 2_000;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    #[arg(long, default_value_t = 50_000)]
    users: usize,
    #[arg(long, default_value_t = 64)]
    dim: usize,
    /// Number of queries of each kind.
    #[arg(long, default_value_t = 2_000)]
    queries: usize,
    /// Data directory, which is reused; a temporary one by default.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Synthetic items and preferences of users.
struct World {
    args: Args,
    centers: Vec<Vec<f32>>,
    popularity: Zipf<f64>,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let path = args
        .data
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    let world = World::new(args)?;
    let (db, shop) = timed("open", || world.open(&path))?;
    if shop.count(None)? == 0 {
        timed("items", || world.put_items(&shop))?;
        timed("events", || world.put_events(&db))?;
    }
    timed("seal", || Ok(db.optimize("shop")?))?;
    let info = timed("train", || Ok(shop.train(&vitrine::Training::default())?))?;
    println!(
        "{} items, {} items in events, {} users, {} threads",
        shop.count(None)?,
        info.interactions,
        info.people,
        std::thread::available_parallelism()?
    );
    println!("   p50    p95    p99    max  ms, one at a time");
    world.measure(&shop)?;
    let network = Arc::new(random_network(world.args.items, world.args.dim)?);
    let training = vitrine::Training {
        network: Some(network),
        ..Default::default()
    };
    timed("train with a network", || Ok(shop.train(&training)?))?;
    world.measure_network(&shop)
}

fn timed<T>(step: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let started = Instant::now();
    let result = work()?;
    eprintln!("{step}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(result)
}

impl World {
    fn new(args: Args) -> Outcome<Self> {
        let mut rng = StdRng::seed_from_u64(1);
        let center = |_| {
            (0..args.dim)
                .map(|_| StandardNormal.sample(&mut rng))
                .collect()
        };
        let centers = (0..CENTERS).map(center).collect();
        let of_center = args.items.div_ceil(CENTERS).max(1);
        Ok(Self {
            popularity: Zipf::new(of_center as f64, 1.0)?,
            centers,
            args,
        })
    }

    fn open(&self, path: &std::path::Path) -> Outcome<(Database, Arc<Collection>)> {
        // No background work during measurements.
        let options = Options {
            index_threads: 0,
            ..Options::default()
        };
        let db = Database::open(path, options)?;
        let config = json!({"vectors": {"shared": {"dim": self.args.dim, "metric": "cosine"}}});
        let shop = db.create_collection("shop", serde_json::from_value(config)?)?;
        Ok((db, shop))
    }

    fn put_items(&self, shop: &Collection) -> Outcome<()> {
        let mut rng = StdRng::seed_from_u64(2);
        let numbers: Vec<_> = (0..self.args.items).collect();
        for batch in numbers.chunks(BATCH) {
            let items: Result<Vec<Item>, _> = batch
                .iter()
                .map(|n| {
                    serde_json::from_value(json!({
                        "id": format!("sku-{n}"), "title": format!("Product number {n}"),
                        "description": "A thing of some use, with a text as long as those of shops are at least.",
                        "category": format!("Aisle {} > Shelf {}", n % CENTERS / 40, n % CENTERS / 4),
                        "brand": format!("Brand {}", n % 500), "price": {"amount": n % 300},
                        "vectors": {"shared": self.near(n % CENTERS, &mut rng)}
                    }))
                })
                .collect();
            for outcome in shop.upsert(items?)? {
                outcome?;
            }
        }
        Ok(())
    }

    fn put_events(&self, db: &Database) -> Outcome<()> {
        let mut rng = StdRng::seed_from_u64(3);
        let numbers: Vec<_> = (0..self.args.events).collect();
        for batch in numbers.chunks(BATCH) {
            let events: Result<Vec<Event>, _> = batch
                .iter()
                .map(|n| {
                    let user = rng.random_range(0..self.args.users);
                    let second = 1_750_000_000 + 15_000_000 * n / self.args.events;
                    let time = chrono::DateTime::<chrono::Utc>::from_timestamp(second as i64, 0);
                    serde_json::from_value(json!({
                        "id": format!("e{n}"), "kind": if n % 10 == 0 { "purchase" } else { "view" },
                        "collection": "shop", "user": format!("user-{user}"),
                        "items": [format!("sku-{}", self.liked(user, &mut rng))], "ts": time.map(|t| t.to_rfc3339())
                    }))
                })
                .collect();
            db.append_events(&events?)?;
        }
        Ok(())
    }

    /// Returns a random vector around a center.
    fn near(&self, center: usize, rng: &mut StdRng) -> Vec<f32> {
        let noise = |x: &f32| {
            let noise: f32 = StandardNormal.sample(rng);
            x + 0.7 * noise
        };
        self.centers[center].iter().map(noise).collect()
    }

    /// Returns a random item of one of the user's centers.
    fn liked(&self, user: usize, rng: &mut StdRng) -> usize {
        let center = (user * 7 + rng.random_range(0..5) * 31) % CENTERS;
        let rank = self.popularity.sample(rng) as usize - 1;
        (rank * CENTERS + center) % self.args.items
    }

    fn measure(&self, shop: &Collection) -> Outcome<()> {
        let recommend = |name: &str, more: Value| self.recommend(shop, name, &more);
        recommend("recommend: user", json!({}))?;
        recommend("recommend: user, a hundred", json!({"limit": 100}))?;
        recommend(
            "recommend: user, aisle of a tenth",
            json!({"categories": ["Aisle 3"]}),
        )?;
        recommend(
            "recommend: user, shelf of a hundredth",
            json!({"filter": "category = \"Aisle 3 > Shelf 33\""}),
        )?;
        recommend(
            "recommend: user, quotas",
            json!({"diversify": {"max_per": {"category": 2, "brand": 2}}}),
        )?;
        recommend("recommend: user, MMR", json!({"diversify": {"mmr": 0.7}}))?;
        let mut rng = StdRng::seed_from_u64(5);
        let mut search = |name: &str, known: bool, more: Value| -> Outcome<()> {
            self.each(name, || {
                let query = VectorSearch {
                    target: Target::Vector(self.near(rng.random_range(0..CENTERS), &mut rng)),
                    fingerprint: None,
                    space: "shared".to_owned(),
                    filter: None,
                    limit: 10,
                    ef: None,
                    exact: false,
                    with_vectors: false,
                    explain: false,
                    deadline: None,
                };
                let shopper = Shopper {
                    user: known.then(|| format!("user-{}", rng.random_range(0..self.args.users))),
                    diversify: serde_json::from_value(more.clone())?,
                    ..Shopper::default()
                };
                Ok(move || Ok(shop.search(&query.clone().into(), &shopper)?.hits.len()))
            })
        };
        search("search: vector", false, Value::Null)?;
        search("search: vector, user", true, Value::Null)?;
        search("search: vector, user, MMR", true, json!({"mmr": 0.7}))
    }

    /// Measures recommendations by a blend with a network on sequences.
    fn measure_network(&self, shop: &Collection) -> Outcome<()> {
        let weights = json!({"behavior": 1, "session": 1, "sequence": 1, "popularity": 0.2});
        let mut with_network = weights.clone();
        with_network["network"] = json!(1);
        let blend = |weights: &Value| json!({"blend": {"weights": weights}});
        self.recommend(
            shop,
            "recommend: user, blend without network",
            &blend(&weights),
        )?;
        self.recommend(
            shop,
            "recommend: user, blend with network",
            &blend(&with_network),
        )
    }

    fn recommend(&self, shop: &Collection, name: &str, more: &Value) -> Outcome<()> {
        let mut rng = StdRng::seed_from_u64(4);
        self.each(name, || {
            let user = rng.random_range(0..self.args.users);
            let mut body = json!({"user": format!("user-{user}"), "limit": 10});
            if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
                body.extend(more.clone());
            }
            let request: RecommendRequest = serde_json::from_value(body)?;
            Ok(move || Ok(shop.recommend(&request, None)?.hits.len()))
        })
    }

    /// Measures queries one at a time, without their preparation.
    fn each<Q: FnOnce() -> Outcome<usize>>(
        &self,
        name: &str,
        mut make: impl FnMut() -> Outcome<Q>,
    ) -> Outcome<()> {
        let mut times = Vec::with_capacity(self.args.queries);
        for n in 0..self.args.queries + 100 {
            let query = make()?;
            let started = Instant::now();
            if query()? == 0 {
                return Err(format!("{name}: no hits").into());
            }
            // The first hundred queries warm the caches.
            if n >= 100 {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        println!(
            "{:6.2} {:6.2} {:6.2} {:6.2}  {name}",
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            quantile(1.0)
        );
        Ok(())
    }
}
