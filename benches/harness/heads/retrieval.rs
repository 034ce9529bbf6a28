//! Text to photo, photo to text, photo to photo of one article type, over the number of pairs trained on.

use std::error::Error;
use std::time::Instant;

use vitrine_indexer::space::heads::Heads;
use vitrine_indexer::space::tower::unit;
use vitrine_indexer::train::metrics::{Measured, Quality, kinship, measure};
use vitrine_indexer::train::session::judge_pairs;
use vitrine_indexer::train::{Example, Pairs, Recipe, TrainError, transfer::train_fresh};

use crate::data::{Data, network, plain};

/// Items held out.
const TEST: usize = 1000;
/// Share of the pairs trained on that choose the epoch instead.
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
        let quality = judge(&heads, &plain(test))?.quality;
        line(&format!("plain head, {size} pairs"), &quality, started);
        let started = Instant::now();
        let quality = judge(&ours(data, &Recipe::default(), train)?, test)?.quality;
        line(&format!("ours, {size} pairs"), &quality, started);
    }
    Ok(())
}

/// Tries settings on a part of the pool: the held-out items are not looked at.
pub fn tune(data: &Data, settings: &[String]) -> Result<(), Box<dyn Error>> {
    let pool = &data.examples[TEST.min(data.examples.len() / 2)..];
    let (judges, train) = pool.split_at(pool.len() / 5);
    println!(
        "\n## Settings, {} pairs trained on, {} judged by",
        train.len(),
        judges.len()
    );
    header();
    untrained(judges)?;
    for settings in settings {
        let recipe: Recipe = serde_json::from_str(settings)?;
        let started = Instant::now();
        let quality = judge(&ours(data, &recipe, train)?, judges)?.quality;
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

pub fn judge(heads: &Heads, examples: &[Example]) -> Result<Measured, TrainError> {
    Ok(judge_pairs(heads, &Pairs::of(examples)?)?)
}

fn untrained(test: &[Example]) -> Result<(), TrainError> {
    let started = Instant::now();
    let pairs = Pairs::of(test)?;
    let [text, photo] = &pairs.untrained;
    line(
        "ConSE, no training",
        &measure(text, photo, Some(&pairs.labels))?.quality,
        started,
    );
    let raw: Vec<Example> = test
        .iter()
        .map(|e| Example {
            photo: network(e).to_vec(),
            ..e.clone()
        })
        .collect();
    let raw = unit(&Pairs::of(&raw)?.photo)?;
    let kin = kinship(&raw, &pairs.labels)?;
    let mean = kin.iter().sum::<f64>() / kin.len() as f64;
    println!("{:<28}{:>55}{mean:>8.3}", "raw CNN features", "");
    Ok(())
}

fn header() {
    println!(
        "{:<28}{:^24}{:^24}{:>7}{:>8}{:>8}",
        "", "text to photo R@1 5 10", "photo to text R@1 5 10", "", "kin@10", "s"
    );
}

fn line(name: &str, q: &Quality, started: Instant) {
    let (t, p) = (q.text_to_photo, q.photo_to_text);
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
