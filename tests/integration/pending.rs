//! Items that are embedded after they are written: random operations and restarts against a model,
//! and what a restart finds.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use vitrine::{
    Collection, Database, EmbedPolicy, Embedded, ItemVectors, Options, Policy, Precondition,
    schemas::{EmbeddingStatus, Item},
};

use crate::support::{config, found, item, near};

const IDS: u32 = 12;
const OPERATIONS: usize = 600;

fn open(path: &Path) -> (Database, Arc<Collection>) {
    let db = Database::open(path, Options::default()).expect("open");
    let shop = db.create_collection("shop", config()).expect("create");
    (db, shop)
}

fn policy(policy: Policy) -> EmbedPolicy<'static> {
    EmbedPolicy {
        policy,
        is_same: &|a: &Item, b: &Item| a.title == b.title,
        content_hash: &|item: &Item| item.title.clone(),
    }
}

/// Writes an item and returns the state of its vectors.
fn write(shop: &Collection, id: &str, title: &str) -> EmbeddingStatus {
    let items = vec![item(json!({"id": id, "title": title}))];
    let mut written = shop
        .upsert_with(items, Some(&policy(Policy::Embed)))
        .unwrap();
    let written = written.remove(0).unwrap();
    written.embedding.expect("a state").status
}

/// Returns the vector of a title: its number, and 0.
fn vector(title: &str) -> Vec<f32> {
    vec![title.parse().expect("a number"), 0.0]
}

fn embed((version, item): (u32, Item)) -> Embedded {
    let title = item.title.clone().unwrap_or_default();
    let result = match title.as_str() {
        "bad" => Err("is bad".to_owned()),
        title => Ok(ItemVectors {
            fingerprint: "encoder-1".into(),
            vectors: [("shared".to_owned(), vector(title))].into(),
            other: None,
            content_hash: Some(title.to_owned()),
            warning: None,
        }),
    };
    Embedded {
        version,
        item,
        result,
    }
}

/// Embeds at most `limit` pending items.
fn embed_some(shop: &Collection, limit: usize) {
    let taken = shop.take_pending(limit).unwrap();
    shop.complete(taken.into_iter().map(embed).collect())
        .unwrap();
}

#[test]
fn a_restart_continues_with_what_is_pending() {
    let dir = tempfile::tempdir().unwrap();
    let (db, shop) = open(dir.path());
    for (id, title) in [("a", "1"), ("b", "2"), ("c", "bad")] {
        assert_eq!(write(&shop, id, title), EmbeddingStatus::Pending);
    }
    embed_some(&shop, 1);
    drop((shop, db));

    let (db, shop) = open(dir.path());
    assert_eq!(shop.pending_count(), 2);
    assert_eq!(found(&shop, &near(&[0.0, 0.0], 9)), ["a"]);
    embed_some(&shop, 9);
    assert_eq!(shop.pending_count(), 0);
    drop((shop, db));

    let (_db, shop) = open(dir.path());
    assert_eq!(found(&shop, &near(&[0.0, 0.0], 9)), ["a", "b"]);
    let state = shop.embedding_state("c").expect("a state");
    assert_eq!(
        (state.status, state.error.as_deref()),
        (EmbeddingStatus::Failed, Some("is bad"))
    );
    assert_eq!(shop.content_hash("b").unwrap().as_deref(), Some("2"));
    assert_eq!(shop.embed_missing().unwrap(), 1);
    assert_eq!(shop.pending_count(), 1);
}

#[test]
fn a_dropped_collection_leaves_no_marks() {
    let dir = tempfile::tempdir().unwrap();
    let (db, shop) = open(dir.path());
    write(&shop, "a", "1");
    drop(shop);
    db.drop_collection("shop").unwrap();
    let shop = db.create_collection("shop", config()).unwrap();
    assert_eq!(shop.pending_count(), 0);
    write(&shop, "a", "1");
    drop((shop, db));
    assert_eq!(open(dir.path()).1.pending_count(), 1);
}

/// Each item has at any time the vector of its title, or it is pending with one of an earlier
/// title, or it failed and has none.
#[test]
fn no_item_is_lost_and_no_vector_is_stale_under_random_operations() {
    let dir = tempfile::tempdir().unwrap();
    let (mut db, mut shop) = open(dir.path());
    let mut rng = StdRng::seed_from_u64(18);
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    let mut in_flight = Vec::new();
    for _ in 0..OPERATIONS {
        let id = format!("i{}", rng.random_range(0..IDS));
        let title = match rng.random_range(0..5) {
            0 => "bad".to_owned(),
            n => n.to_string(),
        };
        match rng.random_range(0..10) {
            0..3 => {
                write(&shop, &id, &title);
                titles.insert(id, title);
            }
            3 if titles.contains_key(&id) => {
                let patch = json!({"title": title}).as_object().unwrap().clone();
                shop.patch_with(
                    &id,
                    &patch,
                    Some(&policy(Policy::Embed)),
                    &Precondition::Any,
                )
                .unwrap();
                titles.insert(id, title);
            }
            4 if titles.contains_key(&id) => {
                let patch = json!({"hidden": false, "brand": title})
                    .as_object()
                    .unwrap()
                    .clone();
                shop.patch_with(
                    &id,
                    &patch,
                    Some(&policy(Policy::Embed)),
                    &Precondition::Any,
                )
                .unwrap();
            }
            5 => {
                shop.delete(std::slice::from_ref(&id)).unwrap();
                titles.remove(&id);
            }
            // Items are taken now and completed later, when some have changed.
            6 => in_flight.push(shop.take_pending(rng.random_range(1..5)).unwrap()),
            7 => {
                if let Some(taken) = in_flight.pop() {
                    let taken: Vec<(u32, Item)> = taken;
                    shop.complete(taken.into_iter().map(embed).collect())
                        .unwrap();
                }
            }
            8 => embed_some(&shop, 2),
            9 if rng.random_bool(0.1) => {
                in_flight.clear();
                drop((shop, db));
                (db, shop) = open(dir.path());
            }
            _ => {}
        }
        check(&shop, &titles);
    }
    embed_some(&shop, 1000);
    assert_eq!(shop.pending_count(), 0);
    check(&shop, &titles);
}

fn check(shop: &Collection, titles: &BTreeMap<String, String>) {
    for (id, title) in titles {
        let stored = shop.get(id, true).unwrap();
        assert_eq!(stored.title.as_ref(), Some(title));
        let status = stored.embedding.map(|state| state.status);
        let has = stored.vectors.get("shared");
        match status {
            None => assert_eq!(has, Some(&vector(title)), "{id} {title}"),
            Some(EmbeddingStatus::Failed) => assert_eq!((has, title.as_str()), (None, "bad")),
            Some(status) => assert_eq!(status, EmbeddingStatus::Pending, "{id}"),
        }
    }
    assert_eq!(shop.stats().items, titles.len() as u64);
    assert!(shop.pending_count() <= titles.len() as u64);
}
