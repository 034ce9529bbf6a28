//! Items made of the titles of Home Depot: the first half of one and the second half of another.

use std::{error::Error, fs::File, path::Path};

use flate2::read::GzDecoder;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use vitrine::{Collection, schemas::Item};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Items written per call.
const BATCH: usize = 5_000;

/// Number of categories of the lower level, and of those above them.
const CATEGORIES: usize = 400;
const DEPARTMENTS: usize = 20;

/// Returns the words of the titles.
pub fn words(path: &Path) -> Outcome<Vec<Vec<String>>> {
    let mut titles = Vec::new();
    for record in csv::Reader::from_reader(GzDecoder::new(File::open(path)?)).records() {
        let record = record?;
        let title = record.get(1).unwrap_or_default().split_whitespace();
        titles.push(title.map(str::to_owned).collect());
    }
    Ok(titles)
}

/// Returns the id, title, brand and category of the n-th item, the last word of its second title,
/// and random numbers for further fields.
pub fn item(words: &[Vec<String>], n: usize) -> Outcome<(Value, Option<&String>, StdRng)> {
    let mut rng = StdRng::seed_from_u64(n as u64);
    let (Some(a), Some(b)) = (words.choose(&mut rng), words.choose(&mut rng)) else {
        return Err("no titles".into());
    };
    let title = [&a[..a.len().div_ceil(2)], &b[b.len() / 2..]].concat();
    let category = rng.random_range(0..CATEGORIES);
    let item = json!({
        "id": format!("item-{n:07}"), "title": title.join(" "), "brand": a.first(),
        "category": format!("Department {} > Aisle {category}", category % DEPARTMENTS)
    });
    Ok((item, b.last(), rng))
}

/// Writes items in batches.
pub fn write(
    shop: &Collection,
    count: usize,
    item: impl Fn(usize) -> Outcome<Item>,
) -> Outcome<()> {
    for from in (0..count).step_by(BATCH) {
        let batch = from..count.min(from + BATCH);
        for written in shop.upsert(batch.map(&item).collect::<Outcome<Vec<_>>>()?)? {
            written?;
        }
    }
    Ok(())
}
