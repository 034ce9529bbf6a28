//! Online Retail (UCI): the last 40 days are held out, only items new to their customer count, weights are learned on an
//! earlier cut. Then the same shop at 1,000 events and at none.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::{Path, PathBuf},
};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use vitrine::cf::{
    Request,
    metrics::{Figures, Interval},
};
use vitrine_indexer::evaluate::{Contender, Dataset, Evaluation, Protocol, Trial, Weights};

use crate::{Outcome, vectors, young::Choice};

/// Days held out.
const DAYS: i64 = 40;

/// Depth of the lists.
const K: usize = 20;

/// A young shop has so many events; so many of them are tried.
const FEW: usize = 1000;
const SHOPS: u64 = 5;

/// The blend first: all are compared with it.
const MODELS: [&str; 6] = [
    "blend",
    "popularity",
    "item-knn",
    "session-knn",
    "content:power=1",
    "content",
];

/// What a young shop has.
const YOUNG: [&str; 5] = ["blend", "popularity", "content", "item-knn", "session-knn"];

#[derive(clap::Args)]
pub struct Args {
    /// transactions.parquet.
    #[arg(long)]
    data: PathBuf,
    /// Models instead of those of the bench, all compared with the first.
    #[arg(long)]
    model: Vec<String>,
    /// What several events with one item weigh: `one`, `sum` or `log`.
    #[arg(long, value_enum, default_value = "one")]
    weights: Weights,
    /// Of the parts `all`, `few` and `none`, only this.
    #[arg(long)]
    only: Option<String>,
}

/// A figure with its name.
type Metric = (&'static str, fn(&Figures) -> f64);

pub fn run(args: &Args, cache: &Path) -> Outcome<()> {
    let shop = Shop::load(&args.data)?;
    println!("{}", shop.account);
    let data = shop.dataset(cache)?;
    let chosen = |own: &[&str]| -> Vec<String> {
        match args.model.as_slice() {
            [] => own.iter().map(|name| (*name).to_owned()).collect(),
            named => named.to_vec(),
        }
    };
    let wanted = |part: &str| args.only.as_ref().is_none_or(|only| only == part);
    if wanted("all") {
        println!("\n# All events\n");
        show(&evaluation(&chosen(&MODELS), args.weights)?, &data, |_| ())?;
    }
    if wanted("few") {
        for choice in Choice::ALL {
            println!("\n# {FEW} events, {}\n", choice.words());
            few(&evaluation(&chosen(&YOUNG), args.weights)?, &data, choice)?;
        }
    }
    if wanted("none") {
        println!("\n# No events: what is asked with is the one item a customer bought last\n");
        let models = ["random", "content", "content:power=1"].map(str::to_owned);
        show(&evaluation(&models, args.weights)?, &data, |trial| {
            trial.train.clear();
            for task in &mut trial.tasks {
                task.history.drain(..task.history.len() - 1);
                task.events = 0;
            }
        })?;
    }
    Ok(())
}

fn evaluation(models: &[String], weights: Weights) -> Outcome<Evaluation> {
    let named = |name: &String| -> Outcome<_> { Ok((name.clone(), name.parse()?)) };
    Ok(Evaluation {
        models: models.iter().map(named).collect::<Outcome<_>>()?,
        protocol: Protocol {
            hold_out: format!("temporal:{DAYS}d").parse()?,
            weights,
            new_only: true,
            min_history: 1,
            negatives: None,
            max_users: None,
            seed: 1,
        },
        depths: vec![K],
        resamples: 1000,
    })
}

fn show(evaluation: &Evaluation, data: &Dataset, change: impl Fn(&mut Trial)) -> Outcome<()> {
    let mut trial = evaluation.protocol.prepare(data)?;
    change(&mut trial);
    let report = evaluation.run_trial(data, &trial, &mut |_| ())?;
    println!("{}", report.text());
    Ok(())
}

/// Several young shops: a line each, and what all of their customers say together.
fn few(evaluation: &Evaluation, data: &Dataset, choice: Choice) -> Outcome<()> {
    let names: Vec<&str> = evaluation
        .models
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    println!("users  recall@{K} of {}", names.join(", "));
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); names.len()];
    for seed in 1..=SHOPS {
        let mut young = data.clone();
        young.interactions = choice.young(&data.interactions, FEW, DAYS, seed);
        let trial = evaluation.protocol.prepare(&young)?;
        print!("{:5} ", trial.tasks.len());
        for ((_, model), all) in evaluation.models.iter().zip(&mut all) {
            let (figures, note) = figures(model, &young, &trial, &evaluation.protocol)?;
            print!(" {:.4}", Figures::mean(&figures).recall);
            if let Some(note) = note {
                print!(" ({note})");
            }
            all.extend(figures);
        }
        println!();
    }
    let metrics: [Metric; 2] = [("recall", |f| f.recall), ("ndcg", |f| f.ndcg)];
    for (metric, of) in metrics {
        println!(
            "\n{metric}@{K} of all, 95 % intervals, and of {} less the other",
            names[0]
        );
        let values: Vec<Vec<f64>> = all.iter().map(|f| f.iter().map(of).collect()).collect();
        for (name, own) in names.iter().zip(&values) {
            let mean = Interval::bootstrap(own, evaluation.resamples, 1);
            let over = Interval::of_difference(&values[0], own, evaluation.resamples, 1);
            println!(
                "  {:.4} [{:.4} {:.4}]  {:+.4} [{:+.4} {:+.4}]  {name}",
                mean.mean, mean.low, mean.high, over.mean, over.low, over.high
            );
        }
    }
    Ok(())
}

fn figures(
    model: &Contender,
    data: &Dataset,
    trial: &Trial,
    protocol: &Protocol,
) -> Outcome<(Vec<Figures>, Option<String>)> {
    let fitted = model.fit(data, &trial.train, protocol)?;
    let requests: Vec<_> = trial
        .tasks
        .iter()
        .map(|task| Request {
            history: &task.history,
            excluded: &task.excluded,
        })
        .collect();
    let answers = fitted.model.recommend_many(&requests, K);
    let pairs = answers.iter().zip(&trial.tasks);
    let figures = pairs.map(|(list, task)| Figures::of(list, &task.relevant, K));
    Ok((figures.collect(), fitted.note))
}

/// What is left of the transactions when they are cleaned.
struct Shop {
    /// Customer, stock code, microseconds since 1970.
    purchases: Vec<(String, String, i64)>,
    /// Description by stock code, the one used most.
    titles: BTreeMap<String, String>,
    /// What was left out and why.
    account: String,
}

impl Shop {
    fn load(path: &Path) -> Outcome<Self> {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        let (mut purchases, mut names) = (Vec::new(), HashMap::new());
        let mut read = 0;
        let (mut returned, mut unpriced, mut fees, mut unnamed) = (0, 0, 0, 0);
        for row in reader.get_row_iter(None)? {
            let line = Line(row?);
            read += 1;
            let (Some(code), Some(quantity), Some(price)) = (
                line.text("StockCode"),
                line.number("Quantity"),
                line.number("UnitPrice"),
            ) else {
                unpriced += 1;
                continue;
            };
            if let Some(name) = line.text("Description") {
                let counts: &mut HashMap<String, usize> = names.entry(code.clone()).or_default();
                *counts.entry(name).or_default() += 1;
            }
            let product = code.len() >= 5 && code.bytes().take(5).all(|b| b.is_ascii_digit());
            let (customer, time) = (line.number("CustomerID"), line.time("InvoiceDate"));
            match (customer, time) {
                _ if quantity <= 0.0 => returned += 1,
                _ if price <= 0.0 => unpriced += 1,
                _ if !product => fees += 1,
                (Some(customer), Some(at)) => purchases.push((customer.to_string(), code, at)),
                _ => unnamed += 1,
            }
        }
        let sold: std::collections::HashSet<_> =
            purchases.iter().map(|(_, code, _)| code).collect();
        let most = |counts: HashMap<String, usize>| {
            let most = counts
                .into_iter()
                .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
            most.map(|(name, _)| name)
        };
        let titles = names.into_iter().filter(|(code, _)| sold.contains(code));
        let titles = titles.filter_map(|(code, counts)| Some((code, most(counts)?)));
        Ok(Self {
            titles: titles.collect(),
            account: format!(
                "{read} lines; left out: {returned} returned or cancelled (quantity not above 0), {unpriced} without price, \
                 {fees} postage and fees (code without five digits), {unnamed} without customer; {} purchases",
                purchases.len()
            ),
            purchases,
        })
    }

    fn dataset(&self, cache: &Path) -> Outcome<Dataset> {
        let mut data = Dataset::new("Online Retail");
        for (customer, code, at) in &self.purchases {
            data.add(customer, code, Some(1.0), *at);
        }
        let titles: Vec<&str> = self.titles.values().map(String::as_str).collect();
        let vectors = vectors::of(&titles, "online-retail", cache)?;
        let items = self.titles.keys().zip(vectors);
        data.describe(items.map(|(code, vector)| (code.clone(), None, Some(vector))));
        Ok(data)
    }
}

/// A line of the transactions.
struct Line(Row);

impl Line {
    fn field(&self, name: &str) -> Option<&Field> {
        let mut fields = self.0.get_column_iter();
        fields.find(|(n, _)| *n == name).map(|(_, field)| field)
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.field(name)? {
            Field::Str(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.field(name)? {
            Field::Long(number) => Some(*number as f64),
            Field::Double(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// Microseconds since 1970.
    fn time(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Field::TimestampMicros(at) | Field::Long(at) => Some(*at),
            Field::TimestampMillis(at) => Some(at * 1000),
            _ => None,
        }
    }
}
