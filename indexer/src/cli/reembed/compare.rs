//! `reembed compare`: compares the new spaces with the old ones, by judgments or by known items.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::ProgressBar;
use vitrine_schemas::ReembeddingInfo;

use crate::{
    cli::evaluate::positive,
    error::CommandError,
    evaluate::Judgments,
    reembedding::{Comparison, QueryGroup, known_item_queries},
    sink::HttpSink,
    source::image::Images,
};

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Judgments: a CSV file with a line for each query and item, or, with --queries, TREC qrels.
    /// Without judgments, items are searched by their titles and images.
    #[arg(long, value_name = "FILE")]
    judgments: Option<PathBuf>,
    /// Texts of the queries of TREC qrels: query-id, a tab, the text.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "columns",
        requires = "judgments"
    )]
    queries: Option<PathBuf>,
    /// Columns of the CSV file: query, item and, for graded judgments, relevance.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = ["query", "item", "relevance"], num_args = 1)]
    columns: Vec<String>,
    /// Ids of items that the new encoders were not trained on, one per line; these are searched for
    /// without judgments.
    #[arg(long, value_name = "FILE", conflicts_with = "judgments")]
    held_out: Option<PathBuf>,
    /// Number of items to search for without judgments.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = positive)]
    sample: usize,
    /// Base folder of relative image paths.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub images: PathBuf,
    /// Fetch images from web addresses (public ones only).
    #[arg(long)]
    pub fetch_images: bool,
    /// Number of best and of worst queries to print for each comparison.
    #[arg(long, value_name = "N", default_value_t = 3)]
    show: usize,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Seed of the bootstrap and of the sample of items.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Prints one table for each group of queries.
pub fn run(
    server: &HttpSink,
    info: &ReembeddingInfo,
    args: &QueryArgs,
    out: &mut dyn Write,
) -> Result<Vec<Comparison>, CommandError> {
    let groups = args.groups(server)?;
    if args.judgments.is_none() && args.held_out.is_none() {
        writeln!(
            out,
            "no --judgments and no --held-out: the sample may contain items that the encoders were trained on, which favors those encoders"
        )?;
    }
    let count: usize = groups.iter().map(|group| 2 * group.queries.len()).sum();
    let bar = ProgressBar::new(count as u64);
    let bootstrap = (args.resamples, args.seed);
    let mut comparisons = Vec::with_capacity(groups.len());
    for group in &groups {
        let progress = &mut |n| bar.inc(n);
        let comparison = Comparison::run(server, info, group, bootstrap, progress)?;
        let table = comparison.report.text(args.show);
        bar.suspend(|| write!(out, "\n{}: {table}", comparison.title))?;
        comparisons.push(comparison);
    }
    bar.finish_and_clear();
    Ok(comparisons)
}

fn ids(path: &Path) -> Result<Vec<String>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

impl QueryArgs {
    fn groups(&self, server: &HttpSink) -> Result<Vec<QueryGroup>, CommandError> {
        let Some(path) = &self.judgments else {
            let images = Images::new(self.images.clone(), self.fetch_images);
            let held_out = self.held_out.as_deref().map(ids).transpose()?;
            let (among, count) = (held_out.as_deref(), self.sample);
            let groups = known_item_queries(server, &images, among, count, self.seed);
            return Ok(groups?);
        };
        let judgments = match &self.queries {
            Some(queries) => Judgments::from_qrels(path, queries)?,
            None => Judgments::from_csv(path, &self.columns)?,
        };
        Ok(vec![QueryGroup {
            title: "by judgments".to_owned(),
            queries: judgments.queries(),
        }])
    }
}
