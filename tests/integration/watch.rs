//! Background measurements: recall of real searches and reachability of graphs.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use vitrine::{
    Database, Options,
    schemas::{CollectionConfig, IndexInfo, Item},
};

use crate::support::near;

fn measured(canary: bool) -> IndexInfo {
    let dir = tempfile::tempdir().expect("temporary folder");
    let options = Options {
        index_threads: 1,
        canary,
        ..Options::default()
    };
    let db = Database::open(dir.path(), options).expect("open");
    let config = json!({"vectors": {"shared": {"dim": 12, "metric": "l2"}}});
    let config: CollectionConfig = serde_json::from_value(config).expect("a config");
    let shop = db.create_collection("shop", config).expect("create");
    let mut rng = StdRng::seed_from_u64(5);
    let mut vector = || -> Vec<f32> { (0..12).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let items = (0..12_000).map(|n| Item {
        id: n.to_string(),
        vectors: [("shared".to_owned(), vector())].into(),
        ..Default::default()
    });
    for outcome in shop.upsert(items.collect()).expect("written") {
        outcome.expect("accepted");
    }
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        shop.search_vectors(&near(&vector(), 10)).expect("found");
        let state = db.info("shop").expect("there").indexes["shared"].clone();
        let is_known = state.sealed == 12_000 && state.unreachable.is_some();
        if is_known && (!canary || state.recall.as_ref().is_some_and(|r| r.samples >= 2)) {
            return state;
        }
        assert!(Instant::now() < patience, "{state:?}");
    }
}

#[test]
fn recall_and_reachability_are_told() {
    let state = measured(true);
    let recall = state.recall.expect("measured");
    assert!((0.9..=1.0).contains(&recall.mean), "{recall:?}");
    assert!(recall.since.starts_with("20"), "{recall:?}");
    assert_eq!(state.unreachable, Some(0));
}

#[test]
fn the_canary_can_be_switched_off() {
    assert_eq!(measured(false).recall, None);
}
