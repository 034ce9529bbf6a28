//! `train rank`: trains a ranker on judgments or clicks, and activates it if it is better.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use indicatif::ProgressBar;
use vitrine::{Collection, Embedder, LexicalQuery, Search, Target};
use vitrine_schemas::{RankerInfo, RankerSource, RankerUpload, RankingFeatures};

use super::{
    super::{
        Models, Outcome,
        target::{address, http_sink},
    },
    open,
};
use crate::{
    error::CommandError,
    evaluate::Judgments,
    sink::{HttpSink, SinkError},
    space::Encoders,
    train::{
        TrainError,
        rank::{
            Bins, Dataset, FeatureSource, Parameters, Progress, Training,
            clicks::{SearchRecords, propensities},
            gather,
        },
    },
};

mod files;

/// Minimum number of clicks from which propensities are estimated.
const MIN_CLICKS: usize = 500;

#[derive(Debug, Args)]
pub(in crate::cli) struct RankArgs {
    #[command(flatten)]
    place: Place,
    /// The server's API key, with the action admin to store the ranker.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Collection.
    #[arg(long, value_name = "NAME")]
    collection: String,
    #[command(flatten)]
    input: Input,
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
    /// Number of candidates of a search that are ranked again.
    #[arg(long, value_name = "N", default_value_t = vitrine::rerank::DEFAULT_DEPTH, value_parser = depth)]
    depth: usize,
    /// Number of folds of the held-out evaluation: each query is ranked by a model of the other
    /// folds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = folds)]
    folds: usize,
    /// Maximum number of trees.
    #[arg(long, value_name = "N", default_value_t = Parameters::default().trees)]
    trees: usize,
    /// Maximum number of leaves of a tree.
    #[arg(long, value_name = "N", default_value_t = Parameters::default().leaves)]
    leaves: usize,
    /// Learning rate.
    #[arg(long, value_name = "X", default_value_t = Parameters::default().rate)]
    rate: f64,
    /// Minimum number of candidates in a leaf.
    #[arg(long, value_name = "N", default_value_t = Parameters::default().min_leaf)]
    min_leaf: usize,
    /// Random seed, also of the folds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of training threads [default: all].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Evaluate on held-out queries, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write the candidates with their features and folds to this folder: meta.json, features.npy,
    /// rows.csv.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    models: Models,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Data directory; no server may have it open.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Running server, such as http://localhost:7280.
    #[arg(long, value_name = "URL", value_parser = address)]
    server: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// Judgments: a CSV file with a line for each query and item, or, with --queries, TREC qrels.
    #[arg(long, value_name = "FILE")]
    judgments: Option<PathBuf>,
    /// Searches with their clicks: JSON lines {"query", "shown", "clicked", "purchased"}, the last
    /// three with item ids; `shown` in the order of the positions.
    #[arg(long, value_name = "FILE")]
    search_events: Option<PathBuf>,
    /// Folder that --export wrote, of judgments: trains again without searching.
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,
}

fn depth(text: &str) -> Result<usize, String> {
    let max = vitrine::rerank::MAX_DEPTH;
    match text.parse() {
        Ok(n) if (10..=max).contains(&n) => Ok(n),
        _ => Err(format!("must be 10 to {max}")),
    }
}

fn folds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (2..=20).contains(&n) => Ok(n),
        _ => Err("must be 2 to 20".to_owned()),
    }
}

impl RankArgs {
    fn training(&self, source: RankerSource) -> Training {
        Training {
            source,
            depth: self.depth,
            folds: self.folds,
            parameters: Parameters {
                trees: self.trees.max(1),
                leaves: self.leaves.clamp(2, 255),
                rate: self.rate,
                min_leaf: self.min_leaf.max(1),
                seed: self.seed,
                ..Parameters::default()
            },
        }
    }

    /// Opens the collection.
    fn source(&self) -> Result<Box<dyn FeatureSource + Sync>, CommandError> {
        if let Some(url) = &self.place.server {
            let sink = http_sink(url, &self.collection, self.api_key.as_ref());
            return Ok(Box::new(sink));
        }
        let data = self.place.data.as_deref().unwrap_or(Path::new("data"));
        Ok(Box::new(Stored::open(self, data)?))
    }

    fn judgments(&self, path: &Path) -> Result<Judgments, CommandError> {
        Ok(match &self.queries {
            Some(queries) => Judgments::from_qrels(path, queries)?,
            None => Judgments::from_csv(path, &self.columns)?,
        })
    }
}

pub(super) fn run(args: &RankArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    if let Some(threads) = args.threads {
        // Fails if the pool is in use already, which it is not in a command.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global();
    }
    let input = &args.input;
    let (kind, data) = match (&input.judgments, &input.search_events, &input.features) {
        (Some(path), ..) => {
            let gains = args.judgments(path)?.0;
            let data = candidates(&*args.source()?, &gains, args.depth)?;
            (RankerSource::Judgments, data)
        }
        (None, Some(path), _) => {
            let data = clicked_candidates(&*args.source()?, path, args.depth)?;
            (RankerSource::SearchEvents, data)
        }
        (None, None, folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new(""));
            (RankerSource::Judgments, files::read(folder)?)
        }
    };
    if let Some(folder) = &args.export {
        files::write(folder, &data, args.folds, args.seed)?;
    }
    let bar = ProgressBar::new(((args.folds + 1) * args.trees) as u64);
    let trees = args.trees;
    let progress = &mut |step: Progress| match step {
        Progress::Fold(fold, count) => bar.set_position((fold * trees + count) as u64),
        Progress::Trees(count) => bar.set_position((args.folds * trees + count) as u64),
        Progress::Queries(_) => {}
    };
    let (mut report, ranker) = args.training(kind).run(&data, &Bins::of(&data), progress)?;
    bar.finish_and_clear();
    if let Some(ranker) = ranker.filter(|_| !args.dry_run) {
        report.stored = Some(args.source()?.store(&ranker)?);
    }
    write!(out, "{}", report.text())?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::other)?;
        let error = |source| CommandError::File {
            path: path.clone(),
            source,
        };
        std::fs::write(path, text).map_err(error)?;
    }
    Ok(Outcome::Complete)
}

type Gains = std::collections::BTreeMap<String, std::collections::HashMap<String, f64>>;

/// Reads the candidates of the queries with a progress bar.
fn candidates(
    source: &(dyn FeatureSource + Sync),
    gains: &Gains,
    depth: usize,
) -> Result<Dataset, CommandError> {
    let bar = ProgressBar::new(gains.len() as u64);
    let progress = &mut |step| {
        if let Progress::Queries(count) = step {
            bar.set_position(count as u64);
        }
    };
    let data = gather(source, gains, depth, progress)?;
    bar.finish_and_clear();
    Ok(data)
}

/// Reads the candidates of searches; their gains are the clicks, corrected for position bias.
fn clicked_candidates(
    source: &(dyn FeatureSource + Sync),
    path: &Path,
    depth: usize,
) -> Result<Dataset, CommandError> {
    let records = SearchRecords::read(path)?;
    let none = records
        .0
        .keys()
        .map(|query| (query.clone(), Default::default()));
    let mut data = candidates(source, &none.collect(), depth)?;
    let found = propensities(&data, &Bins::of(&data), &records, MIN_CLICKS)?;
    let first: Vec<String> = found.0.iter().take(10).map(|p| format!("{p:.2}")).collect();
    tracing::info!(positions = first.join(" "), "examination by position");
    data.set_gains(&found.gains(&records));
    Ok(data)
}

/// A collection of a data directory.
struct Stored {
    collection: Arc<Collection>,
    encoders: Option<Encoders>,
}

impl Stored {
    fn open(args: &RankArgs, data: &Path) -> Result<Self, CommandError> {
        let collection = open(data)?.collection(&args.collection)?;
        let config = collection.config();
        let Some(fingerprint) = config.fingerprint.as_deref() else {
            return Ok(Self {
                collection,
                encoders: None,
            });
        };
        let models = args.models.dir.path();
        let selected = args.models.load()?;
        let encoders = match selected.fingerprint() == fingerprint {
            true => Some(selected),
            false => selected.find(&models, fingerprint)?,
        };
        let encoders = encoders.ok_or_else(|| {
            let reason = format!(
                "no encoders with fingerprint {fingerprint} in {}, so queries cannot be embedded",
                models.display()
            );
            TrainError::Recipe(reason)
        })?;
        Ok(Self {
            collection,
            encoders: Some(encoders),
        })
    }
}

impl FeatureSource for Stored {
    fn features(&self, query: &str, depth: usize) -> Result<RankingFeatures, SinkError> {
        let space = "shared".to_owned();
        let mut target = None;
        if let Some(encoders) = &self.encoders {
            let embedded = encoders.embed_query(&[query]).pop();
            let mut vectors = embedded
                .transpose()
                .map_err(vitrine::Error::from)?
                .unwrap_or_default();
            target = vectors.remove(&space).map(Target::Vector);
        }
        let search = Search {
            target,
            space,
            lexical: Some(LexicalQuery {
                text: query.to_owned(),
                typos: true,
                ..LexicalQuery::default()
            }),
            text: Some(query.to_owned()),
            limit: depth,
            ..Search::default()
        };
        Ok(self.collection.ranking_features(&search, depth)?)
    }

    fn store(&self, ranker: &RankerUpload) -> Result<RankerInfo, SinkError> {
        Ok(self.collection.add_ranker(ranker)?)
    }
}

impl FeatureSource for HttpSink {
    fn features(&self, query: &str, depth: usize) -> Result<RankingFeatures, SinkError> {
        self.ranking_features(query, depth)
    }

    fn store(&self, ranker: &RankerUpload) -> Result<RankerInfo, SinkError> {
        self.store_ranker(ranker)
    }
}
