//! `evaluate search`: how good searches of a running server are by judgements, one configuration beside another.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{create, positive, write};
use crate::{
    cli::{Outcome, target::Remote},
    error::CommandError,
    evaluate::{Configuration, Judgements, RelevanceReport},
};

#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    server: Remote,
    /// Judgements: a CSV file with a line for each query and item, or, with --queries, TREC qrels.
    #[arg(long, value_name = "FILE")]
    judgements: PathBuf,
    /// Texts of the queries of TREC qrels: query-id, a tab, the text.
    #[arg(long, value_name = "FILE", conflicts_with = "columns")]
    queries: Option<PathBuf>,
    /// Columns of the CSV file: query, item and, where answers are graded, relevance.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = ["query", "item", "relevance"], num_args = 1)]
    columns: Vec<String>,
    /// A way to search, NAME=JSON with fields of the search's body; may be given several times, all are compared with the first.
    #[arg(long = "search", value_name = "NAME=JSON", value_parser = configuration,
          default_values = ["hybrid={}", "lexical={\"mode\":\"lexical\"}", "vector={\"mode\":\"vector\"}"])]
    searches: Vec<Configuration>,
    /// Queries told, of those that gained and of those that lost most.
    #[arg(long, value_name = "N", default_value_t = 3)]
    show: usize,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Seed of the bootstrap.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// File for the figures of every query as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn configuration(text: &str) -> Result<Configuration, String> {
    let (name, json) = text.split_once('=').ok_or("write it as NAME=JSON")?;
    let body: Value = serde_json::from_str(json).map_err(|e| format!("{json}: {e}"))?;
    if !body.is_object() {
        return Err(format!(
            "{json}: must be an object, such as {{\"mode\": \"lexical\"}}"
        ));
    }
    Ok(Configuration {
        name: name.to_owned(),
        body,
    })
}

pub fn run(args: &SearchArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let judgements = match &args.queries {
        Some(queries) => Judgements::from_qrels(&args.judgements, queries)?,
        None => Judgements::from_csv(&args.judgements, &args.columns)?,
    };
    let json = args.json.as_deref().map(create).transpose()?;
    let server = args.server.http();
    let questions = judgements.questions();
    let bar = ProgressBar::new((questions.len() * args.searches.len()) as u64);
    let bootstrap = (args.resamples, args.seed);
    let told = &mut |n| bar.inc(n);
    let report = RelevanceReport::run(&server, &questions, &args.searches, bootstrap, told)?;
    bar.finish_and_clear();
    write!(out, "{}", report.text(args.show))?;
    if let Some((path, file)) = json {
        let text = serde_json::to_string_pretty(&report).map_err(io::Error::other)?;
        write(path, file, &text)?;
    }
    Ok(Outcome::Complete)
}
