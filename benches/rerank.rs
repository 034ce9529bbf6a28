//! Cost of a ranker in a hybrid search: the same search with and without it, 100 candidates, 300
//! trees of 31 leaves. Compare within one run.
// criterion's macro makes a public function without docs.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Target,
    rerank::{FEATURE_VERSION, FEATURES},
    schemas::{Item, RankerTree, RankerUpload},
};

const ITEMS: usize = 20_000;
const DIM: usize = 384;
const TREES: usize = 300;
const LEAVES: usize = 31;
const WORDS: [&str; 12] = [
    "steel", "wood", "oak", "brass", "desk", "floor", "lamp", "shade", "chair", "table", "kitchen",
    "garden",
];

fn vector(rng: &mut SmallRng) -> Vec<f32> {
    (0..DIM).map(|_| rng.random::<f32>() - 0.5).collect()
}

fn text(rng: &mut SmallRng, words: usize) -> String {
    let word = |_| WORDS[rng.random_range(0..WORDS.len())];
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

fn stock(database: &Database, rng: &mut SmallRng) -> Arc<Collection> {
    let config = json!({"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": DIM}}});
    let config = serde_json::from_value(config).expect("a config");
    let shop = database.create_collection("shop", config).expect("created");
    let items = (0..ITEMS).map(|n| {
        let item = json!({
            "id": format!("i{n}"), "title": text(rng, 10), "description": text(rng, 120),
            "brand": format!("b{}", n % 50), "category": "Home > Lamps",
            "price": {"amount": n % 300}, "vectors": {"shared": vector(rng)}
        });
        serde_json::from_value::<Item>(item).expect("an item")
    });
    let items: Vec<Item> = items.collect();
    for part in items.chunks(1000) {
        shop.upsert(part.to_vec()).expect("written");
    }
    database.optimize("shop").expect("sealed");
    shop
}

/// A balanced tree of random tests.
fn tree(rng: &mut SmallRng) -> RankerTree {
    let inner = LEAVES - 1;
    let mut tree = RankerTree::default();
    for node in 0..inner + LEAVES {
        let is_inner = node < inner;
        tree.feature
            .push(rng.random_range(0..FEATURES.len()) as u16);
        tree.threshold.push(rng.random());
        tree.left
            .push(if is_inner { 2 * node as u32 + 1 } else { 0 });
        tree.right
            .push(if is_inner { 2 * node as u32 + 2 } else { 0 });
        tree.value.push(rng.random());
    }
    tree
}

fn ranker(rng: &mut SmallRng) -> RankerUpload {
    let names: Vec<Value> = FEATURES.iter().map(|f| json!(f.name)).collect();
    let trees: Vec<RankerTree> = (0..TREES).map(|_| tree(rng)).collect();
    let upload = json!({
        "model": {
            "feature_version": FEATURE_VERSION, "features": names, "mode": "hybrid", "depth": 100,
            "trees": trees
        },
        "training": {
            "source": "judgments", "queries": 1, "candidates": 1, "relevant": 1, "parameters": {},
            "importance": {}, "seconds": 1.0
        },
        "figures": {
            "queries": 1, "folds": 2, "before": 0.4, "after": 0.5,
            "gain": {"mean": 0.1, "low": 0.05, "high": 0.2}
        }
    });
    serde_json::from_value(upload).expect("an upload")
}

fn costs(c: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(folder.path(), Options::default()).expect("open");
    let shop = stock(&database, &mut rng);
    let text = "oak desk lamp shade";
    let mut search = Search {
        target: Some(Target::Vector(vector(&mut rng))),
        lexical: Some(LexicalQuery {
            text: text.into(),
            ..LexicalQuery::default()
        }),
        text: Some(text.into()),
        space: "shared".into(),
        limit: 10,
        ..Search::default()
    };
    shop.add_ranker(&ranker(&mut rng)).expect("stored");
    let mut group = c.benchmark_group("rerank");
    group.measurement_time(Duration::from_secs(5));
    for (name, without_ranker) in [("off", true), ("on", false)] {
        search.without_ranker = without_ranker;
        group.bench_function(name, |bench| {
            bench.iter(|| {
                shop.search(&search, &Shopper::default())
                    .expect("an answer")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, costs);
criterion_main!(benches);
