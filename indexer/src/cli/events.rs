//! `events`: imports behavior events.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::json;
use vitrine_schemas::EventKind;

use super::{
    Outcome,
    target::{Target, rejects},
};
use crate::{
    error::CommandError,
    events,
    pipeline::Progress,
    sink::EventSink,
    source::{
        events::{EventFormat, EventMapping, open_as},
        text::TextOptions,
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Import events from a file.
    ///
    /// May be repeated at any time: stored events are recognized by their id or, without one, by
    /// their content, and are not stored twice, so interrupted runs resume.
    ///
    /// Prints a summary as JSON. Exit status: 0 success, 3 some records were rejected (see
    /// --rejects), 1 failure, 2 wrong usage.
    Import(Box<ImportArgs>),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Event file; `-` reads standard input. `.gz` and `.zst` are decompressed.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// Format of the file; derived from the file name if omitted.
    #[arg(long, value_enum)]
    format: Option<EventFormat>,
    /// TOML file that maps the file's columns to fields of an event.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Event kind of records that do not name one.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    default_kind: Option<EventKind>,
    #[command(flatten)]
    text: TextOptions,
    #[command(flatten)]
    target: Target,
    /// Collection that holds the items.
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Write rejected records to this file, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Read at most this many records.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(super) fn kind(text: &str) -> Result<EventKind, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

pub(super) fn run(command: &EventsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let EventsCommand::Import(args) = command;
    args.target.check()?;
    let mut mapping = match &args.mapping {
        Some(path) => EventMapping::load(path)?,
        None => EventMapping::default(),
    };
    mapping.default_kind = args.default_kind.or(mapping.default_kind);
    let read = || {
        let (format, collection) = (args.format, &args.collection);
        open_as(&args.source, format, &mapping, collection, &args.text)
    };
    let limit = usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let opened = read()?;
    if let Some(read_as) = &opened.read_as {
        tracing::info!("{} is read with {read_as}", args.source.display());
    }
    let records = opened.records.take(limit);
    let mut rejects = rejects(args.rejects.as_deref())?.of(&args.source);
    let mut sink: Box<dyn EventSink> = match args.target.http(&args.collection) {
        Some(sink) => Box::new(sink),
        None => Box::new(args.target.engine(&args.collection, false)?),
    };
    sink.check()?;
    // Counted by reading the file once more, which is cheap compared with storing.
    let is_file = std::fs::metadata(&args.source).is_ok_and(|facts| facts.is_file());
    let total = match is_file && args.source != Path::new("-") {
        true => Some(read()?.records.take(limit).count() as u64),
        false => None,
    };
    let mut progress = Progress::new(total);
    let summary = events::import(records, &mut *sink, &mut rejects, &mut progress)?;
    drop(progress);
    if summary.read == 0 {
        tracing::warn!("{} has no records", args.source.display());
    }
    let mut report = json!(summary);
    if let Some(read_as) = opened.read_as {
        report["read_as"] = json!(read_as);
    }
    writeln!(out, "{report}")?;
    Ok(if summary.events.rejected == 0 {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}
