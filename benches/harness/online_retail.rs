//! Does the learned blend beat each of its sources? Online Retail (UCI): the last 40 days are held out, only items new to
//! their customer count, weights are learned on an earlier cut. Then the same shop at no events and at 1,000.
//!
//!     make bench-blend

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fs::{self, File},
    path::{Path, PathBuf},
};

use clap::Parser;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use vitrine::Embedder;
use vitrine_indexer::{
    encode::Precision,
    evaluate::{Dataset, Evaluation, Protocol, Weights},
    models,
    space::Encoders,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Days held out.
const SPLIT: &str = "temporal:40d";

/// Depth of the lists.
const K: usize = 20;

/// A young shop has so many events.
const FEW: usize = 1000;

/// The blend first: all are compared with it.
const BLEND: [&str; 6] = [
    "blend:content.power=4",
    "popularity",
    "item-knn",
    "session-knn",
    "content",
    "content:power=4",
];

#[derive(Parser)]
struct Args {
    /// transactions.parquet.
    #[arg(long)]
    data: PathBuf,
    /// Folder where vectors of titles are kept.
    #[arg(long)]
    cache: PathBuf,
    /// Models instead of those of the bench, all compared with the first.
    #[arg(long)]
    model: Vec<String>,
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    let shop = Shop::load(&args.data)?;
    println!("{}", shop.account);
    let data = shop.dataset(&args.cache)?;
    let named: Vec<&str> = match args.model.as_slice() {
        [] => BLEND.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };

    println!("\n# All events\n");
    show(&evaluation(&named)?, &data, |_| ())?;

    println!("\n# {FEW} events: as many of those to learn from, drawn at random\n");
    let mut young = data.clone();
    let (mut before, after): (Vec<_>, Vec<_>) = {
        let trial = evaluation(&named)?.protocol.prepare(&data)?;
        let cut = trial.cut.ok_or("no cut")?;
        data.interactions.iter().copied().partition(|i| i.at < cut)
    };
    before.shuffle(&mut StdRng::seed_from_u64(1));
    before.truncate(FEW);
    young.interactions = before.into_iter().chain(after).collect();
    show(
        &evaluation(&[
            "popularity",
            "blend:content.power=4",
            "item-knn",
            "content:power=4",
        ])?,
        &young,
        |_| (),
    )?;

    println!("\n# No events: what is asked with is the one item a customer bought last\n");
    show(
        &evaluation(&["random", "content", "content:power=4"])?,
        &data,
        |trial| {
            trial.train.clear();
            for task in &mut trial.tasks {
                task.history.drain(..task.history.len() - 1);
                task.events = 0;
            }
        },
    )
}

fn evaluation(models: &[&str]) -> Outcome<Evaluation> {
    let named = |name: &&str| -> Outcome<_> { Ok(((*name).to_owned(), name.parse()?)) };
    Ok(Evaluation {
        models: models.iter().map(named).collect::<Outcome<_>>()?,
        protocol: Protocol {
            hold_out: SPLIT.parse()?,
            weights: Weights::One,
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

fn show(
    evaluation: &Evaluation,
    data: &Dataset,
    change: impl Fn(&mut vitrine_indexer::evaluate::Trial),
) -> Outcome<()> {
    let mut trial = evaluation.protocol.prepare(data)?;
    change(&mut trial);
    let report = evaluation.run_trial(data, &trial, &mut |_| ())?;
    println!("{}", report.text());
    Ok(())
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
        let vectors = self.vectors(cache)?;
        let items = self.titles.keys().zip(vectors);
        data.describe(items.map(|(code, vector)| (code.clone(), None, Some(vector))));
        Ok(data)
    }

    /// Vectors of the titles, kept in a file named by what they were made from.
    fn vectors(&self, cache: &Path) -> Outcome<Vec<Vec<f32>>> {
        let encoders = Encoders::load(&models::default_dir(), Precision::default())?;
        let dim = encoders.dims()["text"];
        let mut hash = blake3::Hasher::new();
        hash.update(encoders.fingerprint().as_bytes());
        for title in self.titles.values() {
            hash.update(title.as_bytes()).update(b"\n");
        }
        let path = cache.join(format!(
            "online-retail-{}.f32",
            &hash.finalize().to_hex()[..16]
        ));
        let titles: Vec<&str> = self.titles.values().map(String::as_str).collect();
        if !path.is_file() {
            let mut bytes = Vec::new();
            for chunk in titles.chunks(64) {
                for embedding in encoders.embed_text(chunk) {
                    bytes.extend(embedding?["text"].iter().flat_map(|x| x.to_le_bytes()));
                }
            }
            fs::create_dir_all(cache)?;
            fs::write(&path, bytes)?;
        }
        let numbers: Vec<f32> = fs::read(&path)?
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if numbers.len() != dim * titles.len() {
            return Err(format!("{} is damaged; remove it", path.display()).into());
        }
        Ok(numbers.chunks_exact(dim).map(<[f32]>::to_vec).collect())
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
