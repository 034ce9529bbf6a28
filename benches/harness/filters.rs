//! Filtered search, and search for vectors that are far from all others: recall and time.
//!
//! Vectors are those of a file, or clusters as those of a shop. Filters match vectors at random (as
//! a price does), around one vector near the query or far from it (as a category does), and both
//! at once. The ground truth is the exact scan of the same index; times are ratios to unfiltered
//! searches for the same queries.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;
use vitrine::{
    distance,
    index::{CandidateFilter, Codes, Progress, SealedSegment, SearchParams, SpaceIndex},
    schemas::Metric,
};

mod clustered;
mod codes;
mod npy;

use self::codes::CodesName;

#[derive(Parser)]
struct Args {
    /// Vectors to index: .npy, f32, two dimensions. Without a file: clustered vectors.
    #[arg(long, requires = "queries")]
    base: Option<PathBuf>,
    /// Vectors to search for.
    #[arg(long)]
    queries: Option<PathBuf>,
    /// Compare by cosine, not L2; the vectors have unit norm. Always for clustered vectors.
    #[arg(long)]
    cosine: bool,
    /// Number of clustered vectors.
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    /// Number of their components.
    #[arg(long, default_value_t = 64)]
    dim: usize,
    /// Number of segments.
    #[arg(long, default_value_t = 5)]
    segments: usize,
    #[arg(long, default_value = "auto")]
    quantization: CodesName,
    /// Folder that built segments are kept in, and taken from at the next run.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Number of queries of each kind.
    #[arg(long, default_value_t = 60)]
    limit: usize,
    /// Beam width of the searches; the default of the product if it is not given.
    #[arg(long)]
    ef: Option<usize>,
    /// Only the searches without a filter.
    #[arg(long)]
    unfiltered: bool,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const K: usize = 10;
const SHARES: [f64; 9] = [0.87, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.0003];

/// Number of times that a search is repeated; the fastest counts, since other programs interrupt.
const PASSES: usize = 5;

/// Number of vectors that filters may be around.
const PIVOTS: usize = 8;

fn main() -> Outcome<()> {
    let args = Args::parse();
    let (metric, dim, base, queries) = vectors(&args)?;
    let rows: Vec<_> = (0..).zip(base.chunks_exact(dim)).collect();
    let index = build(&args, metric, dim, &rows)?;
    let queries: Vec<_> = queries.chunks_exact(dim).take(args.limit).collect();
    let far = clustered::directions(dim, queries.len(), 3);
    let far: Vec<_> = far.chunks_exact(dim).collect();
    let bench = Bench { index, ef: args.ef };
    println!(
        "| filter | matches | plan | recall@10 | worst | distances | µs | x unfiltered |\n|---|---|---|---|---|---|---|---|"
    );
    let all = Arc::new((0..rows.len() as u32).collect::<RoaringBitmap>().into());
    let unfiltered = bench.report("none", &with_one(&queries, &all), None)?;
    bench.report(
        "none, random directions",
        &with_one(&far, &all),
        Some(unfiltered),
    )?;
    if args.unfiltered {
        return Ok(());
    }
    let groups = Groups::new(metric, &rows);
    let mut random = StdRng::seed_from_u64(2);
    for share in SHARES {
        let name = |kind| format!("{kind}, {} %", share * 100.0);
        let mut some = |share: f64| -> RoaringBitmap {
            let ids = 0..rows.len() as u32;
            ids.filter(|_| random.random_bool(share)).collect()
        };
        let half = some(share.sqrt());
        let random = Arc::new(some(share).into());
        let around = groups.around(share, None);
        let both = groups.around(share.sqrt(), Some(&half));
        for (kind, searches) in [
            ("random", with_one(&queries, &random)),
            ("near", groups.searches(&queries, &around, Side::Near)),
            ("far", groups.searches(&queries, &around, Side::Far)),
            (
                "near and random",
                groups.searches(&queries, &both, Side::Near),
            ),
            (
                "far and random",
                groups.searches(&queries, &both, Side::Far),
            ),
        ] {
            bench.report(&name(kind), &searches, Some(unfiltered))?;
        }
    }
    Ok(())
}

/// Returns the metric, the dimension, the vectors to index and those to search for.
fn vectors(args: &Args) -> Outcome<(Metric, usize, Vec<f32>, Vec<f32>)> {
    if let (Some(base), Some(queries)) = (&args.base, &args.queries) {
        let metric = if args.cosine {
            Metric::Cosine
        } else {
            Metric::L2
        };
        let base = npy::Matrix::read(base)?;
        let queries = npy::Matrix::read(queries)?;
        return Ok((metric, base.columns, base.into_data(), queries.into_data()));
    }
    let clusters = clustered::Clustered::new(args.dim);
    let (base, queries) = (
        clusters.vectors(args.vectors, 1),
        clusters.vectors(args.limit, 2),
    );
    Ok((Metric::Cosine, args.dim, base, queries))
}

/// Builds the index, or opens its segments.
fn build(args: &Args, metric: Metric, dim: usize, rows: &[(u32, &[f32])]) -> Outcome<SpaceIndex> {
    let codes = Codes::from(args.quantization);
    let per_segment = rows.len().div_ceil(args.segments.max(1));
    let folder = args.cache.as_deref();
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let sealed = rows.chunks(per_segment).enumerate().map(|(n, rows)| {
        let file = |folder: &Path| folder.join(format!("{}x{dim}-{codes:?}-{n}.seg", rows.len()));
        let file = folder.map(file);
        if let Some(file) = file.as_deref().filter(|file| file.exists()) {
            return Ok(Arc::new(SealedSegment::open(file)?));
        }
        let segment = SealedSegment::build(metric, dim, rows, codes, &Progress::default())?;
        if let Some(file) = &file {
            segment.save(file)?;
        }
        Ok::<_, vitrine::Error>(Arc::new(segment))
    });
    let started = Instant::now();
    let sealed = sealed.collect::<vitrine::Result<Vec<_>>>()?;
    let used = sealed.first().map(|segment| segment.codes());
    println!(
        "{} x {dim}, {} segments, codes {used:?}, built or opened in {:.0} s",
        rows.len(),
        sealed.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(SpaceIndex::from_segments(dim, metric, codes, sealed))
}

/// A query and its filter.
type Searches<'a> = Vec<(&'a [f32], Arc<CandidateFilter>)>;

fn with_one<'a>(queries: &[&'a [f32]], filter: &Arc<CandidateFilter>) -> Searches<'a> {
    queries.iter().map(|q| (*q, filter.clone())).collect()
}

/// All vectors by distance from a few of them.
struct Groups<'a> {
    metric: Metric,
    pivots: Vec<(&'a [f32], Vec<u32>)>,
}

#[derive(Clone, Copy)]
enum Side {
    Near,
    Far,
}

impl<'a> Groups<'a> {
    fn new(metric: Metric, rows: &[(u32, &'a [f32])]) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let pivot = |_| {
            let pivot = rows[random.random_range(0..rows.len())].1;
            let distances = rows
                .iter()
                .map(|(n, v)| (distance::distance(metric, pivot, v), *n));
            let mut distances: Vec<_> = distances.collect();
            distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            (pivot, distances.into_iter().map(|(_, n)| n).collect())
        };
        Self {
            metric,
            pivots: (0..PIVOTS).map(pivot).collect(),
        }
    }

    /// Returns a filter around each pivot that matches a share of the vectors, and only those of
    /// `within`.
    fn around(&self, share: f64, within: Option<&RoaringBitmap>) -> Vec<Arc<CandidateFilter>> {
        let filter = |(_, ids): &(_, Vec<u32>)| {
            let count = (share * ids.len() as f64).ceil() as usize;
            let mut matching: RoaringBitmap = ids[..count].iter().collect();
            if let Some(within) = within {
                matching &= within;
            }
            Arc::new(matching.into())
        };
        self.pivots.iter().map(filter).collect()
    }

    /// Gives each query the filter around the pivot that is nearest to it, or farthest from it.
    fn searches<'q>(
        &self,
        queries: &[&'q [f32]],
        filters: &[Arc<CandidateFilter>],
        side: Side,
    ) -> Searches<'q> {
        let search = |query: &&'q [f32]| {
            let distance = |n: &usize| distance::distance(self.metric, query, self.pivots[*n].0);
            let by_distance = |a: &usize, b: &usize| distance(a).total_cmp(&distance(b));
            let chosen = match side {
                Side::Near => (0..PIVOTS).min_by(by_distance),
                Side::Far => (0..PIVOTS).max_by(by_distance),
            };
            Some((*query, filters[chosen?].clone()))
        };
        queries.iter().filter_map(search).collect()
    }
}

struct Bench {
    index: SpaceIndex,
    ef: Option<usize>,
}

impl Bench {
    /// Prints a line and returns the mean seconds of a search.
    fn report(
        &self,
        name: &str,
        searches: &Searches<'_>,
        unfiltered: Option<f64>,
    ) -> vitrine::Result<f64> {
        let (mut recalls, mut seconds, mut compared, mut matching) = (Vec::new(), 0.0, 0, 0);
        let mut plan = "";
        for (query, filter) in searches {
            let search = |exact| {
                let params = SearchParams {
                    k: K,
                    ef: self.ef,
                    exact,
                    filter: Some(filter),
                    deadline: None,
                };
                self.index.search(query, &params)
            };
            let (truth, _) = search(true)?;
            let mut fastest = f64::INFINITY;
            for _ in 0..PASSES {
                let started = Instant::now();
                search(false)?;
                fastest = fastest.min(started.elapsed().as_secs_f64());
            }
            let (found, stats) = search(false)?;
            assert_eq!(truth.len(), found.len(), "min(limit, matches) results");
            let last = truth.last().map_or(0.0, |n| n.distance);
            let hits = found.iter().filter(|n| n.distance <= last).count();
            recalls.push(hits as f64 / truth.len().max(1) as f64);
            seconds += fastest;
            compared += stats.distance_computations;
            matching += stats.matching;
            plan = stats.plan.as_str();
        }
        let mean = |sum: f64| sum / searches.len().max(1) as f64;
        println!(
            "| {name} | {:.0} | {plan} | {:.4} | {:.1} | {:.0} | {:.0} | {:.2} |",
            mean(matching as f64),
            mean(recalls.iter().sum()),
            recalls.iter().copied().fold(1.0, f64::min),
            mean(compared as f64),
            mean(seconds) * 1e6,
            mean(seconds) / unfiltered.unwrap_or(mean(seconds)),
        );
        Ok(mean(seconds))
    }
}
