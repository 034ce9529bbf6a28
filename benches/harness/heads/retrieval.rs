//! Retrieval from text to image, image to text, and image to image of the same article type, by the
//! number of training pairs.

use std::error::Error;
use std::time::Instant;

use vitrine_indexer::space::heads::Heads;
use vitrine_indexer::space::tower::unit;
use vitrine_indexer::train::metrics::{Measured, Quality, measure, same_label_share};
use vitrine_indexer::train::trainer::evaluate_pairs;
use vitrine_indexer::train::{Example, Pairs, Recipe, TrainError, transfer::train_fresh};

use crate::data::{Data, network, plain};

/// Number of held-out items.
const TEST: usize = 1000;
/// One of this many training pairs is used for early stopping instead.
const STOP: usize = 10;

pub fn run(data: &Data, sizes: &[usize]) -> Result<(), Box<dyn Error>> {
    let (test, pool) = data.examples.split_at(TEST.min(data.examples.len() / 2));
    println!("\n## Retrieval among {} held-out items", test.len());
    header();
    untrained(test)?;
    for &size in sizes.iter().filter(|s| **s <= pool.len()) {
        let train = &pool[..size];
        let started = Instant::now();
        let recipe = Recipe::plain();
        let heads = train_fresh(
            &data.encoders,
            &recipe,
            &Pairs::of(&plain(train))?,
            None,
            None,
            &mut |_| (),
        )?
        .heads;
        let quality = evaluate(&heads, &plain(test))?.quality;
        line(&format!("plain head, {size} pairs"), &quality, started);
        let started = Instant::now();
        let quality = evaluate(&ours(data, &Recipe::default(), train)?, test)?.quality;
        line(&format!("ours, {size} pairs"), &quality, started);
    }
    Ok(())
}

/// Tries recipes on a part of the training pool, without the held-out items.
pub fn tune(data: &Data, settings: &[String]) -> Result<(), Box<dyn Error>> {
    let pool = &data.examples[TEST.min(data.examples.len() / 2)..];
    let (validation, train) = pool.split_at(pool.len() / 5);
    println!(
        "\n## Settings, {} training pairs, {} validation pairs",
        train.len(),
        validation.len()
    );
    header();
    untrained(validation)?;
    for settings in settings {
        let recipe: Recipe = serde_json::from_str(settings)?;
        let started = Instant::now();
        let quality = evaluate(&ours(data, &recipe, train)?, validation)?.quality;
        line(settings, &quality, started);
    }
    Ok(())
}

fn ours(data: &Data, recipe: &Recipe, train: &[Example]) -> Result<Heads, TrainError> {
    let (stop, rest) = train.split_at(train.len() / STOP);
    let (rest, stop) = (Pairs::of(rest)?, Pairs::of(stop)?);
    Ok(train_fresh(
        &data.encoders,
        recipe,
        &rest,
        Some(&stop),
        None,
        &mut |_| (),
    )?
    .heads)
}

pub fn evaluate(heads: &Heads, examples: &[Example]) -> Result<Measured, TrainError> {
    Ok(evaluate_pairs(heads, &Pairs::of(examples)?)?)
}

fn untrained(test: &[Example]) -> Result<(), TrainError> {
    let started = Instant::now();
    let pairs = Pairs::of(test)?;
    let [text, image] = &pairs.untrained;
    line(
        "ConSE, no training",
        &measure(text, image, Some(&pairs.labels))?.quality,
        started,
    );
    let raw: Vec<Example> = test
        .iter()
        .map(|e| Example {
            image: network(e).to_vec(),
            ..e.clone()
        })
        .collect();
    let raw = unit(&Pairs::of(&raw)?.image)?;
    let shares = same_label_share(&raw, &pairs.labels)?;
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    println!("{:<28}{:>55}{mean:>8.3}", "raw CNN features", "");
    Ok(())
}

fn header() {
    println!(
        "{:<28}{:^24}{:^24}{:>7}{:>8}{:>8}",
        "", "text to image R@1 5 10", "image to text R@1 5 10", "", "same@10", "s"
    );
}

fn line(name: &str, q: &Quality, started: Instant) {
    let (t, p) = (q.text_to_image, q.image_to_text);
    println!(
        "{name:<28}{:>8.3}{:>8.3}{:>8.3}{:>8.3}{:>8.3}{:>8.3}{:>7}{:>8.3}{:>8.1}",
        t.recall_1,
        t.recall_5,
        t.recall_10,
        p.recall_1,
        p.recall_5,
        p.recall_10,
        "",
        q.same_label.unwrap_or_default(),
        started.elapsed().as_secs_f64(),
    );
}
