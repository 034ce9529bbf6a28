//! The state that a clean stop keeps: used where it is up to date, made again where it is not,
//! whatever it holds.

use std::{fs, path::Path, sync::Arc};

use serde_json::json;
use vitrine::{Collection, Database, Options, schemas::CollectionPatch};

use crate::support::{config, filter, found, near, put};

fn open(path: &Path) -> (Database, Arc<Collection>) {
    let db = Database::open(path, Options::default()).expect("open");
    let shop = db.create_collection("shop", config()).expect("create");
    (db, shop)
}

fn fill(shop: &Collection) {
    put(
        shop,
        &[
            json!({"id": "a", "category": "Shoes > Boots", "price": {"amount": 5}, "attributes": {"color": "red", "stock": 3, "since": "2026-01-01T00:00:00Z"},
                   "vectors": {"shared": [1, 0]}}),
            json!({"id": "b", "category": "Shoes", "price": {"amount": 7}, "attributes": {"color": ["red", "blue"], "rating": -0.5, "sale": true},
                   "vectors": {"shared": [2, 0]}}),
            json!({"id": "c", "category": "Hats", "hidden": true, "attributes": {"color": "red"}, "vectors": {"shared": [3, 0]}}),
            json!({"id": "d", "attributes": {"stock": -4}, "vectors": {"shared": [4, 0]}}),
        ],
    );
}

/// Every kind of column answers as it should.
fn check(shop: &Collection) {
    let all = |text: &str| {
        let mut search = near(&[0.0, 0.0], 10);
        search.filter = (!text.is_empty()).then(|| filter(json!(text)));
        found(shop, &search)
    };
    assert_eq!(all(""), ["a", "b", "d"], "c is hidden");
    assert_eq!(all("color = red"), ["a", "b"]);
    assert_eq!(all("category = Shoes"), ["a", "b"]);
    assert_eq!(all("category = \"Shoes > Boots\""), ["a"]);
    assert_eq!(all("price > 5"), ["b"]);
    assert_eq!(all("stock < 0"), ["d"]);
    assert_eq!(all("rating < 0 AND sale = true"), ["b"]);
    assert_eq!(all("since >= 2026-01-01T00:00:00Z"), ["a"]);
    assert_eq!(all("NOT color EXISTS"), ["d"]);
    assert_eq!(
        shop.count(Some(&filter(json!("color = red"))))
            .expect("counted"),
        3
    );
    let similar = serde_json::from_value(json!({"scope": "cross"})).expect("parameters");
    let cross = shop.similar("a", &similar, None).expect("found").hits;
    assert_eq!(cross[0].id, "b", "of another category");
}

fn state(path: &Path) -> std::path::PathBuf {
    path.join("states/00000000.state")
}

#[test]
fn a_state_is_kept_and_read_instead_of_the_records() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path());
    fill(&shop);
    check(&shop);
    drop((shop, db));
    let kept = fs::read(state(dir.path())).expect("kept");

    // It is read: an id changed in it (and its checksum) shows.
    let mut forged = kept.clone();
    let at = forged
        .windows(4)
        .position(|w| w == b"\x01a\x00\x01")
        .expect("the id a, number 0");
    forged[at + 1] = b'A';
    let checksum = crc32fast::hash(&forged[20..]);
    forged[8..12].copy_from_slice(&checksum.to_le_bytes());
    fs::write(state(dir.path()), &forged).expect("written");
    let (db, shop) = open(dir.path());
    assert!(
        shop.search_vectors(&near(&[1.0, 0.0], 1)).is_err(),
        "there is no record A"
    );
    drop((shop, db));

    // Nothing was written: it is not made again, and still read.
    assert_eq!(fs::read(state(dir.path())).expect("kept"), forged);
    fs::write(state(dir.path()), &kept).expect("written");
    let (db, shop) = open(dir.path());
    check(&shop);
    // New numbers go on where they were.
    put(&shop, &[json!({"id": "e", "vectors": {"shared": [9, 0]}})]);
    assert_eq!(found(&shop, &near(&[9.0, 0.0], 1)), ["e"]);
    shop.delete(&["e".to_owned()]).expect("deleted");
    drop((shop, db));
    let (_db, shop) = open(dir.path());
    check(&shop);
}

#[test]
fn a_stale_or_damaged_state_is_made_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path());
    put(&shop, &[json!({"id": "z", "vectors": {"shared": [0, 0]}})]);
    drop((shop, db));
    let old = fs::read(state(dir.path())).expect("kept");
    let (db, shop) = open(dir.path());
    shop.delete(&["z".to_owned()]).expect("deleted");
    fill(&shop);
    drop((shop, db));
    let kept = fs::read(state(dir.path())).expect("kept");
    assert_ne!(old, kept);

    // As after a crash: the records have gone on.
    let mut spoiled = vec![old, Vec::new(), b"VITSTA\x00\x01".to_vec()];
    spoiled.extend((0..kept.len()).step_by(7).map(|at| {
        let mut torn = kept.clone();
        torn[at] ^= 0x41;
        torn
    }));
    spoiled.extend((0..kept.len()).step_by(31).map(|len| kept[..len].to_vec()));
    for bytes in spoiled {
        fs::write(state(dir.path()), bytes).expect("written");
        let (db, shop) = open(dir.path());
        check(&shop);
        drop((shop, db));
        assert_eq!(fs::read(state(dir.path())).expect("kept").len(), kept.len());
    }

    // A length out of range, under a valid checksum.
    for at in 20..kept.len().min(400) {
        let mut forged = kept.clone();
        forged[at] = 0xff;
        let checksum = crc32fast::hash(&forged[20..]);
        forged[8..12].copy_from_slice(&checksum.to_le_bytes());
        fs::write(state(dir.path()), &forged).expect("written");
        drop(open(dir.path()));
    }
}

#[test]
fn a_grown_schema_makes_it_stale() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (db, shop) = open(dir.path());
    fill(&shop);
    db.close().expect("closed");
    let patch = json!({"attributes": {"size": "float"}});
    let patch: CollectionPatch = serde_json::from_value(patch).expect("a patch");
    db.patch_collection("shop", patch).expect("patched");
    let kept = fs::read(state(dir.path())).expect("kept");
    drop((shop, db));
    assert_ne!(fs::read(state(dir.path())).expect("kept"), kept);
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let shop = db.collection("shop").expect("there");
    check(&shop);
    put(&shop, &[json!({"id": "s", "attributes": {"size": 41.5}})]);
    assert_eq!(
        shop.count(Some(&filter(json!("size > 41"))))
            .expect("counted"),
        1
    );
    drop(shop);
    db.drop_collection("shop").expect("dropped");
    assert!(!state(dir.path()).exists());
}
