//! Rules act on every path: what is hidden is nowhere, pins are at their places on every page,
//! scores stay the sums of their parts.

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
fn pins_are_at_their_places_on_all_pages() {
    let (_fixture, shop) = shop();
    let then = json!({"pin": [
        {"id": "i150", "position": 1}, {"id": "i003", "position": 12}, {"id": "i000", "position": 25},
        {"id": "i199", "position": 900}, {"id": "none", "position": 2}
    ]});
    set(&shop, "pins", json!({"then": then}));
    for search in [by_vector, by_words, by_both] {
        let without = Search {
            without_rules: true,
            ..search(7)
        };
        let plain = paged(&shop, without, &Shopper::default());
        let ids = paged(&shop, search(7), &Shopper::default());
        once(&ids);
        assert_eq!(ids.len(), 200, "nothing is lost");
        assert_eq!((&*ids[0], &*ids[11], &*ids[24]), ("i150", "i003", "i000"));
        assert_eq!(ids[199], "i199", "after the last one");
        let others = |ids: &[String]| -> Vec<String> {
            let pins = ["i150", "i003", "i000", "i199"];
            ids.iter()
                .filter(|id| !pins.contains(&id.as_str()))
                .cloned()
                .collect()
        };
        assert_eq!(others(&ids), others(&plain), "the rest is in its order");
        // With several sources, one large page has more candidates than each of many small ones.
        if search(1).lexical.is_none() || search(1).target.is_none() {
            let whole = find(&shop, &search(200));
            let whole: Vec<_> = whole.hits.into_iter().map(|hit| hit.id).collect();
            assert_eq!(ids, whole, "pages are as good as one");
        }
    }
}

#[test]
fn a_pin_tells_why_it_is_there_and_honors_the_filter() {
    let (_fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 2}]}}),
    );
    let answer = find(&shop, &by_both(5));
    let pin = &answer.hits[1];
    assert_eq!(pin.id, "i150");
    assert_eq!(pin.reason.as_ref().expect("a reason").code, "pinned");
    let used = serde_json::to_value(&answer.rules).expect("JSON");
    assert_eq!(used, json!([{"id": "pin", "pinned": ["i150"]}]));
    let odd = Search {
        filter: Some(FilterSpec::Text("category = \"Shoes > Trail\"".into())),
        ..by_both(5)
    };
    assert!(find(&shop, &odd).hits.iter().all(|hit| hit.id != "i150"));
    let none = Search {
        lexical: Some(LexicalQuery {
            text: "umbrella".into(),
            ..LexicalQuery::default()
        }),
        ..by_words(5)
    };
    let answer = find(&shop, &none);
    assert_eq!(answer.hits.len(), 1, "a pin needs not be found");
    assert_eq!(answer.total.expect("a total").value, 1);
    assert_eq!(answer.next_cursor, None);
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

#[test]
fn pins_take_their_places_in_recommendations_and_among_similar_items() {
    let (fixture, shop) = shop();
    let then = json!({"pin": [{"id": "i190", "position": 3}, {"id": "i007", "position": 1}, {"id": "i010", "position": 2}]});
    set(&shop, "pins", json!({"then": then}));
    let seen = json!({"collection": "shop", "kind": "view", "user": "u1", "items": ["i010"]});
    let seen = serde_json::from_value(seen).expect("an event");
    fixture.db.append_events(&[seen]).expect("stored");
    let (mut body, mut ids) = (json!({"user": "u1", "limit": 8}), Vec::new());
    loop {
        let answer = recommend(&shop, body.clone());
        ids.extend(answer.hits.into_iter().map(|hit| hit.id));
        match answer.next_cursor {
            Some(cursor) => body["cursor"] = json!(cursor),
            None => break,
        }
    }
    once(&ids);
    assert_eq!(
        ids.len(),
        200 - 20 - 1,
        "but for what is out of stock and what was seen"
    );
    assert_eq!(
        ids[2], "i190",
        "i007 is out of stock, i010 was seen, the place stays"
    );
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 4, "exclude_out_of_stock": false}),
    );
    let ids: Vec<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!((ids[0], ids[2]), ("i007", "i190"));
    assert!(!ids.contains(&"i010"), "the item itself is left out");
    let score = answer.hits[2].score;
    assert!(score < answer.hits[1].score, "a pin keeps its own score");
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 4, "scope": "cross", "exclude_out_of_stock": false}),
    );
    let ids: Vec<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0]), (4, "i007"), "of another category");
    assert!(!ids.contains(&"i190"), "of its own");
    assert_eq!(
        answer.hits[0].reason.as_ref().expect("a reason").code,
        "pinned"
    );
    let answer = similar(&shop, "i010", json!({"limit": 4, "rules": false}));
    assert!(answer.rules.is_empty() && answer.hits[0].id != "i007");
}

#[test]
fn one_of_a_group_is_enough_where_it_is_pinned() {
    let (_fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 3}]}}),
    );
    let shopper = Shopper {
        diversify: serde_json::from_value(json!({"group_by": "brand"})).expect("a spec"),
        ..Shopper::default()
    };
    let answer = shop.search(&by_vector(5), &shopper).expect("an answer");
    let brands: Vec<_> = answer
        .hits
        .iter()
        .map(|hit| hit.group.clone().expect("a group").value)
        .collect();
    assert_eq!(brands.len(), 3);
    assert_eq!((&*answer.hits[2].id, &*brands[2]), ("i150", "b0"));
}

#[test]
fn rules_hold_in_their_time_for_their_category() {
    let now = Arc::new(AtomicI64::new(0));
    let dir = tempfile::tempdir().expect("a folder");
    let told = now.clone();
    let options = || Options {
        clock: Clock::new({
            let told = told.clone();
            move || told.load(Relaxed)
        }),
        ..Options::default()
    };
    let db = Database::open(dir.path(), options()).expect("open");
    let shop = db.create_collection("shop", config()).expect("created");
    stock(&shop);
    let rule = json!({
        "when": {"categories": ["Shoes > Road"]}, "then": {"pin": [{"id": "i150", "position": 1}]},
        "valid_from": "1970-01-01T00:00:10Z", "valid_until": "1970-01-01T00:00:20Z"
    });
    set(&shop, "sale", rule);
    drop(shop);
    drop(db);
    let db = Database::open(dir.path(), options()).expect("open again");
    let shop = db.collection("shop").expect("there");
    let acts = |filter: Option<Value>| {
        let search = Search {
            filter: filter.map(|f| serde_json::from_value(f).expect("a filter")),
            ..by_vector(3)
        };
        find(&shop, &search).hits[0].id == "i150"
    };
    let road = || Some(json!("price IS EMPTY AND category = \"Shoes > Road\""));
    for (at, wanted) in [(9, false), (10, true), (19, true), (20, false)] {
        now.store(at * 1_000_000, Relaxed);
        assert_eq!(acts(road()), wanted, "{at}");
    }
    now.store(15_000_000, Relaxed);
    assert!(!acts(None));
    assert!(!acts(Some(json!("category = Shoes"))));
    let any = json!({"must": [{"key": "category", "match": {"any": ["Shoes > Road", "Toys"]}}]});
    assert!(acts(Some(any)));
    assert_eq!(similar(&shop, "i010", json!({})).hits[0].id, "i150");
    assert_ne!(similar(&shop, "i011", json!({})).hits[0].id, "i150");
    let body = json!({"categories": ["Shoes > Road"]});
    assert_eq!(recommend(&shop, body).hits[0].id, "i150");
    let tried = |at: &str| {
        let request = json!({"categories": ["Shoes > Road"], "at": at});
        let request: RulesTestRequest = serde_json::from_value(request).expect("a request");
        let tried = shop.test_rules(&request).expect("tried");
        serde_json::to_value(tried.rules).expect("JSON")
    };
    assert_eq!(tried("1970-01-01T00:00:15Z"), json!([{"id": "sale"}]));
    assert_eq!(
        tried("2030-01-01T00:00:00Z"),
        json!([{"id": "sale", "inactive_reason": "expired"}])
    );
}

#[test]
fn rules_go_with_their_collection() {
    let (fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 1}]}}),
    );
    fixture.db.drop_collection("shop").expect("dropped");
    let rule = shop.settings::<Rule>().remove(0);
    assert!(shop.put_setting(rule).is_err(), "it is gone");
    let again = fixture.shop();
    assert_eq!(again.settings::<Rule>(), []);
}

#[test]
fn a_bad_rule_is_refused_at_its_field() {
    let (_fixture, shop) = shop();
    let pin = json!({"id": "a", "position": 1});
    let good = json!({"pin": [pin]});
    for (rule, at) in [
        (json!({"then": {}}), "/then"),
        (json!({"id": "Big", "then": good}), "/id"),
        (json!({"id": "test", "then": good}), "/id"),
        (json!({"valid_from": "soon", "then": good}), "/valid_from"),
        (
            json!({"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z", "then": good}),
            "/valid_until",
        ),
        (
            json!({"when": {"query": {"is": []}}, "then": good}),
            "/when/query/is",
        ),
        (
            json!({"when": {"query": {"contains": ["shoe", "!"]}}, "then": good}),
            "/when/query/contains/1",
        ),
        (
            json!({"when": {"categories": [">"]}, "then": good}),
            "/when/categories/0",
        ),
        (
            json!({"then": {"pin": [pin, {"id": "b", "position": 1}]}}),
            "/then/pin/1/position",
        ),
        (
            json!({"then": {"pin": [pin, {"id": "a", "position": 2}]}}),
            "/then/pin/1/id",
        ),
        (
            json!({"then": {"pin": [{"id": "a", "position": 0}]}}),
            "/then/pin/0/position",
        ),
        (
            json!({"then": {"boost": [{"items": ["a"], "factor": -1}]}}),
            "/then/boost/0/factor",
        ),
        (
            json!({"then": {"boost": [{"items": [], "factor": 2}]}}),
            "/then/boost/0/items",
        ),
        (json!({"then": {"hide": "smell = good"}}), "/then/hide"),
        (
            json!({"then": {"bury": {"must": [{"key": "smell", "match": {"value": 1}}]}}}),
            "/then/bury/must/0/key",
        ),
        (json!({"then": {"filter": "brand ="}}), "/then/filter"),
    ] {
        let mut rule = rule;
        if rule.get("id").is_none() {
            rule["id"] = json!("r");
        }
        let rule: Rule = serde_json::from_value(rule.clone()).expect("a rule");
        let refused = shop.put_setting(rule.clone()).expect_err("refused");
        let told = messages(&refused);
        assert_eq!(told.split(' ').next(), Some(at), "{told}");
        let listed = messages(&shop.replace_settings(vec![rule]).expect_err("refused"));
        assert!(listed.starts_with(&format!("/rules/0{at} ")), "{listed}");
    }
    assert_eq!(shop.settings::<Rule>(), []);
    let missing = shop.delete_setting::<Rule>("none").expect_err("missing");
    assert_eq!(missing.code(), "setting_not_found");
}
