//! Sealed indexes: kept in files, mended where those are damaged, made while the collection is
//! used.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use vitrine::{
    Collection, Database, Options,
    schemas::{CollectionConfig, IndexInfo, Item},
};

use crate::support::near;

const DIM: usize = 16;

/// Without a background thread: the tests say when.
fn open(path: &Path) -> (Database, Arc<Collection>) {
    open_with(path, 0)
}

fn open_with(path: &Path, index_threads: usize) -> (Database, Arc<Collection>) {
    let options = Options {
        index_threads,
        ..Options::default()
    };
    let db = Database::open(path, options).expect("open");
    let config: CollectionConfig =
        serde_json::from_value(json!({"vectors": {"shared": {"dim": DIM, "metric": "l2"}}}))
            .expect("a config");
    let shop = db.create_collection("shop", config).expect("create");
    (db, shop)
}

fn vector(seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..DIM).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Writes the items numbered so, with vectors of version `version`.
fn write(shop: &Collection, numbers: impl Iterator<Item = u64>, version: u64) {
    let items: Vec<_> = numbers
        .map(|n| Item {
            id: n.to_string(),
            vectors: [("shared".to_owned(), vector(n * 10 + version))].into(),
            ..Default::default()
        })
        .collect();
    for chunk in items.chunks(1_000) {
        for outcome in shop.upsert(chunk.to_vec()).expect("write") {
            outcome.expect("accepted");
        }
    }
}

fn index(db: &Database) -> IndexInfo {
    db.info("shop").expect("there").indexes["shared"].clone()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(path.join("segments")).expect("the folder");
    folder
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// Shares the graph finds of what an exact search finds; both give the wanted number.
fn recall(shop: &Collection) -> f64 {
    let (mut hits, mut total) = (0, 0);
    for seed in 0..50 {
        let mut search = near(&vector(1_000_000 + seed), 10);
        let mut ids = |exact| -> Vec<String> {
            search.exact = exact;
            let found = shop.search_vectors(&search).expect("found").hits;
            found.into_iter().map(|h| h.id).collect()
        };
        let (truth, found) = (ids(true), ids(false));
        assert_eq!((truth.len(), found.len()), (10, 10));
        hits += truth.iter().filter(|id| found.contains(id)).count();
        total += truth.len();
    }
    f64::from(hits as u32) / f64::from(total as u32)
}

#[test]
fn a_restart_maps_what_was_sealed_and_mends_what_is_damaged() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path();
    let (mut db, mut shop) = open(path);
    write(&shop, 0..12_000, 0);
    assert_eq!(index(&db).unsealed, 12_000);
    db.optimize("shop").expect("sealed");
    assert_eq!((index(&db).sealed, index(&db).unsealed), (12_000, 0));
    assert_eq!(index(&db).mapped_bytes, (12_000 * DIM * 4) as u64);
    assert_eq!(files(path).len(), 1);
    assert!(recall(&shop) >= 0.98);

    // Deletes and new versions, some sealed, some not, over a restart.
    shop.delete(&(0..1_000).map(|n| n.to_string()).collect::<Vec<_>>())
        .expect("deleted");
    write(&shop, 500..3_500, 1);
    drop((shop, db));
    (db, shop) = open(path);
    assert_eq!((index(&db).sealed, index(&db).unsealed), (12_000, 3_000));
    assert!(recall(&shop) >= 0.98);
    let nearest = |shop: &Collection, n: u64, version| {
        let found = shop.search_vectors(&near(&vector(n * 10 + version), 1));
        found.expect("found").hits[0].id.clone()
    };
    assert_eq!(nearest(&shop, 2_000, 1), "2000");
    assert_ne!(nearest(&shop, 100, 0), "100", "deleted");
    db.optimize("shop").expect("merged");
    assert_eq!((index(&db).sealed, index(&db).unsealed), (11_500, 0));
    assert_eq!(files(path).len(), 1, "the old one is gone");
    drop((shop, db));

    // Damage, then loss, costs time only. A file that nobody lists is removed.
    let stray = path.join("segments/00000000-shared-99999999.seg");
    for damage in ["flipped", "cut", "gone"] {
        let file = files(path).pop().expect("a file");
        let mut bytes = fs::read(&file).expect("read");
        match damage {
            "flipped" => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&file, bytes).expect("written");
            }
            "cut" => fs::write(&file, &bytes[..bytes.len() / 2]).expect("written"),
            _ => fs::remove_file(&file).expect("removed"),
        }
        fs::write(&stray, b"left behind").expect("written");
        (db, shop) = open(path);
        assert!(!stray.exists());
        assert_eq!(
            (index(&db).sealed, index(&db).unsealed),
            (0, 11_500),
            "{damage}"
        );
        assert_eq!(recall(&shop), 1.0, "{damage}");
        db.optimize("shop").expect("sealed");
        assert_eq!(index(&db).unsealed, 0);
        assert!(recall(&shop) >= 0.98);
        drop((shop, db));
    }

    (db, shop) = open(path);
    assert_eq!(index(&db).sealed, 11_500);
    drop(shop);
    db.drop_collection("shop").expect("dropped");
    assert!(files(path).is_empty());
}

#[test]
fn a_number_that_a_segment_still_holds_is_not_given_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path());
    write(&shop, 0..100, 0);
    db.optimize("shop").expect("sealed");
    shop.delete(&["99".to_owned()]).expect("deleted");
    drop((shop, db));
    let (_db, shop) = open(dir.path());
    write(&shop, 200..201, 0);
    let found = shop
        .search_vectors(&near(&vector(2_000), 1))
        .expect("found")
        .hits;
    assert_eq!((found[0].id.as_str(), found[0].score), ("200", 1.0));
    let found = shop
        .search_vectors(&near(&vector(990), 1))
        .expect("found")
        .hits;
    assert_ne!(found[0].id, "200", "it has not the vector of 99");
}

#[test]
fn indexes_are_sealed_in_the_background_under_writes_and_searches() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open_with(dir.path(), 1);
    let patience = Instant::now() + Duration::from_secs(120);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for start in (0..30_000).step_by(1_000) {
                write(&shop, start..start + 1_000, 0);
            }
        });
        while !writer.is_finished() || index(&db).unsealed >= 10_000 {
            if shop.stats().items >= 10 {
                let found = shop.search_vectors(&near(&vector(7), 10)).expect("found");
                assert_eq!(found.hits.len(), 10);
            }
            assert!(
                Instant::now() < patience,
                "it is not sealed: {:?}",
                index(&db)
            );
        }
    });
    let state = index(&db);
    assert_eq!(state.sealed + state.unsealed, 30_000);
    assert!(state.segments >= 1);
    assert!(recall(&shop) >= 0.98);
    // Closing calls off what is being built, and nothing is lost.
    write(&shop, 30_000..41_000, 0);
    drop((shop, db));
    let (db, _shop) = open(dir.path());
    assert_eq!(db.info("shop").expect("there").items, 41_000);
}
