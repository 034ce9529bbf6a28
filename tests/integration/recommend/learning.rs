//! Events, trainings and restarts: what behavior learns, and when.

use super::*;

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
