//! Cost of rules and synonyms in text, vector and hybrid search: without any, with many for other
//! texts, and with some that apply. Compare within one run.
// criterion's macro makes a public function without docs.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Target,
    schemas::{Item, Rule, Synonym},
};

const ITEMS: usize = 20_000;
const DIM: usize = 64;
const KINDS: [&str; 8] = [
    "shoe", "boot", "sandal", "lamp", "chair", "table", "kettle", "jacket",
];
const COLORS: [&str; 5] = ["red", "blue", "green", "black", "white"];

/// Deterministic components; their values do not matter to the time.
fn vector(seed: usize) -> Vec<f32> {
    let component = |i: usize| ((seed * 31 + i * 17) as f32 * 0.37).sin();
    (0..DIM).map(component).collect()
}

fn stock(database: &Database) -> Arc<Collection> {
    let config = json!({"attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": DIM}}});
    let config = serde_json::from_value(config).expect("a config");
    let shop = database.create_collection("shop", config).expect("created");
    let items = (0..ITEMS).map(|i| {
        let (kind, color) = (KINDS[i % KINDS.len()], COLORS[i / 7 % COLORS.len()]);
        let item = json!({
            "id": format!("i{i}"), "title": format!("{color} {kind} number {}", i % 997), "brand": format!("b{}", i % 50),
            "category": format!("Shop > {kind}"), "attributes": {"color": color}, "vectors": {"shared": vector(i)}
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

fn searches() -> [(&'static str, Search); 3] {
    let words = || {
        Some(LexicalQuery {
            text: "red running shoe".into(),
            ..LexicalQuery::default()
        })
    };
    let search = |words: Option<LexicalQuery>, target| Search {
        text: Some("red running shoe".into()),
        lexical: words,
        target,
        space: "shared".into(),
        limit: 20,
        ..Search::default()
    };
    let target = || Some(Target::Vector(vector(7)));
    [
        ("words", search(words(), None)),
        ("vector", search(None, target())),
        ("both", search(words(), target())),
    ]
}

fn rules(list: impl Iterator<Item = Value>) -> Vec<Rule> {
    list.map(|rule| serde_json::from_value(rule).expect("a rule"))
        .collect()
}

fn acting(then: &Value) -> Vec<Rule> {
    rules(
        [json!({"id": "acting", "when": {"query": {"contains": ["running shoes"]}}, "then": then})]
            .into_iter(),
    )
}

fn costs(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(folder.path(), Options::default()).expect("open");
    let shop = stock(&database);
    let others = rules((0..999).map(|i| {
        json!({"id": format!("r{i}"), "when": {"query": {"contains": [format!("red thing {i}"), format!("word{i}")]}},
               "then": {"hide": ["i1"]}})
    }));
    let synonyms =
        (0..10_000).map(|i| json!({"words": [format!("red other {i}"), format!("other{i} shoe")]}));
    let synonyms: Vec<Synonym> = synonyms
        .map(|one| serde_json::from_value(one).expect("a synonym"))
        .collect();
    let used = json!([{"words": ["running shoe", "boot", "sandal"]}]);
    let used: Vec<Synonym> = serde_json::from_value(used).expect("synonyms");
    let pins = json!({"pin": [{"id": "i11", "position": 1}, {"id": "i12", "position": 3}]});
    let boost = json!({"boost": [{"items": "brand = b7", "factor": 2.0}]});
    let bury = json!({"bury": "color = black"});
    let hide = json!({"hide": "color = black"});
    let all = json!({"pin": pins["pin"], "boost": boost["boost"], "bury": "color = white", "hide": "color = black"});
    let cases: Vec<(&str, Vec<Rule>, Vec<Synonym>)> = vec![
        ("nothing", Vec::new(), Vec::new()),
        ("999_rules_for_other_texts", others, Vec::new()),
        ("pins", acting(&pins), Vec::new()),
        ("boost", acting(&boost), Vec::new()),
        ("bury", acting(&bury), Vec::new()),
        ("hide", acting(&hide), Vec::new()),
        ("all_four", acting(&all), Vec::new()),
        ("10000_synonyms_for_other_texts", Vec::new(), synonyms),
        ("a_synonym_used", Vec::new(), used),
    ];
    for (name, search) in searches() {
        let mut group = c.benchmark_group(name);
        group.sample_size(30);
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_millis(1500));
        for (case, rules, synonyms) in &cases {
            if search.lexical.is_none() && case.contains("synonym") {
                continue;
            }
            shop.replace_settings(rules.clone()).expect("rules");
            shop.replace_settings(synonyms.clone()).expect("synonyms");
            let nobody = Shopper::default();
            group.bench_function(*case, |bench| {
                bench.iter(|| shop.search(&search, &nobody).expect("an answer"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, costs);
criterion_main!(benches);
