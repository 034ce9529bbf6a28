//! `events`: behaviour events in, stored events out.

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
    source::events::{EventFormat, EventMapping, open},
};

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// Import events from a file.
    ///
    /// Run it again at any time: events that are stored are told by their id, or by their content where they have none,
    /// and are not stored twice, so a run that was killed goes on where it was.
    ///
    /// Prints a summary as JSON. Exit status: 0 all well, 3 something was refused (see --rejects), 1 failure, 2 wrong
    /// usage.
    Import(Box<ImportArgs>),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Event file; `-` reads standard input. `.gz` and `.zst` are unpacked.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// Format of the file; told from its ending where it is left out.
    #[arg(long, value_enum)]
    format: Option<EventFormat>,
    /// TOML file that maps the file's columns to fields of an event.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// What happened where the file does not say it.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    default_kind: Option<EventKind>,
    #[command(flatten)]
    target: Target,
    /// Collection that the items are in.
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// File that lists what was refused, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Read this many records at most.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(super) fn kind(text: &str) -> Result<EventKind, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

pub(super) fn run(command: &EventsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let EventsCommand::Import(args) = command;
    let mut mapping = match &args.mapping {
        Some(path) => EventMapping::load(path)?,
        None => EventMapping::default(),
    };
    mapping.default_kind = args.default_kind.or(mapping.default_kind);
    let read = || open(&args.source, args.format, &mapping, &args.collection);
    let limit = usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let records = read()?.take(limit);
    let mut rejects = rejects(args.rejects.as_deref())?;
    let mut sink: Box<dyn EventSink> = match args.target.http(&args.collection) {
        Some(sink) => Box::new(sink),
        None => Box::new(args.target.engine(&args.collection, false)?),
    };
    sink.check()?;
    // As for catalogs: reading twice costs little beside storing.
    let is_file = std::fs::metadata(&args.source).is_ok_and(|facts| facts.is_file());
    let total = match is_file && args.source != Path::new("-") {
        true => Some(read()?.take(limit).count() as u64),
        false => None,
    };
    let mut progress = Progress::new(total);
    let summary = events::import(records, &mut *sink, &mut rejects, &mut progress)?;
    drop(progress);
    writeln!(out, "{}", json!(summary))?;
    Ok(if summary.events.rejected == 0 {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}
