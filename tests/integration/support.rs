//! Fixtures of the engine's tests: a database in a temporary folder, collections and items in
//! few words.

use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Error, Options, Target, VectorSearch,
    schemas::{CollectionConfig, FilterSpec, Item},
};

/// A database in a folder of its own.
pub struct Fixture {
    pub db: Database,
    _dir: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let db = Database::open(dir.path(), Options::default()).expect("open");
        Self { db, _dir: dir }
    }

    /// A collection with a filterable attribute of each type and two small spaces.
    pub fn shop(&self) -> Arc<Collection> {
        self.db.create_collection("shop", config()).expect("create")
    }
}

pub fn config() -> CollectionConfig {
    serde_json::from_value(json!({
        "attributes": {"color": "keyword", "stock": "integer", "rating": "float", "sale": "bool", "since": "datetime"},
        "vectors": {"shared": {"dim": 2, "metric": "l2"}, "text": {"dim": 3}},
        "fingerprint": "encoder-1",
    }))
    .expect("a config")
}

pub fn item(value: Value) -> Item {
    serde_json::from_value(value).expect("an item")
}

pub fn filter(value: Value) -> FilterSpec {
    serde_json::from_value(value).expect("a filter")
}

/// Writes items that must all be taken.
pub fn put(collection: &Collection, items: &[Value]) {
    let items = items.iter().cloned().map(item).collect();
    for outcome in collection.upsert(items).expect("write") {
        outcome.expect("accepted");
    }
}

pub fn near(vector: &[f32], limit: usize) -> VectorSearch {
    VectorSearch {
        target: Target::Vector(vector.to_vec()),
        fingerprint: None,
        space: "shared".into(),
        filter: None,
        limit,
        ef: None,
        exact: false,
        with_vectors: false,
        explain: false,
        deadline: None,
    }
}

pub fn found(collection: &Collection, search: &VectorSearch) -> Vec<String> {
    let answer = collection.search_vectors(search).expect("search");
    answer.hits.into_iter().map(|hit| hit.id).collect()
}

/// Returns pointer and message of each error of an invalid input.
pub fn messages(error: &Error) -> String {
    match error {
        Error::Invalid(messages) => {
            let lines: Vec<_> = messages
                .iter()
                .map(|f| format!("{} {}", f.pointer, f.detail))
                .collect();
            lines.join("\n")
        }
        other => panic!("not an input error: {other:?}"),
    }
}
