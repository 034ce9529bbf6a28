//! Items with few events: recommended by the behavior of items with similar vectors.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Options, Training,
    schemas::{Event, RecommendHit, Source},
};

use crate::support::{Fixture, config, put};

/// Two groups of three items, the vectors of a group near to each other; of each group 18 users,
/// who chose all its items.
fn two_groups(db: &Database) -> Arc<Collection> {
    let shop = db.create_collection("shop", config()).expect("created");
    let mut events: Vec<Event> = Vec::new();
    for (place, name) in [(0.0, "shoe"), (5.0, "hat")] {
        let ids: Vec<_> = (0..3).map(|i| format!("{name}{i}")).collect();
        let items = ids
            .iter()
            .zip(0..3)
            .map(|(id, i)| json!({"id": id, "vectors": {"shared": [place, f64::from(i) / 10.0]}}));
        put(&shop, &items.collect::<Vec<_>>());
        for user in 0..18 {
            let event = json!({
                "kind": "purchase", "collection": "shop", "user": format!("{name} user {user}"),
                "items": ids, "ts": "2026-05-01T10:00:00Z"
            });
            events.push(serde_json::from_value(event).expect("an event"));
        }
    }
    db.append_events(&events).expect("stored");
    shop.train(&Training::default()).expect("trained");
    shop
}

/// Returns the hits for somebody who likes the first shoe, by behavior alone.
fn by_behavior(shop: &Collection) -> Vec<RecommendHit> {
    let request = json!({
        "positives": ["shoe0"], "limit": 20, "blend": {"weights": {"behavior": 1.0}}
    });
    let request = serde_json::from_value(request).expect("a request");
    shop.recommend(&request, None).expect("an answer").hits
}

fn position(hits: &[RecommendHit], id: &str) -> usize {
    let position = hits.iter().position(|hit| hit.id == id);
    position.unwrap_or_else(|| panic!("{id} is missing: {hits:?}"))
}

/// Checks that a new shoe is recommended by behavior, with an honest reason.
fn check_new_shoe(hits: &[RecommendHit], id: &str) {
    let hit = &hits[position(hits, id)];
    assert_eq!(hit.reason.code, "similar_also_liked", "{hit:?}");
    assert_eq!(hit.reason.items, ["shoe0"]);
    assert_eq!(
        hit.reason.text,
        "Similar to what customers who chose shoe0 chose"
    );
    let contribution = &hit.contributions[0];
    assert_eq!(contribution.source, Source::Behavior);
    assert!(contribution.score > 0.1, "{hit:?}");
}

fn item(id: &str, vector: [f64; 2]) -> Value {
    json!({"id": id, "vectors": {"shared": vector}})
}

#[test]
fn a_new_item_takes_part_in_behavior_at_once() {
    let fixture = Fixture::new();
    let shop = two_groups(&fixture.db);
    put(
        &shop,
        &[item("new shoe", [0.0, 0.05]), item("new hat", [5.0, 0.05])],
    );
    let hits = by_behavior(&shop);
    check_new_shoe(&hits, "new shoe");
    assert!(position(&hits, "new shoe") < position(&hits, "new hat"));
    assert_eq!(hits[position(&hits, "shoe1")].reason.code, "also_liked");

    // A training maps all of them again.
    shop.train(&Training::default()).expect("trained");
    check_new_shoe(&by_behavior(&shop), "new shoe");
}

#[test]
fn a_new_item_takes_part_in_behavior_after_a_restart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    {
        let db = Database::open(dir.path(), Options::default()).expect("open");
        let shop = two_groups(&db);
        put(&shop, &[item("new shoe", [0.0, 0.05])]);
    }
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let shop = db.collection("shop").expect("open");
    // Nothing asks for it: items are mapped in the background.
    let mapped = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let hits = by_behavior(&shop);
        hits[position(&hits, "new shoe")].reason.code == "similar_also_liked"
    });
    assert!(mapped, "{:?}", by_behavior(&shop));
}
