//! Does what users did in one category help to recommend in another? Both categories' items go into one matrix; what
//! is asked for is the held-out item of the target category among random ones that the user does not have.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng, rngs::StdRng};
use vitrine::cf::{Matrix, Recommender, metrics::Interval, tune::HeldOut};

use crate::{
    Outcome,
    data::{Form, count, pairs},
    settings,
};

/// Depth of the rankings.
const K: usize = 10;

/// Random items beside the held-out one.
const NEGATIVES: usize = 999;

/// Draws of the bootstrap.
const RESAMPLES: usize = 1_000;

/// Users scored at a time.
const BATCH: usize = 64;

const DEFAULT: [&str; 4] = ["item-knn", "tuned-item-knn", "graph-filter", "ials"];

#[derive(clap::Args)]
pub struct Args {
    /// Folder with sport_cloth (sport) and cloth_sport (cloth), each with train.txt.gz and test_original.txt.gz.
    #[arg(long)]
    data: PathBuf,
    /// A model with settings, `name:key=value,...`; may be given several times.
    #[arg(long)]
    model: Vec<String>,
    /// Tests on an item of each user cut from train instead: for choosing settings.
    #[arg(long)]
    validate: bool,
    /// Weight of the history in the other category.
    #[arg(long, default_value_t = 1.0)]
    other: f32,
    /// Of the negatives.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &Args) -> Outcome<()> {
    let models = match args.model.as_slice() {
        [] => DEFAULT.map(str::to_owned).to_vec(),
        named => named.to_vec(),
    };
    for (from, to, source, target) in [
        ("sport", "cloth", "sport_cloth", "cloth_sport"),
        ("cloth", "sport", "cloth_sport", "sport_cloth"),
    ] {
        let question = Question::load(args, source, target)?;
        println!(
            "{from} -> {to}: {} users, {} items of {to}, {} of {from}, {NEGATIVES} random negatives, {}",
            question.tested.len(),
            question.items,
            question.both.columns() - question.items,
            if args.validate {
                "cut from train"
            } else {
                "test_original"
            }
        );
        println!("HR@10 [95 % interval]    NDCG@10 [95 % interval]  model");
        let popularity = question.ask(
            &settings::fit("popularity", &question.alone)?,
            &question.alone,
            1.0,
        );
        popularity.print("popularity");
        for model in &models {
            let alone = settings::fit(model, &question.alone)?;
            let alone = question.ask(&alone, &question.alone, 1.0);
            alone.print(&format!("{model}, {to} alone"));
            let both = settings::fit(model, &question.both)?;
            let both = question.ask(&both, &question.both, args.other);
            both.print(&format!("{model}, with {from}"));
            both.compare(&alone, &format!("paired difference to {to} alone"));
            both.compare(&popularity, "paired difference to popularity");
        }
    }
    Ok(())
}

struct Question {
    /// The target's items.
    items: usize,
    /// Users x the target's items, and those of the other category behind them.
    alone: Matrix,
    both: Matrix,
    /// User and held-out item.
    tested: Vec<(u32, u32)>,
    /// For each of them.
    negatives: Vec<Vec<u32>>,
    /// Users of each item: it breaks ties.
    common: Vec<u32>,
}

impl Question {
    fn load(args: &Args, source: &str, target: &str) -> Outcome<Self> {
        let read = |folder: &str, file: &str| {
            pairs(&args.data.join(Path::new(folder)).join(file), Form::Triples)
        };
        let (own, other) = (read(target, "train.txt.gz")?, read(source, "train.txt.gz")?);
        let test = read(target, "test_original.txt.gz")?;
        let items = count(own.iter().chain(&test).map(|p| p.1));
        let users = count(own.iter().chain(&other).chain(&test).map(|p| p.0));
        let triples = own.iter().map(|(user, item)| (*user, *item, 1.0));
        let full = Matrix::from_triples(users, items, triples)?;
        let (alone, tested) = match args.validate {
            true => {
                let held_out = HeldOut::random(&full, users, 7)?;
                (held_out.train, held_out.tested)
            }
            false => (full, test),
        };
        let of_target = (0_u32..).zip(alone.iter()).flat_map(|(user, row)| {
            row.iter()
                .map(move |(item, weight)| (user, item as u32, weight))
        });
        let of_other = other
            .iter()
            .map(|(user, item)| (*user, *item + items as u32, 1.0));
        let columns = items + count(other.iter().map(|p| p.1));
        let both = Matrix::from_triples(users, columns, of_target.chain(of_other))?;
        let mut rng = StdRng::seed_from_u64(args.seed);
        let negatives = tested.iter().map(|(user, item)| {
            let had = alone.row(*user as usize).indices;
            let mut drawn = Vec::with_capacity(NEGATIVES);
            while drawn.len() < NEGATIVES {
                let negative = rng.random_range(0..items as u32);
                if negative != *item && !had.contains(&negative) && !drawn.contains(&negative) {
                    drawn.push(negative);
                }
            }
            drawn
        });
        Ok(Self {
            items,
            negatives: negatives.collect(),
            common: alone.column_counts(),
            alone,
            both,
            tested,
        })
    }

    /// Figures of a model fitted on `matrix`, with the other category's part of each history at weight `other`.
    fn ask(&self, model: &dyn Recommender, matrix: &Matrix, other: f32) -> Figures {
        let history = |(user, _): &(u32, u32)| -> Vec<_> {
            let weight = |item: usize| if item < self.items { 1.0 } else { other };
            let row = matrix.row(*user as usize);
            row.iter()
                .map(|(item, w)| (item as u32, w * weight(item)))
                .collect()
        };
        let histories: Vec<_> = self.tested.iter().map(history).collect();
        let (mut figures, mut scores) = (Figures::default(), Vec::new());
        let parts = histories
            .chunks(BATCH)
            .zip(self.tested.chunks(BATCH))
            .zip(self.negatives.chunks(BATCH));
        for ((histories, tested), negatives) in parts {
            let histories: Vec<_> = histories.iter().map(Vec::as_slice).collect();
            model.batch_scores(&histories, &mut scores);
            let rows = scores.chunks_exact(matrix.columns());
            for ((scores, (_, item)), negatives) in rows.zip(tested).zip(negatives) {
                figures.add(
                    |item| (scores[item as usize], self.common[item as usize]),
                    *item,
                    negatives,
                );
            }
        }
        figures
    }
}

/// Of each user.
#[derive(Default)]
struct Figures {
    hit_rate: Vec<f64>,
    ndcg: Vec<f64>,
}

impl Figures {
    /// The expected figures where the order of what is equal is random.
    fn add<S: PartialOrd>(&mut self, score: impl Fn(u32) -> S, item: u32, negatives: &[u32]) {
        let own = score(item);
        let better = negatives.iter().filter(|n| score(**n) > own).count();
        let equal = negatives.iter().filter(|n| score(**n) == own).count();
        let places = better + 1..=better + 1 + equal;
        let mean = |gain: fn(usize) -> f64| {
            let gains = places.clone().filter(|place| *place <= K).map(gain);
            gains.sum::<f64>() / (equal + 1) as f64
        };
        self.hit_rate.push(mean(|_| 1.0));
        self.ndcg
            .push(mean(|place| 1.0 / (place as f64 + 1.0).log2()));
    }

    fn print(&self, name: &str) {
        let figure = |values: &[f64]| interval(Interval::bootstrap(values, RESAMPLES, 1));
        println!("{}  {}  {name}", figure(&self.hit_rate), figure(&self.ndcg));
    }

    fn compare(&self, other: &Self, name: &str) {
        let figure = |a: &[f64], b: &[f64]| interval(Interval::of_difference(a, b, RESAMPLES, 1));
        println!(
            "{}  {}    {name}",
            figure(&self.hit_rate, &other.hit_rate),
            figure(&self.ndcg, &other.ndcg)
        );
    }
}

fn interval(interval: Interval) -> String {
    format!(
        "{:+.4} [{:+.4} {:+.4}]",
        interval.mean, interval.low, interval.high
    )
}
