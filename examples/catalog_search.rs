//! Search in a catalog, embedded in a program: by vector and words together, with a filter and
//! facets.
//!
//! The vectors are written by hand: how red, how warm, how sporty. A real program takes them from
//! an [`vitrine::Embedder`], such as the encoders of the crate `vitrine-indexer`.
//!
//! Run it with `cargo run --release --workspace --example catalog_search`.

use std::{error::Error, path::Path};

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Target,
    schemas::{FilterSpec, Item, SearchResponse},
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let response = run(folder.path())?;
    for hit in &response.hits {
        let title = hit.item.title.as_deref();
        println!("{:.3}  {}", hit.score, title.unwrap_or(&hit.id));
    }
    for facet in response.facets.iter().flat_map(|facets| &facets.fields) {
        for value in &facet.values {
            println!("{}: {} ({})", facet.field, value.value, value.count);
        }
    }
    Ok(())
}

/// Fills a collection below `data` and searches it.
fn run(data: &Path) -> Result<SearchResponse, Box<dyn Error>> {
    let database = Database::open(data, Options::default())?;
    let config = serde_json::from_value(json!({
        "attributes": {"color": "keyword"},
        "vectors": {"shared": {"dim": 3}},
    }))?;
    let shop = database.create_collection("shop", config)?;
    fill(&shop)?;
    let response = search(&shop, "runing shoes", vec![0.9, 0.1, 0.8], "price <= 100")?;
    database.close()?;
    Ok(response)
}

/// Writes the items; an item that is refused does not affect the others.
fn fill(shop: &Collection) -> Result<(), Box<dyn Error>> {
    let items: Vec<Item> = [
        item("SKU1", "Red running shoes", "red", 59.0, [0.9, 0.1, 0.9]),
        item("SKU2", "Blue running shoes", "blue", 79.0, [0.1, 0.1, 0.9]),
        item(
            "SKU3",
            "Carbon running shoes",
            "red",
            259.0,
            [0.8, 0.1, 1.0],
        ),
        item("SKU4", "Red winter coat", "red", 89.0, [0.9, 0.9, 0.1]),
    ]
    .into_iter()
    .map(serde_json::from_value)
    .collect::<Result<_, _>>()?;
    for outcome in shop.upsert(items)? {
        outcome?;
    }
    Ok(())
}

fn item(id: &str, title: &str, color: &str, price: f64, vector: [f32; 3]) -> Value {
    json!({
        "id": id,
        "title": title,
        "price": {"amount": price, "currency": "EUR"},
        "attributes": {"color": color},
        "vectors": {"shared": vector},
    })
}

/// Searches by words and vector together, among the items that match the filter.
fn search(
    shop: &Collection,
    words: &str,
    vector: Vec<f32>,
    filter: &str,
) -> Result<SearchResponse, Box<dyn Error>> {
    let request = Search {
        target: Some(Target::Vector(vector)),
        space: "shared".into(),
        lexical: Some(LexicalQuery {
            text: words.into(),
            typos: true,
            ..LexicalQuery::default()
        }),
        text: Some(words.into()),
        filter: Some(FilterSpec::Text(filter.into())),
        facets: vec![serde_json::from_value(json!({"field": "color"}))?],
        limit: 10,
        ..Search::default()
    };
    Ok(shop.search(&request, &Shopper::default())?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_nearest_affordable_shoes_are_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let response = super::run(folder.path()).expect("a response");
        let ids: Vec<_> = response.hits.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(ids[0], "SKU1");
        assert!(!ids.contains(&"SKU3"), "{ids:?}");
        let facets = response.facets.expect("facets");
        let colors = &facets.fields[0].values;
        assert!(
            colors.iter().any(|value| value.value == "red"),
            "{colors:?}"
        );
    }
}
