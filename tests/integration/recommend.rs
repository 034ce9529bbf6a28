//! Recommendations: behavior, content and popularity in one answer, and what must never come back.

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
fn bought_together_counts_baskets() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let params = serde_json::from_value(json!({"limit": 10})).expect("params");
    let answer = shop.bought_together("tent0", &params).expect("an answer");
    let mut found: Vec<_> = answer
        .hits
        .iter()
        .map(|h| (h.id.as_str(), h.baskets))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("tent1", 2), ("tent2", 2), ("tent3", 2)]);
    assert!(answer.hits[0].reason.text.contains("tent 0, 2 times"));
    assert!(matches!(
        shop.bought_together("none", &params),
        Err(Error::ItemNotFound(_))
    ));
}

#[test]
fn what_everybody_buys_does_not_lead_every_list() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    put(
        &shop,
        &[json!({"id": "bag", "title": "Bag", "vectors": {"shared": [0.0, -1.0]}})],
    );
    // Two neighboring ones of four tents or dresses, and a bag, in each of 48 baskets.
    let basket = |n: usize| {
        let name = ["tent", "dress"][n % 2];
        let pair = [n / 2 % 4, (n / 2 + 1) % 4].map(|i| format!("{name}{i}"));
        json!({
            "kind": "purchase", "collection": "shop", "user": format!("late {n}"),
            "items": [pair[0], pair[1], "bag"], "ts": "2026-05-02T10:00:00Z"
        })
    };
    let baskets: Vec<_> = (0..48).map(basket).collect();
    events(&fixture.db, Value::Array(baskets[..24].to_vec()));
    shop.train(&Training::default()).expect("trained");
    events(&fixture.db, Value::Array(baskets[24..].to_vec()));
    for (id, near) in [
        ("tent1", ["tent0", "tent2"]),
        ("dress1", ["dress0", "dress2"]),
    ] {
        let params = serde_json::from_value(json!({"limit": 10})).expect("params");
        let answer = shop.bought_together(id, &params).expect("an answer");
        let bag = answer.hits.iter().position(|hit| hit.id == "bag");
        assert!(bag >= Some(2), "{:?}", answer.hits);
        let mut first: Vec<_> = answer.hits[..2].iter().map(|hit| &*hit.id).collect();
        first.sort_unstable();
        assert_eq!(first, near);
    }
}

/// Baskets of `a` with what was bought with it.
fn with_a(shop: &Collection) -> Vec<(String, u64)> {
    let params = serde_json::from_value(json!({"limit": 10})).expect("params");
    let answer = shop.bought_together("a", &params).expect("an answer");
    let hits = answer.hits.into_iter().map(|h| (h.id, h.baskets));
    hits.collect()
}

#[test]
fn events_after_a_training_count_at_once_and_once_only() {
    let dir = tempfile::tempdir().expect("temporary folder");
    // Nothing is trained unasked.
    let open = || {
        let options = Options {
            index_threads: 0,
            ..Options::default()
        };
        Database::open(dir.path(), options).expect("open")
    };
    let bought = |db: &Database, user: &str, items: Value, day: u32| {
        let ts = format!("2026-05-{day:02}T10:00:00Z");
        let event = json!({"kind": "purchase", "collection": "shop", "user": user, "session": format!("of {user}"),
            "items": items, "ts": ts});
        events(db, json!([event]));
    };
    let pair = |id: &str, baskets| (id.to_owned(), baskets);
    let after = {
        let db = open();
        let shop = db
            .create_collection("shop", crate::support::config())
            .expect("created");
        let items = ["a", "b", "c", "new"].map(|id| json!({"id": id}));
        put(&shop, &items);
        bought(&db, "u1", json!(["a", "b"]), 1);
        bought(&db, "u2", json!(["a", "b"]), 2);
        shop.train(&vitrine::Training::default()).expect("trained");
        assert_eq!(
            with_a(&shop),
            [pair("b", 2)],
            "a session is not a second basket"
        );
        bought(&db, "u3", json!(["c"]), 3);
        bought(&db, "u3", json!(["a"]), 4);
        assert_eq!(with_a(&shop), [pair("b", 2)], "another day");
        bought(&db, "u4", json!(["a", "new"]), 4);
        bought(&db, "u5", json!(["a", "new", "b"]), 4);
        let mut after = with_a(&shop);
        after.sort();
        assert_eq!(after, [pair("b", 3), pair("new", 2)]);
        // Users without a basket: the item is a neighbor for recommendations too.
        let answer = ask(&shop, json!({"positives": [{"id": "new"}], "limit": 2}));
        assert!(ids(&answer).contains(&"a"), "{answer:?}");
        assert_eq!(answer.hits[0].reason.code, "also_liked");
        after
    };
    let db = open();
    let shop = db.collection("shop").expect("open");
    let mut again = with_a(&shop);
    again.sort();
    assert_eq!(again, after, "after a restart");
    let info = shop.train(&vitrine::Training::default()).expect("trained");
    let mut learned = with_a(&shop);
    learned.sort();
    assert_eq!(learned, after, "learned, no longer counted");
    // Gone back to, the first model counts what came after it.
    db.collection("shop")
        .expect("open")
        .activate_model(info.version - 1)
        .expect("there");
    let mut back = with_a(&shop);
    back.sort();
    assert_eq!(back, after);
}

#[test]
fn people_alike_are_a_source_of_their_own() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let only = json!({"weights": {"session": 1.0}});
    let body = json!({"positives": [{"id": "tent1"}, {"id": "tent0"}], "limit": 2, "blend": only});
    let answer = ask(&shop, body);
    assert_eq!(answer.sources[0].source, Source::Session);
    let first = &answer.hits[0];
    assert!(first.id.starts_with("tent"), "{answer:?}");
    assert_eq!(first.reason.code, "alike");
    assert!(
        first.reason.items.iter().all(|id| id.starts_with("tent"))
            && !first.reason.items.is_empty()
    );
}

#[test]
fn what_is_chosen_next_counts_with_each_event() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    put(&shop, &[json!({"id": "lamp", "title": "Lamp"})]);
    let only = json!({"weights": {"sequence": 1.0}});
    let body = json!({"positives": [{"id": "tent1"}], "limit": 8, "blend": only});
    let answer = ask(&shop, body.clone());
    let mut sources = answer.sources.iter();
    assert!(sources.any(|used| used.source == Source::Sequence));
    let first = &answer.hits[0];
    assert!(first.id.starts_with("tent"), "{answer:?}");
    assert_eq!(first.reason.code, "next");
    assert_eq!(first.reason.items, ["tent1"]);
    assert_eq!(first.reason.text, "Often chosen after tent 1");
    // No training: the new rule counts at once.
    for user in ["x", "y", "z"] {
        for id in ["tent1", "lamp"] {
            let view = json!({"kind": "view", "collection": "shop", "user": user, "items": [id]});
            events(&fixture.db, json!([view]));
        }
    }
    assert_eq!(ids(&ask(&shop, body))[0], "lamp");
}

#[test]
fn a_network_is_a_source_and_kept_by_trainings() {
    let fixture = two_groups();
    let shop = fixture.db.collection("shop").expect("open");
    let learned = shop.sequences();
    assert_eq!((learned.items, learned.sequences.len()), (8, 8));
    assert_eq!(learned.sequences[0].len(), 3);
    // A network that prefers one item after any history.
    let favorite = learned.items - 1;
    let mut vectors = vec![0.0; learned.items];
    vectors[favorite] = 5.0;
    let weights = GruWeights {
        dim: 1,
        vectors,
        input: vec![0.0; 3],
        input_bias: vec![0.0, 0.0, 2.0],
        recurrent: vec![0.0; 3],
        recurrent_bias: vec![0.0; 3],
    };
    let network = SequenceModel::Gru(Gru::new(weights).expect("consistent"));
    let only = json!({"weights": {"network": 1.0}});
    let body = json!({"positives": [{"id": "tent1"}], "limit": 1, "blend": only});
    let before = ask(&shop, body.clone());
    assert_eq!(before.hits[0].reason.code, "new", "no network yet");
    let training = Training {
        network: Some(Arc::new(network)),
        ..Training::default()
    };
    let info = shop.train(&training).expect("trained");
    let answer = ask(&shop, body.clone());
    let first = &answer.hits[0];
    assert_eq!(
        (first.id.as_str(), first.reason.code.as_str()),
        ("dress0", "likely_next")
    );
    assert_eq!(first.reason.items, ["tent1"]);
    shop.train(&Training::default()).expect("trained");
    assert_eq!(ids(&ask(&shop, body.clone())), ["dress0"], "kept");
    // Read from the store again.
    shop.activate_model(info.version).expect("stored");
    assert_eq!(ids(&ask(&shop, body)), ["dress0"]);
}

#[test]
fn behavior_is_there_again_after_a_restart_and_learned_by_itself() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let config = crate::support::config();
    {
        let db = Database::open(dir.path(), Options::default()).expect("open");
        let shop = db.create_collection("shop", config).expect("created");
        put(
            &shop,
            &[json!({"id": "a"}), json!({"id": "b"}), json!({"id": "c"})],
        );
        for user in 0..3 {
            let items = json!(["a", "b"]);
            let event = json!({"kind": "purchase", "collection": "shop", "user": format!("{user}"), "items": items});
            events(&db, json!([event]));
        }
    }
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let shop = db.collection("shop").expect("open");
    // The database learns in the background; nothing asks it to.
    let learned = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let answer = ask(&shop, json!({"positives": [{"id": "a"}], "limit": 1}));
        answer.hits[0].id == "b" && answer.hits[0].reason.code == "also_liked"
    });
    assert!(learned);
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
