//! Recommendations: behavior, content and popularity in one answer, and what must never come back.

mod learning;

use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Error, Options, Training,
    cf::{Gru, GruWeights, SequenceModel},
    schemas::{Event, EventStatus, Fallback, RecommendRequest, RecommendResponse, Source},
};

use crate::support::{Fixture, put};

fn request(value: Value) -> RecommendRequest {
    serde_json::from_value(value).expect("a request")
}

fn events(db: &Database, events: Value) {
    let events: Vec<Event> = serde_json::from_value(events).expect("events");
    for result in db.append_events(&events).expect("stored") {
        assert_eq!(result.status, EventStatus::Accepted, "{:?}", result.error);
    }
}

fn ids(answer: &RecommendResponse) -> Vec<&str> {
    answer.hits.iter().map(|h| h.id.as_str()).collect()
}

fn ask(shop: &Collection, value: Value) -> RecommendResponse {
    let answer = shop.recommend(&request(value), None).expect("an answer");
    for hit in &answer.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!(
            (hit.score - sum).abs() < 1e-5,
            "contributions add up: {hit:?}"
        );
    }
    let scores: Vec<_> = answer.hits.iter().map(|h| h.score).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    answer
}

/// Two groups of four items; six people each took all but one of a group's items, `i` of group `g`
/// is at `(g, i / 10)`.
fn two_groups() -> Fixture {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let mut items = Vec::new();
    let mut log = Vec::new();
    for (group, name) in [(0.0, "tent"), (1.0, "dress")] {
        for i in 0..4 {
            items.push(json!({
                "id": format!("{name}{i}"), "title": format!("{name} {i}"),
                "vectors": {"shared": [group, f64::from(i) / 10.0]}
            }));
        }
        for person in 0..4 {
            for i in (0..4).filter(|i| *i != person) {
                log.push(json!({
                    "kind": "purchase", "collection": "shop", "user": format!("{name} user {person}"),
                    "items": [format!("{name}{i}")], "ts": "2026-05-01T10:00:00Z"
                }));
            }
        }
    }
    put(&shop, &items);
    events(&fixture.db, Value::Array(log));
    shop.train(&Training::default()).expect("trained");
    fixture
}

#[test]
fn the_withheld_item_comes_first_with_its_reason() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    for name in ["tent", "dress"] {
        for person in 0..4 {
            let answer = ask(
                &shop,
                json!({"user": format!("{name} user {person}"), "limit": 3}),
            );
            let first = &answer.hits[0];
            assert_eq!(first.id, format!("{name}{person}"));
            // Three events with an item are little evidence: content speaks louder.
            assert_eq!(first.reason.code, "similar");
            assert!(first.reason.items.iter().all(|id| id.starts_with(name)));
            assert_eq!(answer.history, 3);
            assert_eq!(answer.hits.len(), 3, "filled from the other group");
            let answer = ask(
                &shop,
                json!({"user": format!("{name} user {person}"), "blend": {"weights": {"behavior": 1.0}}}),
            );
            let first = &answer.hits[0];
            assert_eq!(first.id, format!("{name}{person}"));
            assert_eq!(first.reason.code, "also_liked");
            assert!(first.reason.items.iter().all(|id| id.starts_with(name)));
        }
    }
}

#[test]
fn an_event_counts_at_once_and_a_visit_like_a_user() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let event = json!({"kind": "view", "collection": "shop", "session": "s", "items": ["dress1"]});
    events(&fixture.db, json!([event]));
    let answer = ask(&shop, json!({"session": "s", "limit": 3}));
    assert_eq!(answer.history, 1);
    assert!(
        ids(&answer).iter().all(|id| id.starts_with("dress")),
        "{:?}",
        ids(&answer)
    );
    assert!(!ids(&answer).contains(&"dress1"));
    let answer = ask(
        &shop,
        json!({"session": "s", "limit": 8, "exclude_seen": false}),
    );
    assert!(
        ids(&answer).contains(&"dress1"),
        "a view may come back where it is asked for"
    );
}

#[test]
fn nothing_excluded_comes_back() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let of = |id: &str, more: Value| {
        let mut item = json!({"id": id, "vectors": {"shared": [0, 0.5]}});
        item.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        item
    };
    put(
        &shop,
        &[
            of("tent0", json!({"availability": "out_of_stock"})),
            of("tent1", json!({"hidden": true})),
            of("past", json!({"expires_at": "2020-01-01T00:00:00Z"})),
        ],
    );
    let hide = json!({"kind": "hide", "collection": "shop", "user": "u", "items": ["dress0"]});
    events(&fixture.db, json!([hide]));
    let mut all = json!({"user": "u", "positives": [{"id": "tent2"}], "negatives": ["dress2"], "exclude": ["dress3"], "limit": 100});
    assert_eq!(ids(&ask(&shop, all.clone())), ["tent3", "dress1"]);
    all["exclude_out_of_stock"] = json!(false);
    assert_eq!(ask(&shop, all).hits.len(), 3, "but nothing that is past");
    // Bought things stay away even where seen ones may come.
    let bought = json!({"user": "tent user 0", "exclude_seen": false, "limit": 100});
    let answer = ask(&shop, bought);
    assert!(
        !ids(&answer)
            .iter()
            .any(|id| ["tent2", "tent3"].contains(id))
    );
}

#[test]
fn without_events_content_answers_and_without_anything_the_newest() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let at = |id: &str, x: f64| json!({"id": id, "vectors": {"shared": [x, 0.0]}});
    put(&shop, &[at("a", 1.0), at("b", 2.0), at("c", -5.0)]);
    let answer = ask(&shop, json!({"positives": [{"id": "a"}]}));
    assert_eq!(ids(&answer), ["b", "c"]);
    assert_eq!(answer.hits[0].reason.code, "similar");
    assert_eq!(answer.hits[0].reason.items, ["a"]);
    let answer = ask(&shop, json!({"user": "nobody knows", "limit": 2}));
    assert_eq!(ids(&answer), ["c", "b"]);
    assert_eq!(answer.sources.len(), 1);
    assert_eq!(answer.sources[0].source, Source::Newest);
}

#[test]
fn a_strategy_says_how_items_count_together() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let at = |id: &str, x: f64| json!({"id": id, "vectors": {"shared": [x, 0.0]}});
    put(
        &shop,
        &[
            at("left", 0.0),
            at("right", 10.0),
            at("middle", 5.0),
            at("by left", 1.0),
            at("by right", 9.5),
            at("far", 40.0),
        ],
    );
    let first = |strategy: &str, negatives: Value| {
        let body = json!({
            "positives": ["left", {"id": "right", "weight": 1.0}], "negatives": negatives, "strategy": strategy, "limit": 3
        });
        let answer = ask(&shop, body);
        ids(&answer)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(first("average", json!([]))[0], "middle");
    assert_eq!(
        first("best_score", json!([])),
        ["by right", "by left", "middle"]
    );
    // The negatives are nearer to the items on the right.
    assert_eq!(
        first("best_score", json!([{"id": "far", "weight": 0.1}]))[0],
        "by right"
    );
    assert_eq!(first("best_score", json!(["by right"]))[0], "by left");
    assert_eq!(
        first("sum", json!([]))[0],
        "by right",
        "1 / 1.5 + 1 / 10.5 is the most"
    );
}

#[test]
fn scope_and_categories_bound_what_comes() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let of = |id: &str, category: &str| json!({"id": id, "category": category, "vectors": {"shared": [0.0, 0.5]}});
    put(
        &shop,
        &[
            of("a", "Wear > Shoes"),
            of("b", "Wear > Shoes"),
            of("c", "Wear > Hats"),
            of("d", "Home"),
            json!({"id": "e"}),
        ],
    );
    let found = |body: Value| {
        let answer = ask(&shop, body);
        let mut found: Vec<_> = ids(&answer).into_iter().map(str::to_owned).collect();
        found.sort_unstable();
        (found, answer.fallbacks)
    };
    let from = |more: Value| {
        let mut body = json!({"positives": ["a"]});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        found(body).0
    };
    assert_eq!(from(json!({"scope": "same"})), ["b"]);
    assert_eq!(from(json!({"scope": "cross"})), ["c", "d"]);
    assert_eq!(from(json!({"categories": ["Wear"]})), ["b", "c"]);
    assert_eq!(
        from(json!({"categories": ["Wear"], "scope": "cross"})),
        ["c"]
    );
    let (all, fallbacks) = found(json!({"positives": ["e"], "scope": "cross"}));
    assert_eq!(all.len(), 4);
    assert!(fallbacks.contains(&Fallback::NoCategory));
}

#[test]
fn what_is_used_up_may_be_bought_again() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let body =
        json!({"user": "tent user 0", "exclude_seen": false, "exclude_bought": false, "limit": 8});
    assert!(ids(&ask(&shop, body)).contains(&"tent2"));
}

#[test]
fn popular_lists_count_a_window_and_fade() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let of = |id: &str, category: &str| json!({"id": id, "category": category, "vectors": {"shared": [0, 0]}});
    put(
        &shop,
        &[
            of("old", "Wear > Hats"),
            of("new", "Wear > Shoes"),
            of("few", "Home"),
            of("never", "Home"),
        ],
    );
    let view = |id: &str, user: u32, day: u32| {
        json!({"kind": "view", "collection": "shop", "user": format!("u{user}"), "items": [id],
               "ts": format!("2026-03-{day:02}T10:00:00Z")})
    };
    let mut log: Vec<_> = (0..5).map(|user| view("old", user, 1)).collect();
    log.extend((0..3).map(|user| view("new", user, 20)));
    log.push(view("few", 9, 19));
    events(&fixture.db, Value::Array(log));
    let list = |params: Value| {
        let params = serde_json::from_value(params).expect("params");
        let answer = shop.popular(&params).expect("an answer");
        assert_eq!(answer.until, "2026-03-21T00:00:00+00:00");
        let hits = answer.hits.iter().map(|h| (h.id.clone(), h.events));
        hits.collect::<Vec<_>>()
    };
    let found = |hits: &[(&str, u64)]| -> Vec<(String, u64)> {
        hits.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
    };
    assert_eq!(
        list(json!({})),
        found(&[("new", 3), ("old", 5), ("few", 1)]),
        "old ones fade"
    );
    assert_eq!(list(json!({"window_days": 1000}))[0].0, "old");
    assert_eq!(
        list(json!({"window_days": 2})),
        found(&[("new", 3), ("few", 1)])
    );
    assert_eq!(list(json!({"window_days": 1})), found(&[("new", 3)]));
    assert_eq!(
        list(json!({"category": "Wear"})),
        found(&[("new", 3), ("old", 5)])
    );
    assert_eq!(
        list(json!({"filter": "category = Home", "limit": 1})),
        found(&[("few", 1)])
    );
    put(
        &shop,
        &[
            json!({"id": "new", "hidden": true}),
            json!({"id": "old", "availability": "out_of_stock"}),
        ],
    );
    assert_eq!(list(json!({})), found(&[("few", 1)]));
    let wrong = serde_json::from_value(json!({"window_days": 0})).expect("params");
    assert!(matches!(shop.popular(&wrong), Err(Error::Invalid(_))));
}

#[test]
fn what_cannot_be_recommended_is_refused() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for (body, at) in [
        (json!({"limit": 0}), "/limit"),
        (
            json!({"positives": [{"id": "a", "weight": -1.0}]}),
            "/positives/0/weight",
        ),
        (json!({"filter": "colr = red"}), "/filter"),
        (json!({"space": "sound"}), "/space"),
    ] {
        match shop.recommend(&request(body), None) {
            Err(Error::Invalid(errors)) => assert!(errors[0].pointer.starts_with(at), "{errors:?}"),
            other => panic!("{at}: {other:?}"),
        }
    }
}
