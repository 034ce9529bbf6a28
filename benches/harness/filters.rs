//! Filtered search over the vectors of a file: recall and time at each selectivity, with matches at
//! random, around one vector (as those of a category are), and both. The ground truth is the exact
//! scan of the same index.

use std::{path::PathBuf, sync::Arc, time::Instant};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;
use vitrine::{
    distance,
    index::{CandidateFilter, Codes, Progress, SealedSegment, SearchParams, SpaceIndex},
    schemas::Metric,
};

mod npy;

#[derive(Parser)]
struct Args {
    /// Vectors to index: .npy, f32, two dimensions.
    #[arg(long)]
    base: PathBuf,
    /// Vectors to search for.
    #[arg(long)]
    queries: PathBuf,
    /// Compare by cosine, not L2; the vectors have unit norm.
    #[arg(long)]
    cosine: bool,
    /// Number of queries used.
    #[arg(long, default_value_t = 500)]
    limit: usize,
    /// Beam width of the searches.
    #[arg(long, default_value_t = 64)]
    ef: usize,
}

const K: usize = 10;
const SELECTIVITIES: [f64; 6] = [0.5, 0.2, 0.1, 0.04, 0.01, 0.001];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let metric = if args.cosine {
        Metric::Cosine
    } else {
        Metric::L2
    };
    let base = npy::Matrix::read(&args.base)?;
    let queries = npy::Matrix::read(&args.queries)?;
    let queries: Vec<_> = queries.rows().take(args.limit).collect();
    let vectors: Vec<_> = (0..).zip(base.rows()).collect();
    let sealed = SealedSegment::build(
        metric,
        base.columns,
        &vectors,
        Codes::Projected,
        &Progress::default(),
    )?;
    let index = SpaceIndex::from_segments(
        base.columns,
        metric,
        Codes::Projected,
        vec![Arc::new(sealed)],
    );
    let mut random = StdRng::seed_from_u64(1);
    let mut by_distance: Vec<(f32, u32)> = {
        let pivot = vectors[random.random_range(0..vectors.len())].1;
        let row = |(n, v): &(u32, &[f32])| (distance::distance(metric, pivot, v), *n);
        vectors.iter().map(row).collect()
    };
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0));
    let around = |share: f64| -> RoaringBitmap {
        let count = (share * vectors.len() as f64).ceil() as usize;
        by_distance[..count].iter().map(|(_, n)| *n).collect()
    };
    let mut some = |share: f64| -> RoaringBitmap {
        let ids = vectors.iter().map(|(n, _)| *n);
        ids.filter(|_| random.random_bool(share)).collect()
    };
    println!(
        "| filter | matches | plan | recall@10 | distances | mean time, x unfiltered |\n|---|---|---|---|---|---|"
    );
    let all = (0..vectors.len() as u32).collect::<RoaringBitmap>().into();
    let unfiltered = report(&index, &queries, "none", &all, args.ef, None)?;
    for share in SELECTIVITIES {
        let name = |kind| format!("{kind}, {} %", share * 100.0);
        let half = share.sqrt();
        for (kind, allowed) in [
            ("random", some(share)),
            ("around one vector", around(share)),
            ("both at once", some(half) & around(half)),
        ] {
            report(
                &index,
                &queries,
                &name(kind),
                &allowed.into(),
                args.ef,
                Some(unfiltered),
            )?;
        }
    }
    Ok(())
}

/// Prints a line and returns the mean seconds of a search.
fn report(
    index: &SpaceIndex,
    queries: &[&[f32]],
    name: &str,
    filter: &CandidateFilter,
    ef: usize,
    unfiltered: Option<f64>,
) -> vitrine::Result<f64> {
    let search = |exact| -> vitrine::Result<Vec<_>> {
        let params = SearchParams {
            k: K,
            ef: Some(ef),
            exact,
            filter: Some(filter),
            deadline: None,
        };
        queries.iter().map(|q| index.search(q, &params)).collect()
    };
    let truth = search(true)?;
    search(false)?;
    let started = Instant::now();
    let found = search(false)?;
    let mean = started.elapsed().as_secs_f64() / queries.len() as f64;
    let (mut hits, mut total) = (0, 0);
    for ((truth, _), (found, _)) in truth.iter().zip(&found) {
        assert_eq!(truth.len(), found.len(), "min(limit, matches) results");
        let last = truth.last().map_or(0.0, |n| n.distance);
        hits += found.iter().filter(|n| n.distance <= last).count();
        total += truth.len();
    }
    let compared: u64 = found.iter().map(|(_, trace)| trace.compared).sum();
    println!(
        "| {name} | {} | {} | {:.4} | {:.0} | {:.2} |",
        filter.internal_ids().len(),
        found.first().map_or("", |(_, trace)| trace.plan.as_str()),
        hits as f64 / total.max(1) as f64,
        compared as f64 / found.len().max(1) as f64,
        mean / unfiltered.unwrap_or(mean),
    );
    Ok(mean)
}
