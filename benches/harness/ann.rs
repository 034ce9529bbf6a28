//! Builds a sealed segment of the vectors of a file and searches it with one thread, for
//! `benches/harness`.
//!
//! It prints one line of JSON for the build and one for each beam width; results are written to
//! .npy files.

use std::{fs, path::PathBuf, time::Instant};

use clap::{Parser, ValueEnum};
use vitrine::{
    index::{Progress, SealedSegment, SegmentQuery},
    schemas::Metric,
};

mod codes;
mod npy;

use self::codes::CodesName;

#[derive(Parser)]
struct Args {
    /// Vectors to index: .npy, f32, two dimensions.
    #[arg(long)]
    base: PathBuf,
    /// Vectors to search for.
    #[arg(long)]
    queries: PathBuf,
    /// l2, cosine (unit vectors) or dot.
    #[arg(long)]
    metric: MetricName,
    /// Codes that graph searches compare.
    #[arg(long)]
    quantization: CodesName,
    /// Number of threads of the build.
    #[arg(long, default_value_t = 2)]
    threads_build: usize,
    /// Number of neighbors per query.
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Beam widths of the searches.
    #[arg(long, value_delimiter = ',', required = true)]
    ef: Vec<usize>,
    /// Number of passes over the queries; the fastest counts.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Folder of the results.
    #[arg(long)]
    found: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum MetricName {
    L2,
    Cosine,
    Dot,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let metric = match args.metric {
        MetricName::L2 => Metric::L2,
        MetricName::Cosine => Metric::Cosine,
        MetricName::Dot => Metric::Dot,
    };
    let base = npy::Matrix::read(&args.base)?;
    let queries = npy::Matrix::read(&args.queries)?;
    let vectors: Vec<_> = (0..).zip(base.rows()).collect();
    let started = Instant::now();
    let progress = Progress::new(args.threads_build);
    let segment = SealedSegment::build(
        metric,
        base.columns,
        &vectors,
        args.quantization.into(),
        &progress,
    )?;
    let seconds = started.elapsed().as_secs_f64();
    // As in a server: the vectors are mapped from the file.
    fs::create_dir_all(&args.found)?;
    let file = args.found.join("index.seg");
    segment.save(&file)?;
    drop(segment);
    let segment = SealedSegment::open(&file)?;
    println!(
        "{}",
        serde_json::json!({
            "event": "built", "seconds": seconds, "vectors": vectors.len(),
            "bytes_per_vector": segment.bytes() as f64 / vectors.len() as f64,
        })
    );
    for ef in args.ef {
        let mut best = f64::INFINITY;
        let mut found = Vec::new();
        for _ in 0..args.repeat.max(1) {
            found.clear();
            let started = Instant::now();
            for vector in queries.rows() {
                let query = SegmentQuery {
                    vector,
                    k: args.k,
                    ef: Some(ef),
                    deadline: None,
                };
                found.push(segment.graph_search(&query)?.0);
            }
            best = best.min(started.elapsed().as_secs_f64());
        }
        let file = args.found.join(format!("{ef}.npy"));
        let ids = found.iter().flat_map(|neighbors| {
            let ids = neighbors.iter().map(|n| n.id);
            ids.chain(std::iter::repeat(u32::MAX)).take(args.k)
        });
        npy::write(&file, queries.rows().len(), args.k, ids)?;
        println!(
            "{}",
            serde_json::json!({
                "event": "searched", "ef": ef, "seconds": best, "queries": found.len(), "found": file,
            })
        );
    }
    Ok(())
}
