//! Effect of a user's events in one category on recommendations in another. The items of both
//! categories are in one matrix; the held-out item of the target category is ranked among random
//! items that the user does not have.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng, rngs::StdRng};
use vitrine::cf::{
    DomainModel, ItemDomains, Matrix, Recommender, TransferTrial, held_out::HeldOut,
    metrics::Interval,
};

use crate::{
    Outcome,
    data::{Form, count, pairs},
    settings,
};

/// Depth of the rankings.
const K: usize = 10;

/// Random items ranked with the held-out one.
const NEGATIVES: usize = 999;

/// Draws of the bootstrap.
const RESAMPLES: usize = 1_000;

/// Test users on which the weight of the other category is chosen.
const GUARD_USERS: usize = 5_000;

/// Users scored at a time.
const BATCH: usize = 64;

const DEFAULT: [&str; 4] = ["item-knn", "tuned-item-knn", "graph-filter", "ials"];

#[derive(clap::Args)]
pub struct Args {
    /// Folder with sport_cloth (sport) and cloth_sport (cloth), each with train.txt.gz and
    /// test_original.txt.gz.
    #[arg(long)]
    data: PathBuf,
    /// Model with options, `name:key=value,...`; may be given several times.
    #[arg(long)]
    model: Vec<String>,
    /// Test on an item of each user held out from train instead, to choose options.
    #[arg(long)]
    validate: bool,
    /// Exchange the users of the other category, so that it has nothing to tell.
    #[arg(long)]
    unrelated: bool,
    /// Weight of the history in the other category.
    #[arg(long, default_value_t = 1.0)]
    other: f32,
    /// Seed of the negatives.
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
        let task = Task::load(args, source, target)?;
        println!(
            "{from} -> {to}: {} users, {} items of {to}, {} of {from}, {NEGATIVES} random negatives, {}",
            task.tested.len(),
            task.items,
            task.both.columns() - task.items,
            if args.validate {
                "held out from train"
            } else {
                "test_original"
            }
        );
        println!("HR@10 [95 % interval]    NDCG@10 [95 % interval]  model");
        let popularity =
            task.evaluate(&settings::fit("popularity", &task.alone)?, &task.alone, 1.0);
        popularity.print("popularity");
        for model in &models {
            let alone = settings::fit(model, &task.alone)?;
            let alone = task.evaluate(&alone, &task.alone, 1.0);
            alone.print(&format!("{model}, {to} alone"));
            let both = settings::fit(model, &task.both)?;
            let both = task.evaluate(&both, &task.both, args.other);
            both.print(&format!("{model}, with {from}"));
            both.compare(&alone, &format!("paired difference to {to} alone"));
            both.compare(&popularity, "paired difference to popularity");
            let guarded = task.guarded(model, args.seed)?;
            let (weight, guarded) = (guarded.0, task.evaluate(&guarded.1, &task.both, 1.0));
            guarded.print(&format!(
                "{model}, {from} with weight {weight} as chosen on train"
            ));
            guarded.compare(&alone, &format!("paired difference to {to} alone"));
        }
    }
    Ok(())
}

struct Task {
    /// Number of items of the target category.
    items: usize,
    /// Users x items of the target category.
    alone: Matrix,
    /// The same, followed by the items of the other category.
    both: Matrix,
    /// Pairs of user and held-out item.
    tested: Vec<(u32, u32)>,
    /// Negatives of each pair.
    negatives: Vec<Vec<u32>>,
    /// Number of users of each item, which breaks ties.
    item_users: Vec<u32>,
}

impl Task {
    fn load(args: &Args, source: &str, target: &str) -> Outcome<Self> {
        let read = |folder: &str, file: &str| {
            pairs(&args.data.join(Path::new(folder)).join(file), Form::Triples)
        };
        let (purchases, other) = (read(target, "train.txt.gz")?, read(source, "train.txt.gz")?);
        let test = read(target, "test_original.txt.gz")?;
        let items = count(purchases.iter().chain(&test).map(|p| p.1));
        let users = count(purchases.iter().chain(&other).chain(&test).map(|p| p.0));
        let mut other = other;
        if args.unrelated {
            let step = users as u32 / 2;
            other
                .iter_mut()
                .for_each(|p| p.0 = (p.0 + step) % users as u32);
        }
        let triples = purchases.iter().map(|(user, item)| (*user, *item, 1.0));
        let full = Matrix::from_triples(users, items, triples)?;
        let (alone, tested) = if args.validate {
            let held_out = HeldOut::random(&full, users, 7)?;
            (held_out.train, held_out.tested)
        } else {
            (full, test)
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
            item_users: alone.column_counts(),
            alone,
            both,
            tested,
        })
    }

    /// Returns the weight of the other category, as chosen on items held out from `both`, and the
    /// model that uses it.
    fn guarded(&self, model: &str, seed: u64) -> Outcome<(f32, DomainModel)> {
        let domain = |item| u32::from(item >= self.items);
        let domains = ItemDomains::new((0..self.both.columns()).map(domain).collect())?;
        let alone = settings::resolve(model, &self.alone)?;
        let joint = settings::resolve(model, &self.both)?;
        let trial = TransferTrial::new(&self.both, &domains, &joint, GUARD_USERS, seed)?;
        let weight = trial.estimate(0, &alone)?.map_or(1.0, |e| e.weight);
        let model = DomainModel::fit(&self.both, domains, vec![weight], &joint, &alone)?;
        Ok((weight, model))
    }

    /// Returns the metrics of a model fitted on `matrix`; items of the other category have weight
    /// `other` in each history.
    fn evaluate(&self, model: &dyn Recommender, matrix: &Matrix, other: f32) -> Figures {
        let history = |(user, _): &(u32, u32)| -> Vec<_> {
            let weight = |item: usize| if item < self.items { 1.0 } else { other };
            let row = matrix.row(*user as usize);
            row.iter()
                .map(|(item, w)| (item as u32, w * weight(item)))
                .collect()
        };
        let histories: Vec<_> = self.tested.iter().map(history).collect();
        let (mut figures, mut scores) = (Figures::default(), Vec::new());
        let batches = histories
            .chunks(BATCH)
            .zip(self.tested.chunks(BATCH))
            .zip(self.negatives.chunks(BATCH));
        for ((histories, tested), negatives) in batches {
            let histories: Vec<_> = histories.iter().map(Vec::as_slice).collect();
            model.batch_scores(&histories, &mut scores);
            let rows = scores.chunks_exact(matrix.columns());
            for ((scores, (_, item)), negatives) in rows.zip(tested).zip(negatives) {
                figures.add(
                    |item| (scores[item as usize], self.item_users[item as usize]),
                    *item,
                    negatives,
                );
            }
        }
        figures
    }
}

/// Metrics of each user.
#[derive(Default)]
struct Figures {
    hit_rate: Vec<f64>,
    ndcg: Vec<f64>,
}

impl Figures {
    /// Adds the expected metrics of a random order of equal scores.
    fn add<S: PartialOrd>(&mut self, score: impl Fn(u32) -> S, item: u32, negatives: &[u32]) {
        let expected = score(item);
        let better = negatives.iter().filter(|n| score(**n) > expected).count();
        let equal = negatives.iter().filter(|n| score(**n) == expected).count();
        let ranks = better + 1..=better + 1 + equal;
        let mean = |gain: fn(usize) -> f64| {
            let gains = ranks.clone().filter(|rank| *rank <= K).map(gain);
            gains.sum::<f64>() / (equal + 1) as f64
        };
        self.hit_rate.push(mean(|_| 1.0));
        self.ndcg
            .push(mean(|rank| 1.0 / (rank as f64 + 1.0).log2()));
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
