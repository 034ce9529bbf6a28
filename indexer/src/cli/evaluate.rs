//! `evaluate`: quality of recommendations on held-out events, of searches by judgments, of the
//! variants of an experiment, and of policies on logged pages.

mod ab;
mod policy;
mod search;
mod sequence;

use std::{
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Serialize;
use vitrine::Database;
use vitrine_schemas::EventKind;

use super::Outcome;
use crate::{
    error::CommandError,
    evaluate::{Dataset, Evaluation, HoldOut, ModelSpec, Protocol, Weights},
    source::{
        events::{EventFormat, EventMapping, open_as},
        text::TextOptions,
    },
};

/// Number of unreadable records that are reported one by one.
const MAX_REPORTED_ERRORS: usize = 5;

/// Maximum depth of a list.
const MAX_DEPTH: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum EvaluateCommand {
    /// Evaluate recommenders on held-out events.
    ///
    /// Prints a table. Exit status: 0 success, 3 some events could not be read, 1 failure, 2 wrong
    /// usage.
    ///
    /// Models, each with settings as name:key=value,key=value: popularity (half_life, days),
    /// item-knn, graph-filter, ease, ials, session-knn, sequential-rules, content (recent, power),
    /// which uses the vectors of the items, mapped (behavior.*, map.*), which does too, random, and
    /// blend (behavior.*, session.*, sequence.*,
    /// content.*, popularity.*), whose weights are learned on an inner split.
    Recommend(Box<RecommendArgs>),
    /// Evaluate searches of a running server against relevance judgments.
    ///
    /// Prints nDCG@10, MRR@10, Recall@100 and hits of each configuration, and the differences to
    /// the first.
    Search(Box<search::SearchArgs>),
    /// Evaluate models of the order of choices on held-out next items.
    ///
    /// Ranks the next item of each user among all items that are new to them, by popularity,
    /// item-knn, sequential rules, VS-kNN, a GRU trained for it, and their blends. Prints recall,
    /// nDCG, and what the GRU adds to the blend with paired intervals. Exit status: 0 success, 3
    /// some lines or events could not be read, 1 failure, 2 wrong usage.
    Sequence(Box<sequence::SequenceArgs>),
    /// Compare the variants of an experiment by exported searches.
    ///
    /// Prints click-through, conversion and revenue of each variant, and the differences to the
    /// control with 95 % confidence intervals; of interleaved variants, the preferences of users.
    /// Exit status: 0 success, 3 some lines could not be read, 1 failure, 2 wrong usage.
    Ab(Box<ab::AbArgs>),
    /// Estimate the reward of another policy from logged pages.
    ///
    /// Prints the reward per page by inverse propensities (IPS), self-normalized (SNIPS) and doubly
    /// robust (DR) with 95 % confidence intervals, and warnings where the logged policy rarely
    /// shows what the target shows. Exit status: 0 success, 3 some lines could not be read, 1
    /// failure, 2 wrong usage.
    Policy(Box<policy::PolicyArgs>),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("input").args(["events", "data"]).required(true).multiple(true)))]
pub(super) struct RecommendArgs {
    #[command(flatten)]
    behavior: Behavior,
    /// Data directory of the collection; no server may have it open.
    #[arg(long, value_name = "DIR", requires = "collection")]
    data: Option<PathBuf>,
    /// Collection to read items (categories, vectors) from and, without --events, events.
    #[arg(long, value_name = "NAME", requires = "data")]
    collection: Option<String>,
    /// Vector space [default: shared, or the only one].
    #[arg(long, value_name = "NAME", requires = "data")]
    space: Option<String>,
    /// Model to evaluate; may be repeated, all models are compared with the first.
    #[arg(long = "model", value_name = "MODEL", value_parser = model, default_values = ["popularity", "item-knn"])]
    models: Vec<(String, ModelSpec)>,
    /// Held-out events: temporal:SHARE (the latest), temporal:DAYSd, leave-last:N (of each user),
    /// random:SHARE.
    #[arg(long, value_name = "SPLIT", default_value = "temporal:0.2")]
    split: HoldOut,
    /// Depths of the lists; breakdowns use the first one.
    #[arg(long, value_name = "K", value_delimiter = ',', value_parser = depth, default_values_t = [20, 10, 50])]
    k: Vec<usize>,
    /// Held-out items that count as relevant.
    #[arg(long, value_enum, default_value = "new")]
    relevant: Relevant,
    /// Combination of several events of a user with one item (popularity and session-knn count each
    /// event).
    #[arg(long, value_enum, default_value = "sum")]
    weights: Weights,
    /// Test users with at least this many events to learn from; 0 also tests new users.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_history: usize,
    /// Test at most this many users, chosen at random.
    #[arg(long, value_name = "N", value_parser = positive)]
    users: Option<usize>,
    /// Rank the held-out items among this many random others instead of all items: fast, but not
    /// comparable with a full ranking.
    #[arg(long, value_name = "N", value_parser = positive)]
    negatives: Option<usize>,
    /// Hide all events of this share of the items, chosen at random, from training, and rank these
    /// items alone: how new items are recommended.
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "negatives")]
    cold_items: Option<f64>,
    /// Use at most this many items of a history, the latest: how new users are served.
    #[arg(long, value_name = "N")]
    max_history: Option<usize>,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report to this file as an HTML page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Event file.
#[derive(Debug, Args)]
#[group(required = false)]
struct Behavior {
    /// Event file (JSONL, CSV, TSV, Parquet); `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Format of the event file; derived from the file name if omitted.
    #[arg(long, value_enum, requires = "events")]
    format: Option<EventFormat>,
    /// TOML file that maps the file's columns to fields of an event.
    #[arg(long, value_name = "FILE", requires = "events")]
    mapping: Option<PathBuf>,
    /// Event kind of records that do not name one.
    #[arg(long, value_name = "KIND", value_parser = super::events::kind, requires = "events")]
    default_kind: Option<EventKind>,
    #[command(flatten)]
    text: TextOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Relevant {
    /// Items new to the user; items that the user had events with are not recommended.
    New,
    /// All held-out items, including repeats.
    All,
}

fn model(text: &str) -> Result<(String, ModelSpec), String> {
    let parsed = text.parse::<ModelSpec>().map_err(|e| e.to_string())?;
    Ok((text.to_owned(), parsed))
}

fn depth(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(k) if (1..=MAX_DEPTH).contains(&k) => Ok(k),
        _ => Err(format!("must be 1 to {MAX_DEPTH}")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a share between 0 and 1 such as 0.1".to_owned()),
    }
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be an integer of at least 1".to_owned()),
    }
}

pub(super) fn run(command: &EvaluateCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let args = match command {
        EvaluateCommand::Recommend(args) => args,
        EvaluateCommand::Search(args) => return search::run(args, out),
        EvaluateCommand::Sequence(args) => return sequence::run(args, out),
        EvaluateCommand::Ab(args) => return ab::run(args, out),
        EvaluateCommand::Policy(args) => return policy::run(args, out),
    };
    let evaluation = args.evaluation();
    // Created before the evaluation, so that an unwritable path fails early.
    let json = args.json.as_deref().map(create).transpose()?;
    let html = args.html.as_deref().map(create).transpose()?;
    let data = args.dataset()?;
    let report = evaluation.run(&data, &mut |line| eprintln!("{line}"))?;
    writeln!(out, "{}", report.text())?;
    write_json(json, &report)?;
    if let Some((path, file)) = html {
        write(path, file, &report.html())?;
    }
    Ok(if report.data.refused == 0 {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}

fn create(path: &Path) -> Result<(&Path, std::fs::File), CommandError> {
    let file = std::fs::File::create(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok((path, file))
}

fn write(path: &Path, mut file: std::fs::File, text: &str) -> Result<(), CommandError> {
    file.write_all(text.as_bytes())
        .map_err(|source| CommandError::File {
            path: path.to_owned(),
            source,
        })
}

/// Writes a report as JSON, if a file was created for it.
fn write_json(
    json: Option<(&Path, std::fs::File)>,
    report: &impl Serialize,
) -> Result<(), CommandError> {
    let Some((path, file)) = json else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
    write(path, file, &text)
}

/// Opens a file; `-` is standard input.
fn open(path: &Path) -> Result<BufReader<Box<dyn Read>>, CommandError> {
    let input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(
            std::fs::File::open(path).map_err(|source| CommandError::File {
                path: path.to_owned(),
                source,
            })?,
        ),
    };
    Ok(BufReader::new(input))
}

impl RecommendArgs {
    fn evaluation(&self) -> Evaluation {
        let mut depths = self.k.clone();
        let mut seen = std::collections::HashSet::new();
        depths.retain(|k| seen.insert(*k));
        Evaluation {
            models: self.models.clone(),
            protocol: Protocol {
                hold_out: self.split,
                weights: self.weights,
                new_only: self.relevant == Relevant::New,
                min_history: self.min_history,
                negatives: self.negatives,
                max_users: self.users,
                cold_items: self.cold_items,
                max_history: self.max_history,
                seed: self.seed,
            },
            depths,
            resamples: self.resamples,
        }
    }

    fn dataset(&self) -> Result<Dataset, CommandError> {
        let options = vitrine::Options {
            create: false,
            index_threads: 0,
            ..vitrine::Options::default()
        };
        let opened = match (&self.data, &self.collection) {
            (Some(data), Some(name)) => {
                let database = Database::open(data, options)?;
                Some((database, name))
            }
            _ => None,
        };
        let mut data = match (&self.behavior.events, &opened) {
            (Some(path), _) => self.behavior.read(path)?,
            (None, Some((database, name))) => {
                Dataset::from_collection(&*database.collection(name)?)?
            }
            // The argument group requires one of the two.
            (None, None) => Dataset::default(),
        };
        if let Some((database, name)) = &opened {
            data.describe_from(database, name, self.space.as_deref())?;
        }
        Ok(data)
    }
}

impl Behavior {
    fn read(&self, path: &Path) -> Result<Dataset, CommandError> {
        let mut mapping = match &self.mapping {
            Some(path) => EventMapping::load(path)?,
            None => EventMapping::default(),
        };
        mapping.default_kind = self.default_kind.or(mapping.default_kind);
        let records = open_as(path, self.format, &mapping, "evaluated", &self.text)?.records;
        let mut refused = 0;
        let data = Dataset::from_records(path, records, &mut |line, error| {
            refused += 1;
            if refused <= MAX_REPORTED_ERRORS {
                eprintln!("line {line}: {}: {}", error.field, error.reason);
            }
        })?;
        if refused > MAX_REPORTED_ERRORS {
            eprintln!(
                "{} more records could not be read",
                refused - MAX_REPORTED_ERRORS
            );
        }
        Ok(data)
    }
}
