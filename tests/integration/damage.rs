//! Damaged data directories: what is missing is told or refused, never served in silence.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;
use vitrine::{Database, Options, schemas::CollectionConfig};

use crate::support::item;

/// Options without maintenance, so that a directory is what the test made it.
fn options() -> Options {
    Options {
        index_threads: 0,
        ..Options::default()
    }
}

fn config() -> CollectionConfig {
    serde_json::from_value(json!({"vectors": {"shared": {"dim": 2}}})).expect("a config")
}

fn open(folder: &Path) -> vitrine::Result<Database> {
    Database::open(folder, options())
}

/// Writes items one by one, with descriptions that compression does not shorten.
fn write(db: &Database, collection: &str, items: usize) {
    let collection = db
        .collection(collection)
        .or_else(|_| db.create_collection(collection, config()))
        .expect("collection");
    for n in 0..items {
        let noise: String = (0..40)
            .map(|k| {
                format!(
                    "{:x}",
                    (n * 7919 + k * 104_729).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                )
            })
            .collect();
        let value =
            json!({"id": format!("i{n}"), "description": noise, "vectors": {"shared": [1, n]}});
        let written = collection.upsert(vec![item(value)]).expect("write");
        assert!(written.iter().all(Result::is_ok));
    }
}

/// Copies a directory as it is: the image that kill -9 leaves.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("temporary folder");
    copy_into(from, to.path());
    to
}

/// Returns a copy of a directory with so many items that is in use, as of a process that died.
fn copy_in_use(items: usize) -> tempfile::TempDir {
    let live = tempfile::tempdir().expect("temporary folder");
    let db = open(live.path()).expect("open");
    write(&db, "shop", items);
    copy(live.path())
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("folder").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).map_or(0, |m| m.len())));
    files
}

fn cut(file: &Path, share: f64) {
    let bytes = fs::metadata(file).expect("file").len();
    let file = fs::OpenOptions::new().write(true).open(file).expect("file");
    file.set_len((bytes as f64 * share) as u64).expect("cut");
}

fn flip(file: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(file).expect("file");
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(file, bytes).expect("file");
}

/// A directory with two collections, several tables and a clean stop after each step.
fn stopped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (collection, items) in [("first", 400), ("second", 400), ("second", 50)] {
        let db = open(dir.path()).expect("open");
        write(&db, collection, items);
        db.close().expect("close");
    }
    dir
}

#[test]
fn a_manifest_that_was_cut_short_is_refused_and_keeps_the_tables() {
    let whole = stopped();
    let tables = files(whole.path(), ".sst").len();
    assert!(tables > 2, "{tables} tables");
    for share in [0.0, 0.25, 0.5, 0.75, 0.95, 0.99] {
        let dir = copy(whole.path());
        let manifest = fs::read_to_string(dir.path().join("CURRENT")).expect("CURRENT");
        cut(&dir.path().join(manifest.trim()), share);
        let error = open(dir.path())
            .err()
            .expect("a damaged directory is refused");
        assert_eq!(error.code(), "damaged_directory", "{share}: {error}");
        assert_eq!(files(dir.path(), ".sst").len(), tables, "{share}");
    }
    let db = open(whole.path()).expect("the whole directory opens");
    assert_eq!(db.health().lost_operations, 0);
}

#[test]
fn a_manifest_that_was_cut_short_is_refused_without_the_sequence_file_too() {
    let whole = stopped();
    for share in [0.5, 0.75] {
        let dir = copy(whole.path());
        fs::remove_file(dir.path().join("VITRINE_SEQUENCE")).expect("sequence file");
        let manifest = fs::read_to_string(dir.path().join("CURRENT")).expect("CURRENT");
        cut(&dir.path().join(manifest.trim()), share);
        let error = open(dir.path())
            .err()
            .expect("a damaged directory is refused");
        assert_eq!(error.code(), "damaged_directory", "{share}: {error}");
    }
}

#[test]
fn files_of_an_unknown_collection_are_told_but_not_those_of_a_dropped_one() {
    let dir = stopped();
    let db = open(dir.path()).expect("open");
    db.drop_collection("first").expect("drop");
    db.close().expect("close");
    drop(db);
    fs::write(dir.path().join("states/00000000.state"), "left over").expect("file");
    drop(open(dir.path()).expect("a dropped collection may leave files"));
    fs::write(dir.path().join("states/00000009.state"), "unknown").expect("file");
    let error = open(dir.path()).err().expect("refused").to_string();
    assert!(error.contains("states/00000009.state"), "{error}");
}

#[test]
fn a_store_of_another_database_is_refused() {
    let (one, other) = (stopped(), stopped());
    let id = fs::read(other.path().join("VITRINE_ID")).expect("id");
    fs::write(one.path().join("VITRINE_ID"), id).expect("id");
    let error = open(one.path()).err().expect("refused");
    assert_eq!(error.code(), "damaged_directory", "{error}");
}

#[test]
fn every_damage_of_the_log_is_told() {
    let image = copy_in_use(300);
    let log = files(image.path(), ".log").remove(0);
    let name = log.file_name().expect("name").to_owned();
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("flip early", |f| flip(f, |_| 40)),
        ("flip middle", |f| flip(f, |n| n / 2)),
        ("flip late", |f| flip(f, |n| n - 30)),
        ("cut", |f| cut(f, 0.5)),
        ("emptied", |f| cut(f, 0.0)),
        ("removed", |f| fs::remove_file(f).expect("remove")),
    ];
    for (damage, apply) in damages {
        let dir = copy(image.path());
        apply(&dir.path().join(&name));
        match open(dir.path()) {
            Ok(db) => {
                assert!(db.health().lost_operations > 0, "{damage}: lost in silence");
                let kept = dir.path().join("damaged");
                assert!(kept.is_dir(), "{damage}: the log is not kept");
            }
            Err(e) => assert_eq!(e.code(), "damaged_directory", "{damage}: {e}"),
        }
    }
    let db = open(image.path()).expect("a whole log opens");
    assert_eq!(db.health().lost_operations, 0);
    assert_eq!(db.info("shop").expect("info").items, 300);
}

#[test]
fn a_loss_is_told_once() {
    let image = copy_in_use(20);
    cut(&files(image.path(), ".log")[0], 0.8);
    let db = open(image.path()).expect("open");
    assert!(db.health().lost_operations > 0);
    write(&db, "shop", 5);
    drop(db);
    let db = open(image.path()).expect("open");
    assert_eq!(db.health().lost_operations, 0);
}

#[test]
fn a_damaged_table_closes_its_collection_and_others_answer() {
    let dir = stopped();
    let db = open(dir.path()).expect("open");
    assert!(db.verify().expect("whole") > 800);
    drop(db);
    // The largest table is that of the items of `first`, or of `second`, alone.
    fs::remove_dir_all(dir.path().join("states")).expect("states");
    let table = files(dir.path(), ".sst").remove(0);
    flip(&table, |n| n / 2);
    let db = open(dir.path()).expect("one damaged collection does not stop the others");
    let damaged = db.health().damaged;
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    for name in ["first", "second"] {
        match db.collection(name) {
            Ok(_) => assert!(!damaged.contains_key(name)),
            Err(e) => assert_eq!(e.code(), "collection_damaged", "{e}"),
        }
    }
    let error = db.verify().expect_err("a damaged block is found");
    assert_eq!(error.code(), "damaged", "{error}");
    assert!(error.to_string().contains(".sst"), "{error}");
    let (name, _) = damaged.first_key_value().expect("a damaged collection");
    db.drop_collection(name)
        .expect("a damaged collection can be dropped");
    db.create_collection(name, config()).expect("and made anew");
}

#[test]
fn a_damaged_block_is_not_taken_for_a_lock() {
    let dir = stopped();
    for table in files(dir.path(), ".sst") {
        flip(&table, |n| n / 2);
        // The properties and the index are near the end.
        flip(&table, |n| n - 200);
    }
    if let Err(error) = open(dir.path()) {
        assert_eq!(error.code(), "damaged_directory", "{error}");
        assert!(!error.to_string().contains("in use"), "{error}");
    }
}

#[test]
fn a_second_opening_is_refused_as_such_even_without_the_lock_file() {
    let dir = stopped();
    let _db = open(dir.path()).expect("open");
    fs::remove_file(dir.path().join("LOCK")).expect("LOCK");
    let error = open(dir.path()).err().expect("refused");
    assert_eq!(error.code(), "locked", "{error}");
}

#[test]
fn a_damaged_format_file_is_told_as_that() {
    let dir = stopped();
    for content in ["", "\u{1}\n", "1\u{1a}"] {
        fs::write(dir.path().join("VITRINE_FORMAT"), content).expect("format file");
        let error = open(dir.path()).err().expect("refused");
        assert_eq!(error.code(), "damaged_directory", "{error}");
        assert!(error.to_string().contains("VITRINE_FORMAT"), "{error}");
    }
}

#[test]
fn a_creation_that_was_interrupted_is_finished() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for name in ["VITRINE_NEW", "VITRINE_FORMAT"] {
        fs::write(
            dir.path().join(name),
            if name.ends_with("NEW") { "" } else { "1\n" },
        )
        .expect("file");
        drop(open(dir.path()).expect("a new directory"));
        assert!(!dir.path().join("VITRINE_NEW").exists());
        for entry in fs::read_dir(dir.path()).expect("folder").flatten() {
            let path = entry.path();
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.expect("remove");
        }
        fs::write(dir.path().join("VITRINE_NEW"), "").expect("file");
    }
}

#[test]
fn a_new_directory_is_private_and_a_clean_stop_leaves_no_log() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let folder = dir.path().join("data");
    let db = open(&folder).expect("open");
    write(&db, "shop", 50);
    db.close().expect("close");
    drop(db);
    let mode = |path: &Path| fs::metadata(path).expect("folder").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("states")), 0o700);
    let logs = files(&folder, ".log");
    let bytes: u64 = logs
        .iter()
        .map(|f| fs::metadata(f).map_or(0, |m| m.len()))
        .sum();
    assert!(bytes < 1000, "{bytes} bytes of the log are left");
}

#[test]
fn a_repair_brings_back_what_can_be_read() {
    let whole = stopped();
    for share in [0.0, 0.5, 0.95] {
        let dir = copy(whole.path());
        let manifest = fs::read_to_string(dir.path().join("CURRENT")).expect("CURRENT");
        cut(&dir.path().join(manifest.trim()), share);
        assert!(open(dir.path()).is_err());
        Database::repair(dir.path()).expect("repaired");
        let db = open(dir.path()).expect("open");
        for name in ["first", "second"] {
            assert_eq!(db.info(name).expect("info").items, 400, "{share}");
        }
    }
}

#[test]
fn a_repair_of_a_damaged_table_keeps_the_other_collections() {
    let dir = stopped();
    let table = files(dir.path(), ".sst").remove(0);
    cut(&table, 0.5);
    assert!(
        open(dir.path()).is_err() || !open(dir.path()).expect("open").health().damaged.is_empty()
    );
    Database::repair(dir.path()).expect("repaired");
    let db = open(dir.path()).expect("open");
    let items = |name| db.info(name).map_or(0, |info| info.items);
    assert!(items("first").max(items("second")) == 400);
    db.verify().expect("every block can be read");
}
