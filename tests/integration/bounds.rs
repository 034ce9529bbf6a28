//! Bounds on memory and disk: what would pass them is refused whole, and says how to mend it; all
//! else goes on.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use vitrine::{
    Bounds, Collection, Database, Error, Options,
    schemas::{CollectionConfig, Item},
};

use crate::support::near;

const DIM: usize = 64;

fn open(path: &Path, index_threads: usize, bounds: Bounds) -> (Database, Arc<Collection>) {
    let options = Options {
        index_threads,
        bounds,
        ..Options::default()
    };
    let db = Database::open(path, options).expect("open");
    let config: CollectionConfig = serde_json::from_value(serde_json::json!({
        "vectors": {"shared": {"dim": DIM, "metric": "l2"}}
    }))
    .expect("a config");
    let shop = db.create_collection("shop", config).expect("create");
    (db, shop)
}

fn memory(bytes: u64) -> Bounds {
    Bounds {
        memory_bytes: Some(bytes),
        ..Bounds::default()
    }
}

fn vector(n: usize) -> Vec<f32> {
    (0..DIM).map(|i| ((n * 31 + i * 7) % 101) as f32).collect()
}

fn items(numbers: std::ops::Range<usize>) -> Vec<Item> {
    let item = |n: usize| Item {
        id: format!("item-{n}"),
        vectors: [("shared".to_owned(), vector(n))].into(),
        ..Default::default()
    };
    numbers.map(item).collect()
}

/// Writes hundreds until one is refused: how many items were written, and the refusal.
fn fill(shop: &Collection) -> (usize, Error) {
    for start in (0..1_000_000).step_by(100) {
        match shop.upsert(items(start..start + 100)) {
            Ok(outcomes) => assert!(outcomes.iter().all(Result::is_ok)),
            Err(e) => return (start, e),
        }
    }
    panic!("nothing was refused");
}

#[test]
fn a_write_that_would_pass_the_memory_bound_is_refused_whole() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let limit = 1_000_000;
    let (db, shop) = open(dir.path(), 0, memory(limit));
    let (written, refusal) = fill(&shop);
    let Error::MemoryFull { used, wanted, .. } = refusal else {
        panic!("{refusal:?}");
    };
    assert!(used <= limit && used + wanted > limit);
    let message = refusal.to_string();
    let excess = (used + wanted - limit).to_string();
    for part in ["limits.memory_bytes is 1000000", &excess, "raise the limit"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    assert_eq!(refusal.code(), "memory_full");

    // Nothing of it is there, all else is, and it can be searched.
    let usage = db.usage().expect("usage");
    assert_eq!((usage.memory_bytes, usage.refused_memory), (used, 1));
    assert_eq!(shop.count(None).expect("counted") as usize, written);
    assert!(shop.get(&format!("item-{written}"), false).is_err());
    for n in [0, written / 2, written - 1] {
        assert_eq!(
            shop.get(&format!("item-{n}"), true).expect("there").vectors["shared"],
            vector(n)
        );
    }
    assert_eq!(
        shop.search_vectors(&near(&vector(3), 5))
            .expect("found")
            .hits
            .len(),
        5
    );
    // A small one still fits where a large one does not; a patch and a delete do too.
    let patch = serde_json::json!({"title": "T"});
    let patch = patch.as_object().expect("an object");
    shop.patch("item-0", patch).expect("patched");
    shop.delete(&["item-1".to_owned()]).expect("deleted");

    // The mend that the message names, over a restart.
    drop((shop, db));
    let (db, shop) = open(dir.path(), 0, memory(2 * limit));
    let again = db.usage().expect("usage").memory_bytes;
    assert!(again.abs_diff(used) < used / 10, "{again} after {used}");
    shop.upsert(items(written..written + 100))
        .expect("room now");
}

#[test]
fn what_sealing_frees_is_worth_waiting_for() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path(), 1, memory(2_000_000));
    let patience = Instant::now() + Duration::from_secs(60);
    let (mut written, mut waited) = (0, 0);
    let refusal = loop {
        match shop.upsert(items(written..written + 100)) {
            Ok(_) => written += 100,
            Err(Error::MemoryFullUntilSealed { .. }) => {
                waited += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(e) => break e,
        }
        assert!(
            Instant::now() < patience,
            "{written} written: {:?}",
            db.info("shop")
        );
    };
    assert!(matches!(refusal, Error::MemoryFull { .. }), "{refusal:?}");
    assert!(waited > 0);
    let state = db.info("shop").expect("there");
    assert!(
        state.items as usize == written && state.indexes["shared"].sealed > 0,
        "{state:?}"
    );
    // Unsealed, they would have taken more than there is.
    let unsealed = written * (DIM * size_of::<f32>() + 24) + state.records_bytes as usize;
    assert!(unsealed > 2_000_000, "{written} written");

    // Deleting makes room, once the dead are left out.
    let ids: Vec<_> = (0..written / 2).map(|n| format!("item-{n}")).collect();
    shop.delete(&ids).expect("deleted");
    while let Err(e) = shop.upsert(items(written..written + 100)) {
        assert!(matches!(e, Error::MemoryFullUntilSealed { .. }), "{e:?}");
        assert!(Instant::now() < patience, "{:?}", db.info("shop"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_may_not_be_merged_is_not_waited_for() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let bounds = Bounds {
        merge_memory_bytes: Some(1),
        ..memory(2_000_000)
    };
    let (db, shop) = open(dir.path(), 1, bounds);
    let patience = Instant::now() + Duration::from_secs(60);
    let mut written = 0;
    let mut until_full = || loop {
        match shop.upsert(items(written..written + 100)) {
            Ok(_) => written += 100,
            Err(Error::MemoryFullUntilSealed { .. }) => {
                assert!(Instant::now() < patience, "{:?}", db.info("shop"));
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(e) => break (written, e),
        }
    };
    let (most, refusal) = until_full();
    assert!(matches!(refusal, Error::MemoryFull { .. }), "{refusal:?}");
    // Their remains stay in the indexes, so they must not be counted as freed.
    let ids: Vec<_> = (0..most / 2).map(|n| format!("item-{n}")).collect();
    shop.delete(&ids).expect("deleted");
    let (_, refusal) = until_full();
    assert!(matches!(refusal, Error::MemoryFull { .. }), "{refusal:?}");
}

#[test]
fn events_and_builds_count_for_the_memory_bound() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path(), 0, memory(1 << 30));
    let used = || db.usage().expect("usage").memory_bytes;
    shop.upsert(items(0..20_000)).expect("written");
    let before = used();
    let event = |n: usize| {
        let event = serde_json::json!({
            "kind": "view", "collection": "shop", "user": format!("user-{}", n % 700), "items": [format!("item-{n}")]
        });
        serde_json::from_value(event).expect("an event")
    };
    let events: Vec<_> = (0..5_000).map(event).collect();
    db.append_events(&events).expect("stored");
    let after = used();
    let log = db.info("shop").expect("there").events.memory_bytes;
    assert!(after - before > log * 3 / 5, "{before}, {after}, {log}");

    let most = std::thread::scope(|scope| {
        let built = scope.spawn(|| db.optimize("shop"));
        let mut most = 0;
        while !built.is_finished() {
            most = used().max(most);
        }
        built.join().expect("no panic").expect("built");
        most
    });
    let vectors = 20_000 * (DIM * size_of::<f32>()) as u64;
    assert!(most > after + vectors, "{after}, {most}");
    assert!(used() < after, "a sealed segment is smaller");
}

#[test]
fn the_disk_reserve_is_left_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let bounds = Bounds {
        disk_reserve_bytes: u64::MAX / 2,
        ..Bounds::default()
    };
    let (db, shop) = open(dir.path(), 0, bounds);
    let refusal = shop.upsert(items(0..3)).expect_err("no room");
    assert!(matches!(refusal, Error::DiskFull { .. }), "{refusal:?}");
    assert_eq!(refusal.code(), "disk_full");
    assert!(refusal.to_string().contains("limits.disk_reserve_bytes"));
    assert_eq!(shop.count(None).expect("counted"), 0);
    assert_eq!(db.usage().expect("usage").refused_disk, 1);
    let event =
        serde_json::json!({"kind": "view", "collection": "shop", "user": "u", "items": ["a"]});
    let event = serde_json::from_value(event).expect("an event");
    assert!(matches!(
        db.append_events(&[event]),
        Err(Error::DiskFull { .. })
    ));
}
