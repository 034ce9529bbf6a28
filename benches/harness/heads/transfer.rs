//! Transfer to a category with few items from the others: gains of each method, and the decisions
//! of the guard.

use std::collections::BTreeMap;
use std::error::Error;

use vitrine_indexer::space::heads::Heads;
use vitrine_indexer::train::domains::within;
use vitrine_indexer::train::guard::{HeldOutScores, decide};
use vitrine_indexer::train::transfer::{Domains, Transfer, train_fresh, transfer};
use vitrine_indexer::train::{Example, Pairs, Recipe, TrainError, shuffled};

use crate::data::Data;
use crate::retrieval::evaluate;

const TARGETS: [&str; 3] = ["Apparel", "Accessories", "Footwear"];
const SIZES: [usize; 4] = [5, 20, 100, 500];
/// Number of items that the guard decides on, and of those that its decision is checked on.
const HELD_OUT: usize = 300;
const METHODS: [Transfer; 3] = [Transfer::Feature, Transfer::Model, Transfer::Finetune];

/// Scores by method, and the results of the decisions.
#[derive(Default)]
struct Tally {
    scores: BTreeMap<String, Vec<f64>>,
    promoted: usize,
    wrong: usize,
    refused_gains: usize,
    runs: usize,
}

pub fn run(data: &Data, seeds: u64) -> Result<(), Box<dyn Error>> {
    println!("\n## Transfer to a category with few items, sources = all others");
    println!(
        "score = mean of NDCG@10 text to image, image to text, and same@10, among {HELD_OUT} held-out items of the target"
    );
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    for target in TARGETS {
        let (own, others): (Vec<_>, Vec<_>) = data
            .examples
            .iter()
            .cloned()
            .partition(|e| within(&e.category, target));
        let (stop, rest) = others.split_at(others.len() / 10);
        let (rest, stop) = (Pairs::of(rest)?, Pairs::of(stop)?);
        let source = train_fresh(
            &data.encoders,
            &Recipe::default(),
            &rest,
            Some(&stop),
            None,
            &mut |_| (),
        )?;
        for seed in 0..seeds {
            let own = shuffled(own.clone(), seed);
            let (test, own) = own.split_at(HELD_OUT);
            let (guard, own) = own.split_at(HELD_OUT);
            for size in SIZES.into_iter().filter(|n| *n <= own.len()) {
                let tally = tallies.entry(size).or_default();
                let held = Held { guard, test };
                one(data, &source.heads, &rest, &own[..size], &held, seed, tally)?;
            }
        }
        eprintln!("{target} done");
    }
    report(&tallies);
    Ok(())
}

struct Held<'a> {
    guard: &'a [Example],
    test: &'a [Example],
}

fn one(
    data: &Data,
    source_heads: &Heads,
    source: &Pairs,
    train: &[Example],
    held: &Held,
    seed: u64,
    tally: &mut Tally,
) -> Result<(), TrainError> {
    let recipe = Recipe {
        seed,
        ..Recipe::default()
    };
    // As the command does: a tenth is used for early stopping, if there are enough.
    let (stop, rest) = train.split_at(if train.len() >= 200 {
        train.len() / 10
    } else {
        0
    });
    let stop = (!stop.is_empty()).then(|| Pairs::of(stop)).transpose()?;
    let target = Pairs::of(rest)?;
    let alone = train_fresh(
        &data.encoders,
        &recipe,
        &target,
        stop.as_ref(),
        None,
        &mut |_| (),
    )?
    .heads;
    let on_guard =
        |heads: &Heads| Ok::<_, TrainError>(HeldOutScores::from(evaluate(heads, held.guard)?));
    let (alone_guard, alone_test) = (on_guard(&alone)?, evaluate(&alone, held.test)?);
    let current = (on_guard(source_heads)?, evaluate(source_heads, held.test)?);
    let mut note = |name: &str, score: f64| {
        tally.scores.entry(name.to_owned()).or_default().push(score);
    };
    note("0 target only", alone_test.quality.score);
    note("1 source as it is", current.1.quality.score);
    let mut outcomes = Vec::new();
    let domains = Domains {
        source_heads,
        source: source.into(),
        target: (&target).into(),
        held_out: stop.as_ref().into(),
    };
    for method in METHODS {
        let heads = transfer(method, &domains, &recipe, 1.0, &mut |_| ())?.heads;
        let (guard, test) = (on_guard(&heads)?, evaluate(&heads, held.test)?);
        note(
            &format!("{} {method:?}", 2 + method as usize).to_lowercase(),
            test.quality.score,
        );
        let rivals = [
            ("training on the target alone", &alone_guard),
            ("the heads in use", &current.0),
        ];
        let decision = decide(&guard, &rivals);
        let better = |rival: &f64| test.quality.score > *rival;
        let gains = better(&alone_test.quality.score) && better(&current.1.quality.score);
        outcomes.push((decision.promoted, gains));
    }
    for (promoted, gains) in outcomes {
        tally.runs += 1;
        tally.promoted += usize::from(promoted);
        tally.wrong += usize::from(promoted && !gains);
        tally.refused_gains += usize::from(!promoted && gains);
    }
    Ok(())
}

fn report(tallies: &BTreeMap<usize, Tally>) {
    for (size, tally) in tallies {
        println!("\n{size} training items in the target");
        let alone = &tally.scores["0 target only"];
        for (name, scores) in &tally.scores {
            let gains: Vec<f64> = scores.iter().zip(alone).map(|(a, b)| a - b).collect();
            let (score, _) = mean_and_interval(scores);
            let (gain, interval) = mean_and_interval(&gains);
            println!(
                "  {:<18}{score:.3}   over target only {gain:+.3} +- {interval:.3}",
                &name[2..]
            );
        }
        println!(
            "  guard: {} of {} transfers promoted, {} of them lost on the test items; {} gains refused",
            tally.promoted, tally.runs, tally.wrong, tally.refused_gains
        );
    }
}

/// Returns the mean and half of the 95 % confidence interval.
fn mean_and_interval(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, 1.96 * (variance / n).sqrt())
}
