//! MovieLens 100k in the format of RecBole: films with titles and genres; 3 stars or more count as
//! liked.

use std::{collections::BTreeMap, fs, path::Path};

use vitrine_indexer::evaluate::Dataset;

use crate::{Outcome, vectors};

pub fn load(folder: &Path, cache: &Path) -> Outcome<Dataset> {
    let mut data = Dataset::new("films");
    for line in fs::read_to_string(folder.join("ml-100k.inter"))?
        .lines()
        .skip(1)
    {
        let fields: Vec<_> = line.split('\t').collect();
        let [user, item, rating, time] = fields[..] else {
            return Err(format!("not a rating: {line}").into());
        };
        let liked = rating.parse::<f64>()? >= 3.0;
        let micros = time.parse::<f64>()? * 1e6;
        data.add(user, item, liked.then_some(1.0), micros as i64);
    }
    let mut titles = BTreeMap::new();
    for line in fs::read_to_string(folder.join("ml-100k.item"))?
        .lines()
        .skip(1)
    {
        let fields: Vec<_> = line.split('\t').collect();
        let [item, title, _, genres] = fields[..] else {
            return Err(format!("not a film: {line}").into());
        };
        titles.insert(item.to_owned(), format!("{title} ({genres})"));
    }
    let texts: Vec<&str> = titles.values().map(String::as_str).collect();
    let items = titles.keys().zip(vectors::of(&texts, "films", cache)?);
    data.describe(items.map(|(item, vector)| (item.clone(), None, Some(vector))));
    Ok(data)
}
