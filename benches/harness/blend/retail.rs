//! Online Retail (UCI): the last 40 days are held out, only items new to a customer count, and
//! weights are learned on an earlier cut. Then the same shop with 1,000 events and with none.

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
use vitrine_indexer::evaluate::{Dataset, Evaluation, ModelSpec, Protocol, Trial, Weights};

use crate::{Outcome, cold, vectors, young::Choice};

/// Number of held-out days.
const DAYS: i64 = 40;

/// Depth of the lists.
const K: usize = 20;

/// Number of events of a young shop.
const YOUNG_SHOP_EVENTS: usize = 1000;

/// Number of young shops.
const SHOPS: u64 = 5;

/// Models of the established shop; all are compared with the first.
const MODELS: [&str; 6] = [
    "blend",
    "popularity",
    "item-knn",
    "session-knn",
    "content:power=1",
    "content",
];

/// Models of a young shop.
const YOUNG_SHOP_MODELS: [&str; 5] = ["blend", "popularity", "content", "item-knn", "session-knn"];

#[derive(clap::Args)]
pub struct Args {
    /// File transactions.parquet.
    #[arg(long)]
    data: PathBuf,
    /// Models instead of the default ones, all compared with the first.
    #[arg(long)]
    model: Vec<String>,
    /// Weight of several events with one item: `one`, `sum` or `log`.
    #[arg(long, value_enum, default_value = "one")]
    weights: Weights,
    /// Only this part: `all`, `few`, `none` or `cold`.
    #[arg(long)]
    only: Option<String>,
}

/// A metric with its name.
type Metric = (&'static str, fn(&Figures) -> f64);

pub fn run(args: &Args, cache: &Path) -> Outcome<()> {
    let shop = Shop::load(&args.data)?;
    println!("{}", shop.summary);
    let data = shop.dataset(cache)?;
    let chosen = |default: &[&str]| -> Vec<String> {
        match args.model.as_slice() {
            [] => default.iter().map(|name| (*name).to_owned()).collect(),
            named => named.to_vec(),
        }
    };
    let wanted = |part: &str| args.only.as_ref().is_none_or(|only| only == part);
    if wanted("all") {
        println!("\n# All events\n");
        show(&evaluation(&chosen(&MODELS), args.weights)?, &data, |_| ())?;
    }
    if wanted("few") {
        for choice in Choice::CHOICES {
            println!("\n# {YOUNG_SHOP_EVENTS} events, {}\n", choice.description());
            compare_young(
                &evaluation(&chosen(&YOUNG_SHOP_MODELS), args.weights)?,
                &data,
                choice,
            )?;
        }
    }
    if wanted("none") {
        println!("\n# No events: the history is the last item of a customer\n");
        let models = ["random", "content", "content:power=1"].map(str::to_owned);
        show(&evaluation(&models, args.weights)?, &data, |trial| {
            trial.train.clear();
            for task in &mut trial.tasks {
                task.history.drain(..task.history.len() - 1);
                task.events = 0;
            }
        })?;
    }
    if wanted("cold") {
        cold::run(&data, args.weights)?;
    }
    Ok(())
}

/// Returns the evaluation of some models on the held-out days.
pub fn evaluation(models: &[String], weights: Weights) -> Outcome<Evaluation> {
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
            cold_items: None,
            max_history: None,
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

/// Prints the results of several young shops, one line each, and of all their customers together.
fn compare_young(evaluation: &Evaluation, data: &Dataset, choice: Choice) -> Outcome<()> {
    let names: Vec<&str> = evaluation
        .models
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    println!("users  recall@{K} of {}", names.join(", "));
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); names.len()];
    for seed in 1..=SHOPS {
        let mut young = data.clone();
        young.interactions = choice.young(&data.interactions, YOUNG_SHOP_EVENTS, DAYS, seed);
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
            "\n{metric}@{K} of all with 95 % intervals, and the difference of {} to each",
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
    model: &ModelSpec,
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

/// The cleaned transactions.
struct Shop {
    /// Customers, stock codes and times in microseconds since 1970.
    purchases: Vec<(String, String, i64)>,
    /// Most frequent description by stock code.
    titles: BTreeMap<String, String>,
    /// Counts of the lines that were left out, and why.
    summary: String,
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
        let most_frequent = |counts: HashMap<String, usize>| {
            let entry = counts
                .into_iter()
                .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
            entry.map(|(name, _)| name)
        };
        let titles = names.into_iter().filter(|(code, _)| sold.contains(code));
        let titles = titles.filter_map(|(code, counts)| Some((code, most_frequent(counts)?)));
        Ok(Self {
            titles: titles.collect(),
            summary: format!(
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

    /// Returns microseconds since 1970.
    fn time(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Field::TimestampMicros(at) | Field::Long(at) => Some(*at),
            Field::TimestampMillis(at) => Some(at * 1000),
            _ => None,
        }
    }
}
