//! Time, speed and memory on a large synthetic shop.

use std::{fs, time::Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Zipf};
use roaring::RoaringBitmap;
use vitrine::cf::{Matrix, Recommender, Request};

use crate::{Outcome, settings};

/// Number of users who get recommendations.
const TEST_USERS: usize = 10_000;

/// Share of a user's events that stay in one cluster of the catalog.
const CLUSTER_SHARE: f64 = 0.8;

/// Number of clusters of the catalog.
const CLUSTERS: usize = 300;

#[derive(clap::Args)]
pub struct Args {
    /// Model with options, `name:key=value,...`; one per process, whose memory is reported.
    #[arg(long)]
    model: String,
    /// Number of users.
    #[arg(long, default_value_t = 1_500_000)]
    users: usize,
    /// Number of items.
    #[arg(long, default_value_t = 150_000)]
    items: usize,
    /// Number of events; users and items are drawn by Zipf's law.
    #[arg(long, default_value_t = 10_000_000)]
    events: usize,
    /// Seed of the events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &Args) -> Outcome<()> {
    let train = Matrix::from_triples(args.users, args.items, events(args)?)?;
    let data = peak()?;
    let start = Instant::now();
    let model = settings::fit(&args.model, &train)?;
    let fit = start.elapsed().as_secs_f64();
    let fitted = peak()?;
    let speed = speed(&model, &train);
    let bytes = model.to_bytes()?.len();
    println!(
        "{} users, {} items, {} pairs of {} events: peak {:.2} GiB (data {:.2}), fit {fit:.1} s, {speed:.0} users/s, stored {:.2} GiB  {}",
        args.users,
        args.items,
        train.len(),
        args.events,
        gib(fitted),
        gib(data),
        gib(bytes as u64),
        args.model
    );
    Ok(())
}

fn events(args: &Args) -> Outcome<impl Iterator<Item = (u32, u32, f32)>> {
    let mut rng = StdRng::seed_from_u64(args.seed);
    let (users, items) = (args.users as u32, args.items as u32);
    // Exponents of a typical shop: the most active user has thousands of events, the most popular
    // item tens of thousands.
    let of_user = Zipf::new(args.users as f64, 0.6)?;
    let of_item = Zipf::new(args.items as f64, 0.8)?;
    let rank = move |law: &Zipf<f64>, rng: &mut StdRng| law.sample(rng) as u32 - 1;
    Ok((0..args.events).map(move |_| {
        let user = rank(&of_user, &mut rng).min(users - 1);
        let mut item = rank(&of_item, &mut rng).min(items - 1);
        if rng.random_bool(CLUSTER_SHARE) {
            let cluster = (user as usize * 7919 % CLUSTERS) as u32;
            item = item / CLUSTERS as u32 * CLUSTERS as u32 + cluster;
        }
        (user, item.min(items - 1), 1.0)
    }))
}

/// Returns recommendations per second; items that a user has are excluded.
fn speed(model: &dyn Recommender, train: &Matrix) -> f64 {
    let step = (train.rows() / TEST_USERS).max(1);
    let users: Vec<_> = (0..train.rows()).step_by(step).collect();
    let history = |user: &usize| -> Vec<_> {
        let row = train.row(*user);
        row.iter().map(|(i, w)| (i as u32, w)).collect()
    };
    let histories: Vec<_> = users.iter().map(history).collect();
    let seen = |history: &Vec<(u32, f32)>| history.iter().map(|h| h.0).collect();
    let seen: Vec<RoaringBitmap> = histories.iter().map(seen).collect();
    let requests = histories.iter().zip(&seen);
    let requests: Vec<_> = requests
        .map(|(history, excluded)| Request { history, excluded })
        .collect();
    let start = Instant::now();
    let recommended = model.recommend_many(&requests, 20);
    recommended.len() as f64 / start.elapsed().as_secs_f64()
}

/// Returns the peak memory of the process so far, in bytes.
fn peak() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmHWM in /proc/self/status")?.parse::<u64>()? << 10)
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1_u32 << 30)
}
