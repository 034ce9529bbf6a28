//! Grocery of the demo: a year of purchases of 800 households; titles of products are their
//! categories.

use std::{fs, path::Path};

use chrono::DateTime;
use serde_json::Value;
use vitrine_indexer::evaluate::Dataset;

use crate::{Outcome, vectors};

/// Loads the output of `vitrine-indexer sample get --name grocery` from `folder`.
pub fn load(folder: &Path, cache: &Path) -> Outcome<Dataset> {
    let mut data = Dataset::new("grocery");
    for line in fs::read_to_string(folder.join("events.jsonl"))?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let (Some(user), Some(ts)) = (event["user"].as_str(), event["ts"].as_str()) else {
            return Err(format!("not a purchase: {line}").into());
        };
        let at = DateTime::parse_from_rfc3339(ts)?.timestamp_micros();
        let items = event["items"].as_array().into_iter().flatten();
        for item in items.filter_map(Value::as_str) {
            data.add(user, item, Some(1.0), at);
        }
    }
    let mut titles = Vec::new();
    for line in fs::read_to_string(folder.join("products.jsonl"))?.lines() {
        let product: Value = serde_json::from_str(line)?;
        let (Some(id), Some(title)) = (product["id"].as_str(), product["title"].as_str()) else {
            return Err(format!("not a product: {line}").into());
        };
        titles.push((id.to_owned(), title.to_owned()));
    }
    let texts: Vec<&str> = titles.iter().map(|(_, title)| title.as_str()).collect();
    let vectors = vectors::of(&texts, "grocery", cache)?;
    let items = titles.iter().zip(vectors);
    data.describe(items.map(|((id, _), vector)| (id.clone(), None, Some(vector))));
    Ok(data)
}
