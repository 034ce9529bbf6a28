//! `reembed compare`: whether the new spaces are better, by judgements or by the items themselves.

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
    evaluate::Judgements,
    reembedding::{Comparison, Group, questions_of_items},
    sink::HttpSink,
    source::photo::Photos,
};

#[derive(Debug, Args)]
pub struct Questions {
    /// Judgements: a CSV file with a line for each query and item, or, with --queries, TREC qrels. Without them items are asked for
    /// by their titles and photos.
    #[arg(long, value_name = "FILE")]
    judgements: Option<PathBuf>,
    /// Texts of the queries of TREC qrels: query-id, a tab, the text.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "columns",
        requires = "judgements"
    )]
    queries: Option<PathBuf>,
    /// Columns of the CSV file: query, item and, where answers are graded, relevance.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = ["query", "item", "relevance"], num_args = 1)]
    columns: Vec<String>,
    /// Ids of items that the new encoders were not trained on, one a line: those are asked for where there are no judgements.
    #[arg(long, value_name = "FILE", conflicts_with = "judgements")]
    held_out: Option<PathBuf>,
    /// How many items are asked for where there are no judgements.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = positive)]
    sample: usize,
    /// Folder that the paths of photos start from.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub photos: PathBuf,
    /// Fetch photos given by web address (public ones only).
    #[arg(long)]
    pub fetch_images: bool,
    /// Queries told, of those that gained and of those that lost most.
    #[arg(long, value_name = "N", default_value_t = 3)]
    show: usize,
    /// Bootstrap resamples of the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    resamples: usize,
    /// Seed of the bootstrap and of what is drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Prints a table a kind of question.
pub fn run(
    server: &HttpSink,
    info: &ReembeddingInfo,
    args: &Questions,
    out: &mut dyn Write,
) -> Result<Vec<Comparison>, CommandError> {
    let groups = args.groups(server)?;
    if args.judgements.is_none() && args.held_out.is_none() {
        writeln!(
            out,
            "no --judgements and no --held-out: any items are asked for, which flatters encoders that were trained on them"
        )?;
    }
    let count: usize = groups.iter().map(|group| 2 * group.questions.len()).sum();
    let bar = ProgressBar::new(count as u64);
    let bootstrap = (args.resamples, args.seed);
    let mut comparisons = Vec::with_capacity(groups.len());
    for group in &groups {
        let told = &mut |n| bar.inc(n);
        let comparison = Comparison::run(server, info, group, bootstrap, told)?;
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

impl Questions {
    fn groups(&self, server: &HttpSink) -> Result<Vec<Group>, CommandError> {
        let Some(path) = &self.judgements else {
            let photos = Photos::new(self.photos.clone(), self.fetch_images);
            let held_out = self.held_out.as_deref().map(ids).transpose()?;
            let (among, count) = (held_out.as_deref(), self.sample);
            let groups = questions_of_items(server, &photos, among, count, self.seed);
            return Ok(groups?);
        };
        let judgements = match &self.queries {
            Some(queries) => Judgements::from_qrels(path, queries)?,
            None => Judgements::from_csv(path, &self.columns)?,
        };
        Ok(vec![Group {
            title: "by judgements".to_owned(),
            questions: judgements.questions(),
        }])
    }
}
