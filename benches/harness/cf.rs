//! How well and how fast do the collaborative-filtering models recommend on Gowalla? One line a model: Recall@20
//! and NDCG@20 on `valid` with train items excluded, seconds to fit, users recommended a second.
//!
//!     cargo run --release --workspace --example cf -- --data ../shared/data/gowalla
//!     cargo run --release --workspace --example cf -- --data ... --model ials:factors=64,iterations=8

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Parser;
use flate2::read::GzDecoder;
use roaring::RoaringBitmap;
use vitrine::cf::{
    Ease, EaseOptions, GraphFilter, GraphFilterOptions, Ials, IalsOptions, ItemKnn, ItemKnnOptions,
    Matrix, Popularity, Recommender, Request, SessionKnn, SessionKnnOptions, Weighting,
    metrics::{Figures, Interval, coverage, novelty},
};

/// Depth of the rankings.
const K: usize = 20;

/// What is run unless models are named: the defaults, and what was better on `valid` of Gowalla.
const DEFAULT: [&str; 7] = [
    "popularity",
    "session-knn",
    "item-knn",
    "item-knn:alpha=0.7,user_power=0.6,shrinkage=0",
    "ials",
    "ials:factors=256,unobserved=0.02",
    "graph-filter",
];

#[derive(Parser)]
struct Args {
    /// Folder with train.txt.gz and valid.txt.gz, lines `user item item ...`.
    #[arg(long, env = "VITRINE_GOWALLA")]
    data: PathBuf,
    /// A model with settings, `name:key=value,...`; may be given several times.
    #[arg(long)]
    model: Vec<String>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Only this many of the users and items that come first: EASE needs a small catalog.
    #[arg(long)]
    head: Option<u32>,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let data = Data::load(&args.data, args.head.unwrap_or(u32::MAX))?;
    let models = match args.model.as_slice() {
        [] => DEFAULT.map(str::to_owned).to_vec(),
        named => named.to_vec(),
    };
    println!(
        "{} users, {} items, {} train, {} valid, {} threads",
        data.train.rows(),
        data.train.columns(),
        data.train.len(),
        data.valid.iter().map(Vec::len).sum::<usize>(),
        args.threads
    );
    println!("recall@20 [95 % interval]  ndcg@20 coverage novelty   fit s  users/s  model");
    for model in models {
        let settings = Settings::parse(&model)?;
        let start = Instant::now();
        let fitted = settings.fit(&data.train)?;
        let fit = start.elapsed().as_secs_f64();
        println!("{}  {model}", data.evaluate(fitted.as_ref(), fit));
    }
    Ok(())
}

struct Data {
    train: Matrix,
    /// Held-out items of each user.
    valid: Vec<Vec<u32>>,
}

impl Data {
    fn load(folder: &Path, head: u32) -> Outcome<Self> {
        let mut train = read(&folder.join("train.txt.gz"))?;
        let mut held_out = read(&folder.join("valid.txt.gz"))?;
        for pairs in [&mut train, &mut held_out] {
            pairs.retain(|(user, item)| *user < head && *item < head);
        }
        let pairs = || train.iter().chain(&held_out);
        let count = |f: fn(&(u32, u32)) -> u32| pairs().map(f).max().map_or(0, |n| n as usize + 1);
        let (users, items) = (count(|p| p.0), count(|p| p.1));
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

    fn evaluate(&self, model: &dyn Recommender, fit: f64) -> String {
        let tested: Vec<_> = (0..self.valid.len())
            .filter(|u| !self.valid[*u].is_empty())
            .collect();
        let row = |user: &usize| self.train.row(*user);
        let history = |user| {
            row(user)
                .iter()
                .map(|(item, w)| (item as u32, w))
                .collect::<Vec<_>>()
        };
        let histories: Vec<_> = tested.iter().map(history).collect();
        let seen: Vec<RoaringBitmap> = tested
            .iter()
            .map(|u| row(u).indices.iter().collect())
            .collect();
        let requests = histories
            .iter()
            .zip(&seen)
            .map(|(history, excluded)| Request { history, excluded });
        let requests: Vec<_> = requests.collect();
        let start = Instant::now();
        let found = model.recommend_many(&requests, K);
        let speed = tested.len() as f64 / start.elapsed().as_secs_f64();
        let figures = tested
            .iter()
            .zip(&found)
            .map(|(user, list)| Figures::of(list, &self.valid[*user], K));
        let figures: Vec<_> = figures.collect();
        let recalls: Vec<_> = figures.iter().map(|f| f.recall).collect();
        let recall = Interval::bootstrap(&recalls, 200, 1);
        format!(
            "{:.4} [{:.4} {:.4}]      {:.4}  {:.3}    {:.2}   {fit:7.2}  {speed:7.0}",
            recall.mean,
            recall.low,
            recall.high,
            Figures::mean(&figures).ndcg,
            coverage(&found, self.train.columns()),
            novelty(&found, &self.train.column_counts(), self.train.rows()),
        )
    }
}

/// Pairs of user and item.
fn read(path: &Path) -> Outcome<Vec<(u32, u32)>> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut pairs = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let numbers: Vec<u32> = line?
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        if let [user, items @ ..] = numbers.as_slice() {
            pairs.extend(items.iter().map(|item| (*user, *item)));
        }
    }
    Ok(pairs)
}

/// A model's name and what differs from its defaults.
struct Settings<'a> {
    name: &'a str,
    values: BTreeMap<&'a str, f32>,
}

impl<'a> Settings<'a> {
    fn parse(text: &'a str) -> Outcome<Self> {
        let (name, list) = text.split_once(':').unwrap_or((text, ""));
        let pair = |part: &'a str| -> Outcome<_> {
            let (key, value) = part.split_once('=').ok_or("settings are key=value")?;
            Ok((key, value.parse()?))
        };
        let values = list.split(',').filter(|part| !part.is_empty()).map(pair);
        Ok(Self {
            name,
            values: values.collect::<Outcome<_>>()?,
        })
    }

    fn number(&mut self, key: &str, default: f32) -> f32 {
        self.values.remove(key).unwrap_or(default)
    }

    fn count(&mut self, key: &str, default: usize) -> usize {
        self.number(key, default as f32) as usize
    }

    fn fit(mut self, train: &Matrix) -> Outcome<Box<dyn Recommender>> {
        let fitted: Box<dyn Recommender> = match self.name {
            "popularity" => Box::new(popularity(train)?),
            "item-knn" => Box::new(ItemKnn::fit(train, &self.item_knn())?),
            "graph-filter" => Box::new(GraphFilter::fit(train, &self.graph_filter())?),
            "ials" => Box::new(Ials::fit(train, &self.ials())?),
            "ease" => Box::new(Ease::fit(train, &self.ease())?),
            "session-knn" => Box::new(self.session_knn(train)?),
            other => return Err(format!("no model `{other}`").into()),
        };
        match self.values.keys().next() {
            Some(key) => Err(format!("`{}` has no setting `{key}`", self.name).into()),
            None => Ok(fitted),
        }
    }

    fn item_knn(&mut self) -> ItemKnnOptions {
        let plain = ItemKnnOptions::default();
        let weighting = match self.values.contains_key("k1") {
            true => Weighting::Bm25 {
                k1: self.number("k1", 1.2),
                b: self.number("b", 0.75),
            },
            false => Weighting::Plain,
        };
        ItemKnnOptions {
            weighting,
            neighbors: self.count("neighbors", plain.neighbors),
            alpha: self.number("alpha", plain.alpha),
            user_power: self.number("user_power", plain.user_power),
            shrinkage: self.number("shrinkage", plain.shrinkage),
            history: plain.history,
        }
    }

    fn graph_filter(&mut self) -> GraphFilterOptions {
        let plain = GraphFilterOptions::default();
        GraphFilterOptions {
            rank: self.count("rank", plain.rank),
            low_pass: self.number("low_pass", plain.low_pass),
            iterations: self.count("iterations", plain.iterations),
            seed: plain.seed,
        }
    }

    fn ials(&mut self) -> IalsOptions {
        let plain = IalsOptions::default();
        IalsOptions {
            factors: self.count("factors", plain.factors),
            iterations: self.count("iterations", plain.iterations),
            unobserved: self.number("unobserved", plain.unobserved),
            regularization: self.number("regularization", plain.regularization),
            nu: self.number("nu", plain.nu),
            deviation: self.number("deviation", plain.deviation),
            steps: self.count("steps", plain.steps),
            seed: plain.seed,
        }
    }

    fn ease(&mut self) -> EaseOptions {
        let plain = EaseOptions::default();
        EaseOptions {
            regularization: self.number("regularization", plain.regularization),
            max_items: self.count("max_items", plain.max_items),
        }
    }

    /// Each user is a session, in the order of their numbers: Gowalla has no times.
    fn session_knn(&mut self, train: &Matrix) -> Outcome<SessionKnn> {
        let plain = SessionKnnOptions::default();
        let options = SessionKnnOptions {
            neighbors: self.count("neighbors", plain.neighbors),
            sample: self.count("sample", plain.sample),
            decay: self.number("decay", 1.0),
            ..plain
        };
        let mut model = SessionKnn::new(train.columns(), options)?;
        for row in train.iter() {
            model.push(row.indices)?;
        }
        Ok(model)
    }
}

fn popularity(train: &Matrix) -> Outcome<Popularity> {
    let mut model = Popularity::new(train.columns(), 1.0)?;
    for row in train.iter() {
        for (item, weight) in row.iter() {
            model.add(item as u32, weight, 0.0)?;
        }
    }
    Ok(model)
}
