// The small shop that examples of the API documentation work on; they include this file.

use std::error::Error;
use std::sync::Arc;

use serde_json::json;
use vitrine::{Collection, Database, Options};

/// Returns an open database with the collection `shop`: red shoes (`a`, 40 EUR), blue shoes (`b`,
/// 60 EUR) and a red hat (`c`, 20 EUR).
pub fn shop() -> Result<(tempfile::TempDir, Database, Arc<Collection>), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(folder.path(), Options::default())?;
    let config = json!({"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": 2}}});
    let shop = database.create_collection("shop", serde_json::from_value(config)?)?;
    let item = |id: &str, title: &str, price: f64, vector: [f32; 2]| {
        let words: Vec<_> = title.split(' ').collect();
        serde_json::from_value(json!({
            "id": id,
            "title": title,
            "category": words[1],
            "price": {"amount": price, "currency": "EUR"},
            "attributes": {"color": words[0]},
            "vectors": {"shared": vector},
        }))
    };
    let items = vec![
        item("a", "red shoes", 40.0, [1.0, 0.0])?,
        item("b", "blue shoes", 60.0, [0.8, 0.6])?,
        item("c", "red hat", 20.0, [0.0, 1.0])?,
    ];
    for outcome in shop.upsert(items)? {
        outcome?;
    }
    Ok((folder, database, shop))
}
