//! Snapshots: consistent under load, incremental, checked, equal when restored.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use vitrine::{Database, Options, Subject, schemas::Item};
use vitrine_server::{
    auth::{Action, Key, Keys},
    backup::{
        BackupSettings, Erasure, Repository, create, prune_snapshots, replay, restore_snapshot,
        verify_snapshot,
    },
};

use crate::harness::{self, Setup};

fn options() -> Options {
    Options {
        index_threads: 0,
        ..Options::default()
    }
}

fn item(value: Value) -> Item {
    serde_json::from_value(value).expect("an item")
}

/// Writes items of a round, with texts that compression does not shorten.
fn write(db: &Database, collection: &str, round: usize, items: std::ops::Range<usize>) {
    let collection = db.collection(collection).expect("collection");
    let make = |n: usize| {
        let noise: String = (0..30)
            .map(|k| {
                format!(
                    "{:x}",
                    (n * 31 + k * 7 + round).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                )
            })
            .collect();
        item(json!({
            "id": format!("i{n}"), "title": format!("item {n} of round {round}"), "description": noise,
            "attributes": {"round": round}, "vectors": {"shared": [1 + n, round]},
        }))
    };
    for chunk in items.collect::<Vec<_>>().chunks(500) {
        let items = chunk.iter().map(|n| make(*n)).collect();
        let written = collection.upsert(items).expect("write");
        assert!(written.iter().all(Result::is_ok));
    }
}

fn database(folder: &Path) -> Arc<Database> {
    let db = Database::open(folder, options()).expect("open");
    let config = json!({"attributes": {"round": "integer"}, "vectors": {"shared": {"dim": 2}}});
    for name in ["shop", "other"] {
        let config = serde_json::from_value(config.clone()).expect("config");
        db.create_collection(name, config).expect("create");
    }
    Arc::new(db)
}

/// Everything that can be read of a database, by key.
fn content(db: &Database) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for info in db.collections() {
        let collection = db.collection(&info.name).expect("collection");
        let ids: Vec<_> = (0..20_000).map(|n| format!("i{n}")).collect();
        for id in ids {
            if let Ok(item) = collection.get(&id, true) {
                let value = serde_json::to_value(&item).expect("JSON");
                all.insert(format!("{}/{id}", info.name), value);
            }
        }
        let settings = json!({"config": info.config, "aliases": info.aliases, "items": info.items});
        all.insert(format!("{} itself", info.name), settings);
        all.insert(format!("{} events", info.name), json!(info.events.touches));
    }
    all
}

struct Folders {
    _dir: tempfile::TempDir,
    data: PathBuf,
    target: PathBuf,
    restored: PathBuf,
}

fn folders() -> Folders {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name| dir.path().join(name);
    Folders {
        data: at("data"),
        target: at("backups"),
        restored: at("restored"),
        _dir: dir,
    }
}

fn repository(folders: &Folders) -> Repository {
    Repository::open(folders.target.to_str().expect("UTF-8")).expect("a target")
}

#[actix_web::test]
async fn a_restored_snapshot_equals_the_database() {
    let folders = folders();
    let db = database(&folders.data);
    write(&db, "shop", 1, 0..2_000);
    write(&db, "other", 2, 0..300);
    db.optimize("shop").expect("optimize");
    let events: Vec<_> = (0..200)
        .map(|n| json!({"kind": "view", "collection": "shop", "user": format!("u{}", n % 7), "items": [format!("i{n}")]}))
        .map(|event| serde_json::from_value(event).expect("event"))
        .collect();
    db.append_events(&events).expect("events");
    db.collection("shop")
        .expect("shop")
        .train(&Default::default())
        .expect("train");
    let target = repository(&folders);
    let made = create(db.clone(), &target, "first".into())
        .await
        .expect("snapshot");
    // Files of the same content, as in two empty full-text segments, are copied once.
    assert!(made.copied_bytes <= made.bytes && made.copied_bytes * 10 > made.bytes * 9);
    let expected = content(&db);
    // A later write is in no earlier snapshot.
    write(&db, "shop", 9, 5_000..5_010);

    verify_snapshot(&target, None)
        .await
        .expect("a whole snapshot");
    restore_snapshot(&target, Some("first"), &folders.restored)
        .await
        .expect("restored");
    let restored = Database::open(&folders.restored, options()).expect("open");
    assert_eq!(restored.health().lost_operations, 0);
    assert_eq!(restored.id(), db.id());
    let found = content(&restored);
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "the content differs");
    assert!(restored.info("shop").expect("info").indexes["shared"].sealed > 0);
    let models = restored.collection("shop").expect("shop").models();
    assert_eq!(models.models.len(), 1);

    let refused = restore_snapshot(&target, None, &folders.restored).await;
    assert!(
        refused
            .expect_err("a folder with data")
            .contains("not empty")
    );
}

#[actix_web::test]
async fn unchanged_files_are_not_copied_again_and_old_snapshots_are_forgotten() {
    let folders = folders();
    let db = database(&folders.data);
    write(&db, "shop", 1, 0..4_000);
    db.optimize("shop").expect("optimize");
    let target = repository(&folders);
    let first = create(db.clone(), &target, "a".into())
        .await
        .expect("snapshot");
    write(&db, "shop", 2, 0..40);
    let second = create(db.clone(), &target, "b".into())
        .await
        .expect("snapshot");
    assert!(
        second.copied_bytes * 10 < first.bytes,
        "{} of {} bytes are copied after a change of 1 %",
        second.copied_bytes,
        first.bytes
    );
    assert_eq!(prune_snapshots(&target, 1).await.expect("forget"), 1);
    assert_eq!(target.ids().await.expect("ids"), ["b"]);
    let left: u64 = target.objects().await.expect("objects").values().sum();
    assert!(
        left <= second.bytes,
        "{left} bytes for a snapshot of {}",
        second.bytes
    );
    verify_snapshot(&target, Some("b"))
        .await
        .expect("the newest is whole");
}

#[actix_web::test]
async fn every_damage_of_a_snapshot_is_told() {
    let folders = folders();
    let db = database(&folders.data);
    write(&db, "shop", 1, 0..1_000);
    let target = repository(&folders);
    create(db, &target, "a".into()).await.expect("snapshot");
    let mut files = Vec::new();
    let mut inner = vec![folders.target.clone()];
    while let Some(folder) = inner.pop() {
        for entry in fs::read_dir(folder).expect("folder").flatten() {
            match entry.path().is_dir() {
                true => inner.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    assert!(files.len() > 8, "{}", files.len());
    for file in files {
        let whole = fs::read(&file).expect("read");
        let mut flipped = whole.clone();
        if let Some(byte) = flipped.get_mut(whole.len() / 2) {
            *byte ^= 1;
        }
        let half = whole[..whole.len() / 2].to_vec();
        for damaged in [flipped, half] {
            if damaged == whole {
                continue;
            }
            fs::write(&file, &damaged).expect("write");
            let verified = verify_snapshot(&target, Some("a")).await;
            assert!(verified.is_err(), "{}", file.display());
        }
        fs::remove_file(&file).expect("remove");
        let verified = verify_snapshot(&target, Some("a")).await;
        assert!(verified.is_err(), "{} is missing", file.display());
        fs::write(&file, whole).expect("write");
    }
    verify_snapshot(&target, Some("a"))
        .await
        .expect("whole again");
}

#[actix_web::test]
async fn a_snapshot_under_load_has_every_acknowledged_write_and_none_in_part() {
    let folders = folders();
    let db = database(&folders.data);
    let (stop, rounds) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (writing, stopped, counted) = (db.clone(), stop.clone(), rounds.clone());
    // One writer: round n is written to both items in one batch, and acknowledged in `rounds`.
    let writer = std::thread::spawn(move || {
        for round in 1.. {
            write(&writing, "shop", round, 0..2);
            counted.store(round, Relaxed);
            write(
                &writing,
                "other",
                round,
                (round * 20) % 10_000..(round * 20) % 10_000 + 20,
            );
            if stopped.load(Relaxed) {
                break;
            }
        }
    });
    let target = repository(&folders);
    for n in 0..3 {
        while rounds.load(Relaxed) < 20 * (n + 1) {
            std::thread::yield_now();
        }
        let before = rounds.load(Relaxed);
        let id = format!("under-load-{n}");
        create(db.clone(), &target, id.clone())
            .await
            .expect("snapshot");
        let folder = folders.restored.join(&id);
        restore_snapshot(&target, Some(&id), &folder)
            .await
            .expect("restored");
        let restored = Database::open(&folder, options()).expect("open");
        assert_eq!(restored.health().lost_operations, 0);
        let shop = restored.collection("shop").expect("shop");
        let round = |id| shop.get(id, true).expect("item").attributes["round"].clone();
        assert_eq!(round("i0"), round("i1"), "a batch in part");
        let found = serde_json::to_value(round("i0")).expect("JSON");
        let found = found.as_u64().expect("a number") as usize;
        assert!(found >= before, "round {found}, acknowledged {before}");
        restored.verify().expect("every block can be read");
    }
    stop.store(true, Relaxed);
    writer.join().expect("the writer");
    assert!(
        !folders
            .data
            .join("checkpoints")
            .join("under-load-0")
            .exists()
    );
}

#[actix_web::test]
async fn snapshots_are_made_and_listed_by_an_administrator_of_everything() {
    let folders = folders();
    let (write_key, writer) =
        Key::create("w".into(), vec![Action::Write], vec!["*".into()]).expect("key");
    let (admin_key, admin) =
        Key::create("a".into(), vec![Action::Admin], vec!["*".into()]).expect("key");
    let api = harness::with(Setup {
        keys: Keys {
            keys: vec![write_key, admin_key],
        },
        backup: BackupSettings {
            target: Some(folders.target.to_str().expect("UTF-8").into()),
            ..BackupSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let post = |key: &str| {
        harness::request("POST", "/v1/snapshots", &Value::Null)
            .insert_header(("authorization", format!("Bearer {key}")))
    };
    api.send(post(&writer)).await.problem(403, "forbidden");
    let made = api.send(post(&admin)).await.ok();
    assert_eq!(made["state"], "complete", "{made}");
    let list = harness::request("GET", "/v1/snapshots", &Value::Null)
        .insert_header(("authorization", format!("Bearer {admin}")));
    let listed = api.send(list).await.ok();
    assert_eq!(listed["snapshots"][0]["id"], made["id"], "{listed}");
    let id = made["id"].as_str().expect("an id");
    let delete = |key: &str, id: &str| {
        harness::request("DELETE", &format!("/v1/snapshots/{id}"), &Value::Null)
            .insert_header(("authorization", format!("Bearer {key}")))
    };
    api.send(delete(&writer, id))
        .await
        .problem(403, "forbidden");
    let unknown = api.send(delete(&admin, "20270131t120000000-0")).await;
    unknown.problem(404, "snapshot_not_found");
    assert_eq!(api.send(delete(&admin, id)).await.status, 204);
    let again = api.send(delete(&admin, id)).await;
    again.problem(404, "snapshot_not_found");
    let repository = Repository::open(folders.target.to_str().expect("UTF-8")).expect("opened");
    assert!(repository.ids().await.expect("listed").is_empty());
    assert!(repository.objects().await.expect("listed").is_empty());
}

#[actix_web::test]
async fn a_snapshot_without_a_target_names_the_setting() {
    let api = harness::api().await;
    let answer = api
        .send(harness::request("POST", "/v1/snapshots", &Value::Null))
        .await;
    let problem = answer.problem(409, "no_backup_target");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap_or_default()
            .contains("backup.target")
    );
}

#[actix_web::test]
async fn a_restored_snapshot_forgets_who_was_erased_since() {
    let folders = folders();
    let db = database(&folders.data);
    write(&db, "shop", 1, 0..10);
    let view = |user: &str| json!({"kind": "view", "collection": "shop", "user": user, "session": format!("of {user}"), "items": ["i1"]});
    let events: Vec<_> = ["before", "since", "never"]
        .map(|user| serde_json::from_value(view(user)).expect("event"))
        .into();
    db.append_events(&events).expect("events");
    let target = repository(&folders);
    let shop = [db.collection("shop").expect("shop")];
    let before = Subject::User("before".into());
    target
        .write_erasure(&Erasure::now(db.id(), &before))
        .await
        .expect("written");
    db.erase(&before, &shop).expect("erased");
    let made = create(db.clone(), &target, "one".into())
        .await
        .expect("snapshot");
    for subject in [
        Subject::User("since".into()),
        Subject::Session("of never".into()),
    ] {
        let erasure = Erasure::now(db.id(), &subject);
        assert!(
            !format!("{erasure:?}").contains("since"),
            "a hash: {erasure:?}"
        );
        target.write_erasure(&erasure).await.expect("written");
        db.erase(&subject, &shop).expect("erased");
    }
    let foreign = Erasure::now("another database", &Subject::User("never".into()));
    target.write_erasure(&foreign).await.expect("written");

    restore_snapshot(&target, None, &folders.restored)
        .await
        .expect("restored");
    let erased = replay(&target, &made, &folders.restored).await;
    assert_eq!(erased.expect("replayed"), 2);
    let restored = Database::open(&folders.restored, options()).expect("open");
    let users = |user: &str| {
        let shop = [restored.collection("shop").expect("shop")];
        let subject = Subject::User(user.into());
        restored
            .erase(&subject, &shop)
            .expect("erased")
            .events
            .get("shop")
            .copied()
    };
    assert_eq!((users("since"), users("before")), (None, None));
}
