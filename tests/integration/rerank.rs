//! Reranking: an active ranker orders the first candidates, between the blend and the rules; every
//! page, score and explanation agrees with that order.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Target,
    rerank::{FEATURE_VERSION, FEATURES},
    schemas::{RankerUpload, Rule, SearchResponse, Source},
};

use crate::support::{messages, put};

const ITEMS: usize = 60;

fn open(folder: &Path) -> Database {
    Database::open(folder, Options::default()).expect("open")
}

/// Items whose titles have "lamp" among more and more other words.
fn stock(database: &Database) -> Arc<Collection> {
    let config = json!({
        "attributes": {"rating": "float"},
        "vectors": {"shared": {"dim": 2, "metric": "l2"}}
    });
    let config = serde_json::from_value(config).expect("a config");
    let shop = database.create_collection("shop", config).expect("created");
    let item = |n: usize| {
        json!({
            "id": format!("i{n:02}"),
            "title": format!("Desk lamp {}", "of brass ".repeat(n % 7)),
            "price": {"amount": 10 + n, "currency": "EUR"},
            "attributes": {"rating": (n % 5) as f64},
            "vectors": {"shared": [1.0 - n as f64 / 100.0, 0.0]}
        })
    };
    put(&shop, &(0..ITEMS).map(item).collect::<Vec<Value>>());
    shop
}

fn shop() -> (tempfile::TempDir, Database, Arc<Collection>) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let database = open(folder.path());
    let shop = stock(&database);
    (folder, database, shop)
}

/// A ranker by price, the highest first: a tree with a leaf for each of some prices.
fn by_price(low: f64) -> RankerUpload {
    let bounds: Vec<f32> = (0..ITEMS)
        .map(|n| ((10 + n) as f32 + 0.5).ln_1p())
        .collect();
    let trees = bounds.iter().map(|bound| {
        json!({
            "feature": [0, 0, 0], "threshold": [bound, 0.0, 0.0], "left": [1, 0, 0],
            "right": [2, 0, 0], "value": [0.0, -0.5, 0.5]
        })
    });
    let upload = json!({
        "model": {
            "feature_version": FEATURE_VERSION, "features": ["price_log"], "mode": "hybrid",
            "depth": 100, "trees": trees.collect::<Vec<_>>()
        },
        "training": {
            "source": "judgments", "queries": 100, "candidates": 1000, "relevant": 200,
            "parameters": {}, "importance": {"price_log": 1.0}, "seconds": 1.0
        },
        "figures": {
            "queries": 100, "folds": 5, "before": 0.4, "after": 0.5,
            "gain": {"mean": 0.1, "low": low, "high": 0.2}
        }
    });
    serde_json::from_value(upload).expect("an upload")
}

fn hybrid(limit: usize) -> Search {
    Search {
        target: Some(Target::Vector(vec![1.0, 0.0])),
        lexical: Some(LexicalQuery {
            text: "desk lamp".into(),
            ..LexicalQuery::default()
        }),
        text: Some("desk lamp".into()),
        space: "shared".into(),
        limit,
        ..Search::default()
    }
}

fn find(shop: &Collection, search: &Search) -> SearchResponse {
    shop.search(search, &Shopper::default()).expect("an answer")
}

fn ids(answer: &SearchResponse) -> Vec<String> {
    answer.hits.iter().map(|hit| hit.id.clone()).collect()
}

fn descending() -> Vec<String> {
    (0..ITEMS).rev().map(|n| format!("i{n:02}")).collect()
}

#[test]
fn an_active_ranker_orders_searches_and_can_be_turned_off() {
    let (_folder, _database, shop) = shop();
    let before = find(&shop, &hybrid(ITEMS));
    assert!(before.ranker.is_none());
    let info = shop.add_ranker(&by_price(0.05)).expect("stored");
    assert!(info.promoted && info.active && info.version == 1);
    let after = find(&shop, &hybrid(ITEMS));
    assert_eq!(ids(&after), descending());
    assert_eq!(
        after.ranker.map(|r| (r.version, r.candidates)),
        Some((1, ITEMS as u64))
    );
    assert_eq!(after.total, before.total);
    let off = Search {
        without_ranker: true,
        ..hybrid(ITEMS)
    };
    let off = find(&shop, &off);
    assert_eq!((ids(&off), off.ranker), (ids(&before), None));
    // It was trained on hybrid searches.
    let lexical = Search {
        target: None,
        ..hybrid(5)
    };
    assert!(find(&shop, &lexical).ranker.is_none());
    let mut sorted = hybrid(5);
    sorted.sort = serde_json::from_value(json!(["price:asc"])).expect("a sort");
    assert_eq!(find(&shop, &sorted).hits[0].id, "i00");
}

#[test]
fn scores_stay_sorted_and_are_the_sums_of_their_contributions() {
    let (_folder, _database, shop) = shop();
    let before = find(&shop, &hybrid(ITEMS));
    shop.add_ranker(&by_price(0.05)).expect("stored");
    let search = Search {
        explain: true,
        ..hybrid(ITEMS)
    };
    let after = find(&shop, &search);
    let scores = |answer: &SearchResponse| answer.hits.iter().map(|h| h.score).collect::<Vec<_>>();
    for (a, b) in scores(&after).into_iter().zip(scores(&before)) {
        assert!((a - b).abs() < 1e-6, "the scores are reassigned");
    }
    for hit in &after.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!((sum - hit.score).abs() < 1e-5);
        let ranking = hit.ranking.as_ref().expect("explained");
        let sum = ranking.base + ranking.contributions.values().sum::<f32>();
        assert!((sum - ranking.score).abs() < 1e-5);
        let at = ids(&before).iter().position(|id| *id == hit.id);
        assert_eq!(at, Some(ranking.rank_before as usize - 1));
    }
    let ranker = after.hits[0]
        .contributions
        .iter()
        .find(|c| c.source == Source::Ranker);
    assert_eq!(ranker.and_then(|c| c.rank), Some(1));
    assert!(
        find(&shop, &hybrid(5))
            .hits
            .iter()
            .all(|hit| hit.ranking.is_none())
    );
}

#[test]
fn pages_by_cursor_and_offset_are_those_of_one_long_page() {
    let (_folder, _database, shop) = shop();
    shop.add_ranker(&by_price(0.05)).expect("stored");
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let search = Search {
            cursor,
            ..hybrid(7)
        };
        let page = find(&shop, &search);
        all.extend(ids(&page));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(all, descending());
    let offset = Search {
        offset: 30,
        ..hybrid(10)
    };
    assert_eq!(ids(&find(&shop, &offset)), descending()[30..40]);
}

#[test]
fn rules_have_the_last_word() {
    let (_folder, _database, shop) = shop();
    shop.add_ranker(&by_price(0.05)).expect("stored");
    let rule = json!({
        "id": "lamps", "when": {"query": {"contains": ["lamp"]}},
        "then": {"pin": [{"id": "i03", "position": 1}], "bury": ["i59"], "hide": ["i58"]}
    });
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    shop.put_setting(rule).expect("stored");
    let found = ids(&find(&shop, &hybrid(ITEMS)));
    assert_eq!(found[..3], ["i03", "i57", "i56"]);
    assert_eq!(found.last().map(String::as_str), Some("i59"));
    assert!(!found.contains(&"i58".to_owned()));
}

#[test]
fn a_ranker_that_is_not_better_is_kept_but_not_used() {
    let (_folder, _database, shop) = shop();
    let info = shop.add_ranker(&by_price(-0.01)).expect("stored");
    assert!(!info.promoted && !info.active);
    assert!(find(&shop, &hybrid(5)).ranker.is_none());
    let info = shop.activate_ranker(1).expect("activated by hand");
    assert!(info.active && !info.promoted);
    assert_eq!(ids(&find(&shop, &hybrid(2))), descending()[..2]);
}

#[test]
fn rankers_survive_a_restart_and_are_rolled_back_and_deleted() {
    let (folder, database, shop) = shop();
    let before = ids(&find(&shop, &hybrid(5)));
    shop.add_ranker(&by_price(0.05)).expect("stored");
    let mut reversed = by_price(0.05);
    for tree in &mut reversed.model.trees {
        tree.value.iter_mut().for_each(|value| *value = -*value);
    }
    shop.add_ranker(&reversed).expect("stored");
    let ascending = ids(&find(&shop, &hybrid(5)));
    assert_eq!(ascending[0], "i00");
    drop((shop, database));
    let database = open(folder.path());
    let shop = database.collection("shop").expect("the collection");
    assert_eq!(shop.rankers().active, Some(2));
    assert_eq!(ids(&find(&shop, &hybrid(5))), ascending);
    assert_eq!(shop.ranker(2).expect("stored").model, reversed.model);

    let rankers = shop.roll_back_ranker().expect("rolled back");
    assert_eq!((rankers.active, rankers.rankers.len()), (Some(1), 2));
    assert_eq!(ids(&find(&shop, &hybrid(5))), descending()[..5]);
    assert_eq!(shop.roll_back_ranker().expect("rolled back").active, None);
    assert_eq!(ids(&find(&shop, &hybrid(5))), before);
    assert!(messages(&shop.roll_back_ranker().unwrap_err()).contains("no ranker is active"));

    shop.activate_ranker(1).expect("activated");
    shop.activate_ranker(2).expect("activated");
    shop.delete_ranker(2).expect("deleted");
    assert_eq!(shop.rankers().active, Some(1));
    let missing = shop.ranker(2).unwrap_err().to_string();
    assert!(missing.contains("stored versions: 1"), "{missing}");
    shop.delete_ranker(1).expect("deleted");
    assert_eq!(
        (shop.rankers().active, shop.rankers().rankers.len()),
        (None, 0)
    );
    // Versions are not reused.
    assert_eq!(shop.add_ranker(&by_price(0.05)).expect("stored").version, 3);
}

#[test]
fn training_sees_the_features_that_searches_are_ranked_by() {
    let (_folder, _database, shop) = shop();
    let before = ids(&find(&shop, &hybrid(20)));
    let features = shop.ranking_features(&hybrid(1), 20).expect("features");
    assert_eq!(features.features.len(), FEATURES.len());
    let found: Vec<_> = features
        .candidates
        .iter()
        .map(|row| row.id.clone())
        .collect();
    assert_eq!(found, before);
    let value = |row: usize, name: &str| {
        let at = features.features.iter().position(|f| f == name);
        features.candidates[row].values[at.expect("a feature")]
    };
    for (row, id) in found.iter().enumerate() {
        let n: usize = id[1..].parse().expect("a number");
        assert_eq!(value(row, "title_coverage"), 1.0);
        assert_eq!(value(row, "blend_rank"), row as f32 + 1.0);
        assert_eq!(value(row, "rating"), (n % 5) as f32);
        assert_eq!(value(row, "price_log"), ((10 + n) as f64).ln_1p() as f32);
        assert_eq!(
            value(row, "title_exact"),
            f32::from(u8::from(n.is_multiple_of(7)))
        );
    }
    // A change of the price keeps the item's texts; the features follow.
    let patch = json!({"price": {"amount": 500}});
    let patch = patch.as_object().expect("an object").clone();
    shop.patch(&found[0], &patch).expect("patched");
    let features = shop.ranking_features(&hybrid(1), 20).expect("features");
    let at = features
        .features
        .iter()
        .position(|f| f == "price_log")
        .expect("a feature");
    let row = features.candidates.iter().find(|row| row.id == found[0]);
    assert_eq!(row.expect("still found").values[at], 500_f64.ln_1p() as f32);
}

#[test]
fn broken_rankers_are_refused() {
    let (_folder, _database, shop) = shop();
    let mut unknown = by_price(0.05);
    unknown.model.features = vec!["length".into()];
    let error = shop.add_ranker(&unknown).unwrap_err();
    assert!(messages(&error).starts_with("/model/features/0 unknown feature `length`"));
    let mut deep = by_price(0.05);
    deep.model.depth = 5_000;
    assert!(messages(&shop.add_ranker(&deep).unwrap_err()).starts_with("/model/depth"));
    let mut old = by_price(0.05);
    old.model.feature_version = 0;
    assert!(messages(&shop.add_ranker(&old).unwrap_err()).contains("train the ranker again"));
    assert!(shop.rankers().rankers.is_empty());
    let missing = shop.activate_ranker(1).unwrap_err().to_string();
    assert!(missing.contains("stored versions: none"), "{missing}");
}
