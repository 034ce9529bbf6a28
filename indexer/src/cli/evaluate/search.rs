//! `evaluate search`: compares search configurations of a running server by relevance judgments.

use std::{io::Write, path::PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{create, positive, write_json};
use crate::{
    cli::{Outcome, target::Remote},
    error::CommandError,
    evaluate::{Configuration, Judgments, RelevanceReport},
};

#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    server: Remote,
    /// Judgments: a CSV file with a line for each query and item, or, with --queries, TREC qrels.
    #[arg(long, value_name = "FILE")]
    judgments: PathBuf,
    /// Texts of the queries of TREC qrels: query-id, a tab, the text.
    #[arg(long, value_name = "FILE", conflicts_with = "columns")]
    queries: Option<PathBuf>,
    /// Columns of the CSV file: query, item and, for graded judgments, relevance.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = ["query", "item", "relevance"], num_args = 1)]
    columns: Vec<String>,
    /// Search configuration, NAME=JSON with fields of the request body; may be repeated, all
    /// configurations are compared with the first.
    #[arg(long = "search", value_name = "NAME=JSON", value_parser = configuration,
          default_values = ["hybrid={}", "lexical={\"mode\":\"lexical\"}", "vector={\"mode\":\"vector\"}"])]
    searches: Vec<Configuration>,
    /// Number of best and of worst queries to print for each comparison.
    #[arg(long, value_name = "N", default_value_t = 3)]
    show: usize,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Seed of the bootstrap.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the metrics of every query to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn configuration(text: &str) -> Result<Configuration, String> {
    let (name, json) = text.split_once('=').ok_or("expected NAME=JSON")?;
    let body: Value = serde_json::from_str(json).map_err(|e| format!("{json}: {e}"))?;
    if !body.is_object() {
        return Err(format!(
            "{json}: expected an object such as {{\"mode\": \"lexical\"}}"
        ));
    }
    Ok(Configuration {
        name: name.to_owned(),
        body,
    })
}

pub fn run(args: &SearchArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let judgments = match &args.queries {
        Some(queries) => Judgments::from_qrels(&args.judgments, queries)?,
        None => Judgments::from_csv(&args.judgments, &args.columns)?,
    };
    let json = args.json.as_deref().map(create).transpose()?;
    let server = args.server.http();
    let queries = judgments.queries();
    let bar = ProgressBar::new((queries.len() * args.searches.len()) as u64);
    let bootstrap = (args.resamples, args.seed);
    let progress = &mut |n| bar.inc(n);
    let report = RelevanceReport::run(&server, &queries, &args.searches, bootstrap, progress)?;
    bar.finish_and_clear();
    write!(out, "{}", report.text(args.show))?;
    write_json(json, &report)?;
    Ok(Outcome::Complete)
}
