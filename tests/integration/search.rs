//! Nearest neighbors: filters, scopes, ties and the promise of `min(limit, matches)`.

use std::time::Instant;

use serde_json::json;
use vitrine::{Error, Target, schemas::SimilarParams};

use crate::support::{Fixture, filter, found, messages, near, put};

#[test]
fn nearest_first_and_equal_scores_by_id() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for (id, x) in [("far", 5.0), ("tie-b", 1.0), ("tie-a", -1.0), ("at", 0.0)] {
        put(&shop, &[json!({"id": id, "vectors": {"shared": [x, 0.0]}})]);
    }
    put(
        &shop,
        &[
            json!({"id": "no vector"}),
            json!({"id": "gone", "hidden": true, "vectors": {"shared": [0, 0]}}),
        ],
    );
    assert_eq!(
        found(&shop, &near(&[0.0, 0.0], 10)),
        ["at", "tie-a", "tie-b", "far"]
    );
    assert_eq!(found(&shop, &near(&[0.0, 0.0], 2)), ["at", "tie-a"]);
    let scores: Vec<_> = shop
        .search_vectors(&near(&[0.0, 0.0], 10))
        .unwrap()
        .hits
        .iter()
        .map(|h| h.score)
        .collect();
    assert_eq!(scores, [1.0, 0.5, 0.5, 1.0 / 6.0]);
    put(&shop, &[json!({"id": "at", "vectors": {"shared": [9, 0]}})]);
    assert_eq!(
        found(&shop, &near(&[0.0, 0.0], 10)).last().unwrap(),
        "at",
        "replaced, not doubled"
    );
}

#[test]
fn an_item_finds_others_and_not_itself() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(
        &shop,
        &[
            json!({"id": "boot", "category": "Clothing > Shoes", "vectors": {"shared": [0, 0]}}),
            json!({"id": "shoe", "category": "Clothing > Shoes", "brand": "A", "vectors": {"shared": [2, 0]}}),
            json!({"id": "sock", "category": "Clothing > Socks", "vectors": {"shared": [1, 0]}}),
            json!({"id": "bare", "vectors": {"shared": [3, 0]}}),
            json!({"id": "no vector", "category": "Clothing > Shoes"}),
        ],
    );
    let ids = |query: serde_json::Value| {
        let params: SimilarParams = serde_json::from_value(query).unwrap();
        let hits = shop.similar("boot", &params, None).unwrap().hits;
        hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(json!({})), ["sock", "shoe", "bare"]);
    assert_eq!(ids(json!({"scope": "same"})), ["shoe"]);
    assert_eq!(ids(json!({"scope": "cross"})), ["sock"]);
    assert_eq!(ids(json!({"filter": "brand = A"})), ["shoe"]);

    let same: SimilarParams = serde_json::from_value(json!({"scope": "same"})).unwrap();
    let over = Some(std::time::Instant::now());
    assert!(matches!(
        shop.similar("boot", &same, over),
        Err(Error::DeadlineExceeded)
    ));
    assert!(messages(&shop.similar("bare", &same, None).unwrap_err()).contains("no category"));
    assert!(matches!(
        shop.similar("none", &same, None),
        Err(Error::ItemNotFound(_))
    ));
    assert!(matches!(
        shop.similar("no vector", &same, None),
        Err(Error::NoVector { .. })
    ));
}

#[test]
fn filters_of_both_forms_agree() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(
        &shop,
        &[
            json!({"id": "a", "category": "Shoes > Boots", "price": {"amount": 10}, "attributes": {"color": ["red", "blue"]}, "vectors": {"shared": [1, 0]}}),
            json!({"id": "b", "category": "Shoes", "price": {"amount": 20}, "attributes": {"color": "red", "since": "2026-01-01T00:00:00Z"}, "vectors": {"shared": [2, 0]}}),
            json!({"id": "c", "category": "Shoestrings", "attributes": {"sale": true, "rating": 4.5}, "vectors": {"shared": [3, 0]}}),
        ],
    );
    for (text, tree, expected) in [
        (
            "category = Shoes",
            json!({"must": [{"key": "category", "match": {"value": "Shoes"}}]}),
            vec!["a", "b"],
        ),
        (
            "color = blue OR sale = true",
            json!({"should": [{"key": "color", "match": {"value": "blue"}}, {"key": "sale", "match": {"value": true}}]}),
            vec!["a", "c"],
        ),
        (
            "price > 10 AND price <= 20",
            json!({"must": [{"key": "price", "range": {"gt": 10, "lte": 20}}]}),
            vec!["b"],
        ),
        (
            "NOT color = red",
            json!({"must_not": [{"key": "color", "match": {"value": "red"}}]}),
            vec!["c"],
        ),
        (
            "since < \"2026-06-01T00:00:00+02:00\"",
            json!({"must": [{"key": "since", "range": {"lt": "2026-06-01T00:00:00+02:00"}}]}),
            vec!["b"],
        ),
        (
            "rating EXISTS",
            json!({"must_not": [{"is_empty": {"key": "rating"}}]}),
            vec!["c"],
        ),
    ] {
        for form in [json!(text), tree] {
            let mut search = near(&[0.0, 0.0], 10);
            search.filter = Some(filter(form));
            assert_eq!(found(&shop, &search), expected, "{text}");
        }
    }
    let mut search = near(&[0.0, 0.0], 10);
    search.filter = Some(filter(json!("colr = red")));
    assert!(messages(&shop.search_vectors(&search).unwrap_err()).contains("color"));
}

#[test]
fn a_filter_that_is_remembered_follows_every_change() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let colored = |id: &str, color: &str, hidden: bool| {
        let attributes = json!({"color": color});
        json!({"id": id, "hidden": hidden, "attributes": attributes, "vectors": {"shared": [1, 0]}})
    };
    put(
        &shop,
        &[colored("a", "red", false), colored("b", "blue", false)],
    );
    let mut search = near(&[0.0, 0.0], 10);
    search.filter = Some(filter(json!("color = red")));
    search.explain = true;
    let answer = shop.search_vectors(&search).expect("search");
    let explain = answer.explain.expect("was asked for");
    assert_eq!((explain.plan.as_str(), explain.matching), ("exact", 1));
    assert_eq!((explain.members, explain.compared), (2, 1));
    assert_eq!(explain.selectivity, 0.5);
    put(&shop, &[colored("c", "red", false)]);
    assert_eq!(found(&shop, &search), ["a", "c"]);
    let patch = json!({"hidden": true});
    shop.patch("a", patch.as_object().expect("an object"))
        .expect("patched");
    assert_eq!(found(&shop, &search), ["c"]);
    shop.delete(&["c".into()]).expect("deleted");
    assert!(found(&shop, &search).is_empty());
    search.filter = None;
    assert_eq!(found(&shop, &search), ["b"]);
    // More filters than are remembered.
    for n in 0..100 {
        search.filter = Some(filter(json!(format!("color = blue AND stock != {n}"))));
        assert_eq!(found(&shop, &search), found(&shop, &search));
    }
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(&shop, &[json!({"id": "a", "vectors": {"shared": [1, 0]}})]);
    assert!(
        messages(&shop.search_vectors(&near(&[1.0], 1)).unwrap_err()).starts_with("/query/vector")
    );
    assert!(
        messages(
            &shop
                .search_vectors(&near(&[1.0, f32::INFINITY], 1))
                .unwrap_err()
        )
        .contains("finite")
    );
    for limit in [0, 1001] {
        assert!(
            messages(&shop.search_vectors(&near(&[1.0, 0.0], limit)).unwrap_err())
                .starts_with("/limit")
        );
    }
    let mut search = near(&[1.0, 0.0], 1);
    search.space = "sound".into();
    assert!(messages(&shop.search_vectors(&search).unwrap_err()).contains("shared, text"));
    let mut search = near(&[1.0, 0.0], 1);
    search.target = Target::Item("none".into());
    assert!(matches!(
        shop.search_vectors(&search),
        Err(Error::ItemNotFound(_))
    ));
    let mut search = near(&[1.0, 0.0], 1);
    search.deadline = Some(Instant::now());
    assert!(matches!(
        shop.search_vectors(&search),
        Err(Error::DeadlineExceeded)
    ));
}

#[test]
fn min_of_limit_and_matches_comes_back_from_a_graph_too() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    // Enough for a graph, half of them one point: the worst case for its links.
    let items: Vec<_> = (0..5_000)
        .map(|n| {
            let x = if n % 2 == 0 { 0 } else { n };
            json!({"id": format!("{n:04}"), "attributes": {"stock": n}, "vectors": {"shared": [x, n % 7]}})
        })
        .collect();
    items.chunks(500).for_each(|chunk| put(&shop, chunk));
    for matches in [1_usize, 3, 50, 700, 4_000, 5_000] {
        for limit in [1, 10, 1_000] {
            let mut search = near(&[0.0, 0.0], limit);
            search.filter = Some(filter(
                json!({"must": [{"key": "stock", "range": {"lt": matches}}]}),
            ));
            let ids = found(&shop, &search);
            assert_eq!(
                ids.len(),
                limit.min(matches),
                "limit {limit}, {matches} match"
            );
            assert_eq!(
                ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
                ids.len()
            );
        }
    }
}
