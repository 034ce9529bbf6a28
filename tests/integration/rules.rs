//! Rules act on every path: what is hidden is nowhere, pins are at their places on every page,
//! scores stay the sums of their parts.

mod conditions;
mod pins;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use vitrine::{
    Clock, Collection, Database, LexicalQuery, Options, Search, Shopper, Target,
    schemas::{
        FacetSpec, FilterSpec, RecommendRequest, RecommendResponse, Rule, RulesTestRequest,
        SearchResponse, SimilarParams,
    },
};

use crate::support::{Fixture, config, messages, put};

/// 200 shoes of two categories and three brands on a line.
fn stock(shop: &Collection) {
    let items: Vec<Value> = (0..200_u32)
        .map(|i| {
            json!({
                "id": format!("i{i:03}"), "title": format!("Running shoe {}", "red ".repeat(i as usize % 5)),
                "brand": format!("b{}", i % 3), "category": if i % 2 == 0 { "Shoes > Road" } else { "Shoes > Trail" },
                "availability": if i % 10 == 7 { "out_of_stock" } else { "in_stock" },
                "vectors": {"shared": [f64::from(i), 0.0]}
            })
        })
        .collect();
    put(shop, &items);
}

fn shop() -> (Fixture, Arc<Collection>) {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    stock(&shop);
    (fixture, shop)
}

fn set(shop: &Collection, id: &str, mut rule: Value) {
    rule["id"] = json!(id);
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    shop.put_setting(rule).expect("stored");
}

fn by_vector(limit: usize) -> Search {
    Search {
        target: Some(Target::Vector(vec![0.0, 0.0])),
        space: "shared".into(),
        limit,
        ..Search::default()
    }
}

fn by_words(limit: usize) -> Search {
    Search {
        lexical: Some(LexicalQuery {
            text: "red running shoes".into(),
            ..LexicalQuery::default()
        }),
        text: Some("red running shoes".into()),
        limit,
        ..Search::default()
    }
}

fn by_both(limit: usize) -> Search {
    Search {
        lexical: by_words(limit).lexical,
        relevance: Some(0.0),
        text: by_words(limit).text,
        ..by_vector(limit)
    }
}

fn find(shop: &Collection, search: &Search) -> SearchResponse {
    shop.search(search, &Shopper::default()).expect("an answer")
}

fn recommend(shop: &Collection, body: Value) -> RecommendResponse {
    let request: RecommendRequest = serde_json::from_value(body).expect("a request");
    shop.recommend(&request, None).expect("an answer")
}

fn similar(shop: &Collection, id: &str, mut params: Value) -> SearchResponse {
    params["space"] = json!("shared");
    let params: SimilarParams = serde_json::from_value(params).expect("params");
    shop.similar(id, &params, None).expect("an answer")
}

/// All pages of a search.
fn paged(shop: &Collection, mut search: Search, shopper: &Shopper) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..300 {
        let page = shop.search(&search, shopper).expect("a page");
        assert!(page.hits.len() == search.limit || page.next_cursor.is_none());
        all.extend(page.hits.into_iter().map(|hit| hit.id));
        match page.next_cursor {
            Some(cursor) => search.cursor = Some(cursor),
            None => return all,
        }
    }
    panic!("it never ended");
}

fn once(ids: &[String]) {
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "something came twice: {ids:?}");
}

#[test]
fn what_is_hidden_is_nowhere_and_pages_stay_full() {
    let (fixture, shop) = shop();
    let bought = ["i000", "i001", "i002", "i004"];
    let event = json!({"collection": "shop", "kind": "purchase", "user": "u1", "items": bought});
    let event = serde_json::from_value(event).expect("an event");
    fixture.db.append_events(&[event]).expect("stored");
    shop.train(&vitrine::Training::default()).expect("trained");
    set(
        &shop,
        "hide",
        json!({"then": {"hide": "brand = b0", "filter": "category = \"Shoes > Road\""}}),
    );
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i000", "position": 1}]}}),
    );
    let left = |id: &str| {
        let n: u32 = id[1..].parse().expect("a number");
        !n.is_multiple_of(3) && n.is_multiple_of(2)
    };
    for search in [by_vector, by_words, by_both] {
        let search = Search {
            facets: vec![
                serde_json::from_value::<FacetSpec>(json!({"field": "brand"})).expect("a facet"),
            ],
            ..search(10)
        };
        let answer = find(&shop, &search);
        assert_eq!(answer.hits.len(), 10);
        assert!(answer.hits.iter().all(|hit| left(&hit.id)));
        assert_eq!(answer.total.expect("a total").value, 66);
        assert_eq!(answer.facets.expect("facets").items, 66);
        assert_eq!(answer.rules[0].hidden, 200 - 66);
        let ids = paged(&shop, search, &Shopper::default());
        once(&ids);
        assert_eq!(ids.len(), 66);
    }
    let answer = recommend(&shop, json!({"limit": 100}));
    assert!(answer.hits.iter().all(|hit| left(&hit.id)));
    assert_eq!(
        answer.hits.len(),
        (0..200)
            .filter(|i| i % 3 != 0 && i % 2 == 0 && i % 10 != 7)
            .count()
    );
    let popular = serde_json::from_value(json!({"limit": 100})).expect("params");
    let popular = shop.popular(&popular).expect("popular");
    assert!(!popular.hits.is_empty() && popular.hits.iter().all(|hit| left(&hit.id)));
    let together = serde_json::from_value(json!({})).expect("params");
    let together = shop.bought_together("i000", &together).expect("an answer");
    let together: Vec<_> = together.hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!(together, ["i002", "i004"]);
    for params in [json!({}), json!({"scope": "same"}), json!({"mmr": 0.5})] {
        let answer = similar(&shop, "i010", params);
        assert_eq!(answer.hits.len(), 10);
        assert!(answer.hits.iter().all(|hit| left(&hit.id)));
        assert_eq!(answer.rules[0].id, "hide");
    }
}

#[test]
fn what_is_buried_comes_when_nothing_else_is_left() {
    let (_fixture, shop) = shop();
    set(
        &shop,
        "bury",
        json!({"then": {"bury": "brand IN [b0, b1]"}}),
    );
    for search in [by_vector, by_words, by_both] {
        for shopper in [
            Shopper::default(),
            Shopper {
                diversify: serde_json::from_value(json!({"mmr": 0.5})).expect("a spec"),
                ..Shopper::default()
            },
        ] {
            let ids = paged(&shop, search(9), &shopper);
            once(&ids);
            assert_eq!(ids.len(), 200);
            let number = |id: &String| id[1..].parse::<u32>().expect("a number");
            let buried: Vec<_> = ids.iter().map(|id| number(id) % 3 != 2).collect();
            assert!(buried.is_sorted(), "{ids:?}");
        }
    }
    let answer = recommend(&shop, json!({"limit": 50}));
    assert!(
        answer
            .hits
            .iter()
            .all(|hit| hit.item.brand.as_deref() == Some("b2"))
    );
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 66, "exclude_out_of_stock": false}),
    );
    assert!(
        answer
            .hits
            .iter()
            .all(|hit| hit.item.brand.as_deref() == Some("b2"))
    );
    assert!(answer.hits.is_sorted_by(|a, b| a.score >= b.score));
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 33, "scope": "cross", "exclude_out_of_stock": false}),
    );
    assert_eq!(answer.hits.len(), 33);
    assert!(
        answer
            .hits
            .iter()
            .all(|hit| hit.item.brand.as_deref() == Some("b2"))
    );
}

#[test]
fn a_boost_reaches_items_below_the_first_candidates() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let items: Vec<Value> = (0..3_000_u32)
        .map(|n| {
            let words = if n < 2_999 { "red running shoe" } else { "red running shoe for long days" };
            json!({"id": format!("i{n}"), "title": words, "brand": if n < 2_999 { "b1" } else { "b2" },
                   "vectors": {"shared": [10.0 + f64::from(n) / 1_000.0, 0.0]}})
        })
        .collect();
    put(&shop, &items);
    set(
        &shop,
        "boost",
        json!({"then": {"boost": [{"items": "brand = b2", "factor": 5.0}]}}),
    );
    for search in [by_vector, by_words, by_both] {
        let answer = find(&shop, &search(10));
        assert_eq!(
            (answer.hits[0].id.as_str(), answer.hits.len()),
            ("i2999", 10)
        );
    }
}

#[test]
fn boosts_are_parts_of_scores() {
    let (_fixture, shop) = shop();
    let boost = json!([{"items": "brand = b1", "factor": 4.0}, {"items": ["i002"], "factor": 0.1}]);
    set(&shop, "boost", json!({"then": {"boost": boost}}));
    let adds_up = |score: f32, parts: &[vitrine::schemas::Contribution]| {
        let sum: f32 = parts.iter().map(|part| part.score).sum();
        assert!(
            (sum - score).abs() <= 1e-5 * score.abs().max(1.0),
            "{sum} {score}"
        );
    };
    for search in [by_vector, by_words, by_both] {
        let plain = Search {
            without_rules: true,
            ..search(10)
        };
        let plain = find(&shop, &plain);
        assert!(plain.rules.is_empty());
        let answer = find(&shop, &search(10));
        assert!(answer.hits.is_sorted_by(|a, b| a.score >= b.score));
        answer
            .hits
            .iter()
            .for_each(|hit| adds_up(hit.score, &hit.contributions));
        let of_b1 = |a: &SearchResponse| {
            a.hits
                .iter()
                .filter(|h| h.item.brand.as_deref() == Some("b1"))
                .count()
        };
        assert!(of_b1(&answer) > of_b1(&plain), "{answer:?}");
        assert_eq!(answer.rules[0].boosted, of_b1(&answer) as u64);
    }
    let answer = recommend(&shop, json!({"limit": 20}));
    answer
        .hits
        .iter()
        .for_each(|hit| adds_up(hit.score, &hit.contributions));
    assert_eq!(answer.hits[0].item.brand.as_deref(), Some("b1"));
    assert!(answer.hits.is_sorted_by(|a, b| a.score >= b.score));
    let answer = similar(&shop, "i010", json!({"limit": 10}));
    answer
        .hits
        .iter()
        .for_each(|hit| adds_up(hit.score, &hit.contributions));
    assert_eq!(answer.rules[0].id, "boost");
}
