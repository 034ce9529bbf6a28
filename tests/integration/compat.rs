//! A data directory written by each released format still opens; `tests/compat/format-N` holds
//! them.
//!
//! Made by `cargo test --release --workspace --test integration -- --ignored make_sample`, once a
//! format, and never changed after.

use std::path::{Path, PathBuf};

use serde_json::json;
use vitrine::{
    Database, Options,
    schemas::{AliasAction, Event},
};

use crate::support::{config, filter, found, near, put};

fn sample(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/compat/format-{format}"))
}

#[test]
fn a_directory_of_format_1_opens_and_answers() {
    // RocksDB writes into what it opens: a copy.
    let dir = tempfile::tempdir().expect("temporary folder");
    for entry in std::fs::read_dir(sample(1)).expect("the sample") {
        let entry = entry.expect("entry");
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("copy");
    }
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let shop = db.collection("live").expect("the alias");
    assert_eq!(*shop.config(), config());
    let mut search = near(&[1.0, 0.0], 10);
    search.filter = Some(filter(json!("color = red AND stock > 1")));
    assert_eq!(found(&shop, &search), ["b", "c"]);
    assert_eq!(
        shop.get("a", true).expect("item").vectors["text"],
        [0.0, 0.6, 0.8]
    );
    let again = db.append_events(&[event()]).expect("events");
    assert_eq!(again[0].status, vitrine::schemas::EventStatus::Duplicate);
}

fn event() -> Event {
    let event = json!({"id": "1", "kind": "view", "collection": "shop", "user": "u", "items": ["a"], "ts": "2026-01-01T00:00:00Z"});
    serde_json::from_value(event).expect("an event")
}

#[test]
#[ignore = "writes the committed sample of the current format"]
fn make_sample() {
    let path = sample(1);
    let db = Database::open(&path, Options::default()).expect("open");
    let shop = db.create_collection("shop", config()).expect("create");
    put(
        &shop,
        &[
            json!({"id": "a", "title": "A", "vectors": {"shared": [1, 0], "text": [0, 3, 4]}}),
            json!({"id": "b", "attributes": {"color": "red", "stock": 2}, "vectors": {"shared": [2, 0]}}),
            json!({"id": "c", "attributes": {"color": ["red", "blue"], "stock": 3}, "vectors": {"shared": [3, 0]}}),
            json!({"id": "d", "attributes": {"color": "red", "stock": 1}, "vectors": {"shared": [0, 0]}}),
        ],
    );
    let set = AliasAction::Set {
        alias: "live".into(),
        collection: "shop".into(),
    };
    db.apply_aliases(&[set]).expect("alias");
    db.append_events(&[event()]).expect("events");
    db.flush().expect("flush");
    drop((shop, db));
    // Not data: caches, a lock, and what names this machine.
    for entry in std::fs::read_dir(&path).expect("folder") {
        let entry = entry.expect("entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().expect("type").is_dir() {
            std::fs::remove_dir_all(entry.path()).expect("remove");
        } else if ["LOCK", "LOG", "OPTIONS"]
            .iter()
            .any(|n| name.starts_with(n))
        {
            std::fs::remove_file(entry.path()).expect("remove");
        }
    }
}
