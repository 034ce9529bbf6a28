//! `index`: fills a collection from a catalog.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use vitrine::Embedder;

use super::{
    Models, Outcome, dry_run_report,
    target::{Target, rejects},
};
use crate::{
    error::CommandError,
    models,
    pipeline::{FullCatalog, Guess, MAX_BATCH, MaxRemoved, Options, Pipeline, Progress, dry_run},
    sink::Sink,
    source::{Catalog, Format, Mapping},
    space::{Cached, Encoders},
};

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    /// Catalog file; `-` reads standard input. `.gz` and `.zst` are decompressed.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// Format of the catalog; derived from the file name if omitted.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// TOML file that maps the catalog's columns to fields.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Collection to fill; created if missing.
    #[arg(long, value_name = "NAME", required_unless_present = "dry_run")]
    collection: Option<String>,
    /// Read and map the catalog and report its columns, items and errors; write and embed nothing.
    #[arg(long)]
    dry_run: bool,
    /// The file is the whole catalog: items of the collection that are not in it are removed.
    #[arg(long, visible_alias = "full", conflicts_with = "limit")]
    full_catalog: bool,
    /// Maximum share of the collection that --full-catalog may remove [default: 20%]; up to 3 items
    /// may always be removed.
    #[arg(long, value_name = "PERCENT", requires = "full_catalog")]
    max_removed: Option<MaxRemoved>,
    /// Keep each row an item of its own instead of joining the variants of a product.
    #[arg(long)]
    no_variants: bool,
    #[command(flatten)]
    models: Models,
    /// Write rejected records to this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Read at most this many records.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Size of the embedding cache in MiB, kept between runs, so that a changed price does not
    /// embed a text or an image again; 0 disables it.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    embedding_cache: u64,
    /// Number of items embedded and written together.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = batch)]
    batch: usize,
    /// Fetch images from web addresses (public ones only).
    #[arg(long)]
    fetch_images: bool,
    /// Weight of the text in an item's shared vector.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    text_weight: f32,
    /// Weight of the images in an item's shared vector.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    image_weight: f32,
    /// Weight of behavior in an item's shared vector, if the heads know it; lower for items with
    /// few users.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    behavior_weight: f32,
}

pub(super) fn weight(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(weight) if weight.is_finite() && weight > 0.0 => Ok(weight),
        _ => Err("must be a number above 0".to_owned()),
    }
}

pub(super) fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=MAX_BATCH).contains(&size) => Ok(size),
        _ => Err(format!("must be 1 to {MAX_BATCH}")),
    }
}

pub(super) fn run(args: &IndexArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    if !args.dry_run {
        args.target.check()?;
    }
    let mut mapping = match &args.mapping {
        Some(path) => Mapping::load(path)?,
        None => Mapping::default(),
    };
    if args.no_variants {
        mapping = mapping.without_variants();
    }
    // Fast checks come before slow work.
    let catalog = Catalog::open(&args.source, args.format, &mapping)?;
    let mut rejects = rejects(args.rejects.as_deref())?.of(&args.source);
    if args.dry_run {
        let report = dry_run(&catalog, mapping.attributes(), limit(args), &mut rejects)?;
        write!(out, "{}", dry_run_report::table(&report))?;
        writeln!(out, "{}", json!(report))?;
        return Ok(outcome(report.rejected == 0));
    }
    let encoders = args.models.load()?;
    let mut sink = sink(args)?;
    let (total, guess) = survey(args, &catalog);
    let options = Options {
        batch: args.batch,
        text_weight: args.text_weight,
        image_weight: args.image_weight,
        behavior_weight: args.behavior_weight,
        attributes: mapping.attributes(),
        guessed: guess.types(),
        full: args.full_catalog.then_some(FullCatalog {
            max_removed: args.max_removed,
        }),
        base: args.source.parent().unwrap_or(Path::new("")).to_owned(),
        fetch_images: args.fetch_images,
    };
    let mut progress = Progress::new(Some(total));
    let cached = cached(args.embedding_cache, &encoders);
    let embedder = cached
        .as_ref()
        .map_or(&encoders as &dyn Embedder, |cached| cached);
    let run = Pipeline::new(embedder, &mut *sink, &mut rejects, &mut progress, options);
    let summary = run.run(Box::new(catalog.records()?.take(limit(args))))?;
    drop(progress);
    writeln!(out, "{}", json!(summary))?;
    Ok(outcome(summary.is_clean()))
}

fn outcome(is_clean: bool) -> Outcome {
    if is_clean {
        Outcome::Complete
    } else {
        Outcome::Partial
    }
}

fn limit(args: &IndexArgs) -> usize {
    let limit = args.limit.map(usize::try_from);
    limit.and_then(Result::ok).unwrap_or(usize::MAX)
}

/// Returns the encoders with their cache, if it can be used.
pub(super) fn cached(mib: u64, encoders: &Encoders) -> Option<Cached<'_>> {
    if mib == 0 {
        return None;
    }
    let dir = models::cache_dir().join("embeddings");
    match Cached::open(encoders, &dir, mib << 20) {
        Ok(cached) => Some(cached),
        Err(error) => {
            tracing::info!(%error, dir = %dir.display(), "embedding cache is disabled");
            None
        }
    }
}

fn sink(args: &IndexArgs) -> Result<Box<dyn Sink>, CommandError> {
    let collection = args.collection.as_deref().unwrap_or_default();
    let target = &args.target;
    Ok(match target.http(collection) {
        Some(sink) => Box::new(sink),
        None => Box::new(target.engine(collection, true)?),
    })
}

/// Returns the number of records, to estimate the remaining time, and the types of the attributes:
/// reading a file another time is cheap compared with embedding. An error of the file is reported
/// when its records are written.
fn survey(args: &IndexArgs, catalog: &Catalog) -> (u64, Guess) {
    let (mut total, mut guess) = (0, Guess::default());
    let Ok(records) = catalog.records() else {
        return (total, guess);
    };
    for record in records.take(limit(args)).map_while(Result::ok) {
        total += 1;
        if let Ok(item) = &record.item {
            guess.add(item);
        }
    }
    (total, guess)
}
