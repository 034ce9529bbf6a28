//! Recall@20 and NDCG@20 on held-out items, seconds to fit, users per second.

use std::{path::PathBuf, time::Instant};

use roaring::RoaringBitmap;
use vitrine::cf::{
    Matrix, Recommender, Request,
    metrics::{Figures, Interval, coverage, novelty},
};

use crate::{
    Outcome,
    data::{Form, count, pairs},
    settings,
};

/// Depth of the rankings.
const K: usize = 20;

/// Models that run by default: default options, options tuned on data held out from `train`, and
/// published ones.
const DEFAULT: [&str; 10] = [
    "popularity",
    "session-knn:decay=1",
    "ials",
    "ials:factors=256,unobserved=0.02",
    "gf-cf",
    "item-knn",
    "tuned-item-knn",
    "graph-filter",
    "graph-filter:sharpening=0.4",
    "tuned-graph-filter",
];

#[derive(clap::Args)]
pub struct Args {
    /// Folder with train.txt.gz and valid.txt.gz.
    #[arg(long, env = "VITRINE_GOWALLA")]
    data: PathBuf,
    /// Format of the lines.
    #[arg(long, default_value = "lists")]
    form: Form,
    /// Model with options, `name:key=value,...`; may be given several times.
    #[arg(long)]
    model: Vec<String>,
    /// Limit on the numbers of users and items: EASE needs a small catalog.
    #[arg(long)]
    head: Option<u32>,
    /// Print a JSON object per model instead of the table.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Outcome<()> {
    let data = Data::load(args)?;
    let models = match args.model.as_slice() {
        [] => DEFAULT.map(str::to_owned).to_vec(),
        named => named.to_vec(),
    };
    if !args.json {
        println!(
            "{} users, {} items, {} train, {} valid, {} threads",
            data.train.rows(),
            data.train.columns(),
            data.train.len(),
            data.valid.iter().map(Vec::len).sum::<usize>(),
            rayon::current_num_threads()
        );
        println!("recall@20 [95 % interval]  ndcg@20 coverage novelty   fit s  users/s  model");
    }
    for model in models {
        let start = Instant::now();
        let fitted = settings::fit(&model, &data.train)?;
        let line = data.evaluate(&fitted, start.elapsed().as_secs_f64());
        if args.json {
            println!(
                "{}",
                serde_json::json!({
                    "model": model, "fit": line.fit, "recommend": line.recommend,
                    "recall": line.recall.mean, "ndcg": line.ndcg
                })
            );
            continue;
        }
        println!(
            "{:.4} [{:.4} {:.4}]      {:.4}  {:.3}    {:.2}   {:7.2}  {:7.0}  {model}",
            line.recall.mean,
            line.recall.low,
            line.recall.high,
            line.ndcg,
            line.coverage,
            line.novelty,
            line.fit,
            line.users as f64 / line.recommend,
        );
    }
    Ok(())
}

struct Data {
    train: Matrix,
    /// Held-out items of each user.
    valid: Vec<Vec<u32>>,
}

struct Line {
    recall: Interval,
    ndcg: f64,
    coverage: f64,
    novelty: f64,
    /// Seconds of the fit.
    fit: f64,
    /// Seconds of all recommendations.
    recommend: f64,
    users: usize,
}

impl Data {
    fn load(args: &Args) -> Outcome<Self> {
        let head = args.head.unwrap_or(u32::MAX);
        let read = |name| -> Outcome<_> {
            let mut pairs = pairs(&args.data.join(name), args.form)?;
            pairs.retain(|(user, item)| *user < head && *item < head);
            Ok(pairs)
        };
        let (train, held_out) = (read("train.txt.gz")?, read("valid.txt.gz")?);
        let both = || train.iter().chain(&held_out);
        let users = count(both().map(|p| p.0));
        let items = count(both().map(|p| p.1));
        let mut valid = vec![Vec::new(); users];
        held_out
            .iter()
            .for_each(|(user, item)| valid[*user as usize].push(*item));
        let triples = train.into_iter().map(|(user, item)| (user, item, 1.0));
        Ok(Self {
            train: Matrix::from_triples(users, items, triples)?,
            valid,
        })
    }

    fn evaluate(&self, model: &dyn Recommender, fit: f64) -> Line {
        let tested = (0..self.valid.len()).filter(|u| !self.valid[*u].is_empty());
        let tested: Vec<_> = tested.collect();
        let row = |user: &usize| self.train.row(*user);
        let history = |user| -> Vec<_> {
            let entries = row(user).iter();
            entries.map(|(item, w)| (item as u32, w)).collect()
        };
        let histories: Vec<_> = tested.iter().map(history).collect();
        let seen = tested.iter().map(|u| row(u).indices.iter().collect());
        let seen: Vec<RoaringBitmap> = seen.collect();
        let requests = histories.iter().zip(&seen);
        let requests: Vec<_> = requests
            .map(|(history, excluded)| Request { history, excluded })
            .collect();
        let start = Instant::now();
        let recommended = model.recommend_many(&requests, K);
        let recommend = start.elapsed().as_secs_f64();
        let figures = tested.iter().zip(&recommended);
        let figures: Vec<_> = figures
            .map(|(user, list)| Figures::of(list, &self.valid[*user], K))
            .collect();
        let recalls: Vec<_> = figures.iter().map(|f| f.recall).collect();
        Line {
            recall: Interval::bootstrap(&recalls, 200, 1),
            ndcg: Figures::mean(&figures).ndcg,
            coverage: coverage(&recommended, self.train.columns()),
            novelty: novelty(&recommended, &self.train.column_counts(), self.train.rows()),
            fit,
            recommend,
            users: tested.len(),
        }
    }
}
