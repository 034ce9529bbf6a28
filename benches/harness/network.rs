//! Time to score all items by a network on sequences, by the vectors themselves and by their int8
//! codes as served, and how far the two agree. Weights are random, of the size of trained ones. The
//! mean is that of the time on the processor, to which other work on the machine adds little.
//!
//!     cargo run --release --workspace --example network -- --items 100000

mod random_network;

use std::{collections::HashSet, error::Error, fs, sync::Arc, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng};
use vitrine::cf::{Recommender, ServedNetwork};

use crate::random_network::random_network;

/// Depth of the lists that are compared.
const K: usize = 20;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    /// Length of item vectors and of the state.
    #[arg(long, default_value_t = 64)]
    dim: usize,
    /// Items of a session.
    #[arg(long, default_value_t = 50)]
    session: usize,
    #[arg(long, default_value_t = 2_000)]
    queries: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let model = Arc::new(random_network(args.items, args.dim)?);
    let served = ServedNetwork::new(model.clone());
    let sessions = sessions(&args);
    println!(
        "{} items, {} components, sessions of {} items, one thread",
        args.items, args.dim, args.session
    );
    println!("  mean    p50    p95    p99  ms");
    measure("state alone", &sessions, |session, _| {
        std::hint::black_box(model.state(session));
    });
    measure("all items by vectors", &sessions, |session, out| {
        model.scores(session, out);
    });
    measure(
        "all items by codes, as served",
        &sessions,
        |session, out| {
            served.scores(session, out);
        },
    );
    let (mut exact, mut coded, mut common) = (Vec::new(), Vec::new(), 0);
    for session in &sessions {
        model.scores(session, &mut exact);
        served.scores(session, &mut coded);
        common += best(&exact).intersection(&best(&coded)).count();
    }
    let share = common as f64 / (K * sessions.len()) as f64;
    println!("share of the first {K} items in common: {share:.4}");
    Ok(())
}

fn sessions(args: &Args) -> Vec<Vec<(u32, f32)>> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut item = || (rng.random_range(0..args.items as u32), 1.0);
    let mut session = || (0..args.session).map(|_| item()).collect();
    (0..args.queries).map(|_| session()).collect()
}

fn measure(
    name: &str,
    sessions: &[Vec<(u32, f32)>],
    mut query: impl FnMut(&[(u32, f32)], &mut Vec<f32>),
) {
    let mut out = Vec::new();
    let time = |session: &Vec<(u32, f32)>| {
        let started = Instant::now();
        query(session, &mut out);
        started.elapsed().as_secs_f64() * 1e3
    };
    let before = thread_seconds();
    let mut times: Vec<f64> = sessions.iter().map(time).collect();
    let mean = (thread_seconds() - before) * 1e3 / sessions.len() as f64;
    times.sort_by(f64::total_cmp);
    let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    println!(
        "{mean:6.2} {:6.2} {:6.2} {:6.2}  {name}",
        quantile(0.5),
        quantile(0.95),
        quantile(0.99)
    );
}

/// Returns the time of this thread on a processor in seconds; 0 where `/proc` does not tell.
fn thread_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e9
}

fn best(scores: &[f32]) -> HashSet<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.select_nth_unstable_by(K, |a, b| scores[*b].total_cmp(&scores[*a]));
    order[..K].iter().copied().collect()
}
