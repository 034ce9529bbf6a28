//! Builds a sealed index over vectors of a file and searches it with one thread, for `benches/harness`.
//!
//! Prints a line of JSON for the build and one for each width of search; what was found goes into .npy files.

use std::{fs, path::PathBuf, time::Instant};

use clap::{Parser, ValueEnum};
use vitrine::{
    index::{Codes, Progress, SealedIndex},
    schemas::Metric,
};

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
    /// Codes the graph is walked by.
    #[arg(long)]
    quantization: CodesName,
    /// Threads of the build.
    #[arg(long, default_value_t = 2)]
    threads_build: usize,
    /// Neighbours wanted.
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Widths of search.
    #[arg(long, value_delimiter = ',', required = true)]
    ef: Vec<usize>,
    /// Passes over the queries; the fastest counts.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Folder for what was found.
    #[arg(long)]
    found: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum MetricName {
    L2,
    Cosine,
    Dot,
}

#[derive(Clone, Copy, ValueEnum)]
enum CodesName {
    None,
    Int8,
    Rabitq,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let metric = match args.metric {
        MetricName::L2 => Metric::L2,
        MetricName::Cosine => Metric::Cosine,
        MetricName::Dot => Metric::Dot,
    };
    let codes = match args.quantization {
        CodesName::None => Codes::None,
        CodesName::Int8 => Codes::Int8,
        CodesName::Rabitq => Codes::RaBitQ,
    };
    let base = Matrix::read(&args.base)?;
    let queries = Matrix::read(&args.queries)?;
    let vectors: Vec<_> = (0..).zip(base.rows()).collect();
    let started = Instant::now();
    let progress = Progress::new(args.threads_build);
    let index = SealedIndex::build(metric, base.columns, &vectors, codes, &progress)?;
    let seconds = started.elapsed().as_secs_f64();
    // As a server has it: the vectors stay in the file.
    fs::create_dir_all(&args.found)?;
    let file = args.found.join("index.seg");
    index.save(&file)?;
    drop(index);
    let index = SealedIndex::open(&file)?;
    println!(
        "{}",
        serde_json::json!({
            "event": "built", "seconds": seconds, "vectors": vectors.len(),
            "bytes_per_vector": index.bytes() as f64 / vectors.len() as f64,
        })
    );
    for ef in args.ef {
        let mut best = f64::INFINITY;
        let mut found = Vec::new();
        for _ in 0..args.repeat.max(1) {
            found.clear();
            let started = Instant::now();
            for query in queries.rows() {
                found.push(index.walk(query, args.k, ef, None, None)?);
            }
            best = best.min(started.elapsed().as_secs_f64());
        }
        let file = args.found.join(format!("{ef}.npy"));
        let ids = found.iter().flat_map(|neighbours| {
            let ids = neighbours.iter().map(|n| n.id);
            ids.chain(std::iter::repeat(u32::MAX)).take(args.k)
        });
        write_npy(&file, queries.rows().len(), args.k, ids)?;
        println!(
            "{}",
            serde_json::json!({
                "event": "searched", "ef": ef, "seconds": best, "queries": found.len(), "found": file,
            })
        );
    }
    Ok(())
}

struct Matrix {
    columns: usize,
    data: Vec<f32>,
}

impl Matrix {
    fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.columns)
    }

    /// Reads version 1 of NumPy's format, little-endian f32 in C order.
    fn read(path: &PathBuf) -> Result<Self, Box<dyn std::error::Error>> {
        let bytes = fs::read(path)?;
        let wrong = || format!("{}: not a two-dimensional f32 .npy", path.display());
        let header_len = bytes.get(8..10).ok_or_else(wrong)?;
        let start = 10 + usize::from(u16::from_le_bytes([header_len[0], header_len[1]]));
        let header = std::str::from_utf8(bytes.get(10..start).ok_or_else(wrong)?)?;
        if !header.contains("'<f4'") || header.contains("True") {
            return Err(wrong().into());
        }
        let shape = header.split(['(', ')']).nth(1).ok_or_else(wrong)?;
        let columns = shape.split(',').nth(1).ok_or_else(wrong)?.trim().parse()?;
        let numbers = bytes[start..].chunks_exact(4);
        Ok(Self {
            columns,
            data: numbers
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        })
    }
}

fn write_npy(
    path: &PathBuf,
    rows: usize,
    columns: usize,
    numbers: impl Iterator<Item = u32>,
) -> std::io::Result<()> {
    let header =
        format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = padded - 1).into_bytes());
    bytes.extend(numbers.flat_map(u32::to_le_bytes));
    fs::write(path, bytes)
}
