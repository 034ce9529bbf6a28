//! `index`: fills a collection from a catalog.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use vitrine::Embedder;

use super::{
    Models, Outcome,
    target::{Target, rejects},
};
use crate::{
    error::CommandError,
    models,
    pipeline::{MAX_BATCH, Options, Pipeline, Progress},
    sink::Sink,
    source::{
        self, Format, Mapping, Records,
        text::{ReadAs, TextOptions},
    },
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
    text: TextOptions,
    #[command(flatten)]
    target: Target,
    /// Collection to fill; created if missing.
    #[arg(long, value_name = "NAME")]
    collection: String,
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
    let mapping = match &args.mapping {
        Some(path) => Mapping::load(path)?,
        None => Mapping::default(),
    };
    // Fast checks come before slow work.
    let (records, read_as) = open(args, &mapping)?;
    if let Some(read_as) = &read_as {
        tracing::info!("{} is read with {read_as}", args.source.display());
    }
    let mut rejects = rejects(args.rejects.as_deref())?;
    let encoders = args.models.load()?;
    let mut sink = sink(args)?;
    let options = Options {
        batch: args.batch,
        text_weight: args.text_weight,
        image_weight: args.image_weight,
        behavior_weight: args.behavior_weight,
        attributes: mapping.attributes(),
        base: args.source.parent().unwrap_or(Path::new("")).to_owned(),
        fetch_images: args.fetch_images,
    };
    let mut progress = Progress::new(total(args, &mapping)?);
    let cached = cached(args.embedding_cache, &encoders);
    let embedder = cached
        .as_ref()
        .map_or(&encoders as &dyn Embedder, |cached| cached);
    let run = Pipeline::new(embedder, &mut *sink, &mut rejects, &mut progress, options);
    let summary = run.run(records)?;
    drop(progress);
    if summary.read == 0 {
        tracing::warn!("{} has no records", args.source.display());
    }
    let mut report = json!(summary);
    if let Some(read_as) = read_as {
        report["read_as"] = json!(read_as);
    }
    writeln!(out, "{report}")?;
    Ok(if summary.is_clean() {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
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
    let (target, collection) = (&args.target, args.collection.as_str());
    Ok(match target.http(collection) {
        Some(sink) => Box::new(sink),
        None => Box::new(target.engine(collection, true)?),
    })
}

fn open(args: &IndexArgs, mapping: &Mapping) -> Result<(Records, Option<ReadAs>), CommandError> {
    let opened = source::open_as(&args.source, args.format, mapping, &args.text)?;
    let records = match args.limit {
        Some(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Box::new(opened.records.take(limit))
        }
        None => opened.records,
    };
    Ok((records, opened.read_as))
}

/// Returns the number of records, to estimate the remaining time: reading a file twice is cheap
/// compared with embedding. `None` for standard input and pipes, which can be read once only.
fn total(args: &IndexArgs, mapping: &Mapping) -> Result<Option<u64>, CommandError> {
    let is_file = std::fs::metadata(&args.source).is_ok_and(|facts| facts.is_file());
    if !is_file || args.source == Path::new("-") {
        return Ok(None);
    }
    Ok(Some(open(args, mapping)?.0.count() as u64))
}
