//! The publisher over a store in a folder, with another writer in it.

use vitrine::Options;

use super::*;
use crate::replication::{ReplicationSettings, RestoreAtArgs, claim, restore_at};

async fn writer(folder: &std::path::Path) -> Publisher {
    let (data, target) = (folder.join("data"), folder.join("store"));
    let target = target.to_string_lossy().into_owned();
    let store = StateStore::open(&target).unwrap();
    let claim = claim(&store, &data, false).await.unwrap();
    let options = Options {
        index_threads: 0,
        ..Options::default()
    };
    let database = Database::open(&data, options).unwrap();
    let served = Arc::new(Served::new(Arc::new(database)));
    let settings = ReplicationSettings {
        store: Some(target),
        ..ReplicationSettings::default()
    };
    let replication = Arc::new(Replication::new(settings));
    let mut writer = Publisher::new(store, claim, served, data, replication);
    assert_eq!(writer.step().await, Ok(Step::Done));
    writer
}

fn change(writer: &Publisher) {
    let config = serde_json::json!({"vectors": {"shared": {"dim": 2}}});
    let config = serde_json::from_value(config).unwrap();
    let database = writer.served.load();
    database.create_collection("shop", config).unwrap();
}

#[actix_web::test]
async fn a_writer_that_was_cut_off_is_overtaken_although_its_number_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path()).await;
    let last = writer.last.clone();
    // The earlier states of the other writer are removed.
    let other = State {
        number: last.number + 5,
        epoch: last.number + 1,
        ..last.clone()
    };
    assert!(writer.store.add(&other).await.unwrap());
    let overtaken = Ok(Step::Overtaken(other.epoch));
    assert_eq!(writer.step().await, overtaken);
    assert_eq!(writer.clean().await, overtaken);
    change(&writer);
    assert_eq!(writer.step().await, overtaken);
    let own = writer.store.read(last.number + 1).await;
    assert_eq!(own, Ok(None), "its late state is removed");
}

#[actix_web::test]
async fn a_state_whose_answer_was_lost_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path()).await;
    let next = State {
        number: writer.last.number + 1,
        ..writer.last.clone()
    };
    assert!(writer.store.add(&next).await.unwrap());
    writer.unconfirmed = Some(Unconfirmed {
        state: next.clone(),
        copied_bytes: 0,
        started: Instant::now(),
    });
    assert_eq!(writer.step().await, Ok(Step::Done));
    assert_eq!(writer.last, next);
    change(&writer);
    assert_eq!(writer.step().await, Ok(Step::Done));
    assert_eq!(writer.last.number, next.number + 1);
}

#[test]
fn the_history_keeps_one_state_per_minute() {
    let at = |seconds| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
    let states: Vec<_> = (0..100)
        .rev()
        .map(|n| (n as u64, at(10 * n as i64)))
        .collect();
    let (now, retain) = (at(1_000), Duration::from_secs(100));
    let old = outdated(&states, now, retain, TimeDelta::zero());
    assert_eq!(old, (0..90).rev().collect::<Vec<u64>>());
    let old = outdated(&states, now, retain, TimeDelta::seconds(400));
    let kept: Vec<u64> = (0..90).rev().filter(|n| !old.contains(n)).collect();
    // The last one is the database of the beginning of the history.
    assert_eq!(kept, [89, 83, 77, 71, 65, 59]);
    // Those that are kept stay when it looks again.
    let left: Vec<_> = states
        .iter()
        .filter(|(n, _)| !old.contains(n))
        .copied()
        .collect();
    assert!(outdated(&left, now, retain, TimeDelta::seconds(400)).is_empty());
}

#[actix_web::test]
async fn the_database_is_restored_as_of_an_earlier_time() {
    let folder = tempfile::tempdir().unwrap();
    let before = Utc::now();
    let mut writer = writer(folder.path()).await;
    change(&writer);
    let database = writer.served.load();
    let shop = database.collection("shop").unwrap();
    let mut times = Vec::new();
    for id in ["a", "b", "c"] {
        let item = serde_json::json!({"id": id, "title": "Kettle", "vectors": {"shared": [1, 0]}});
        shop.upsert(vec![serde_json::from_value(item).unwrap()])
            .unwrap();
        assert_eq!(writer.step().await, Ok(Step::Done));
        times.push(Utc::now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let restore = |at, name: &str| {
        restore_at(RestoreAtArgs {
            store: folder.path().join("store").to_string_lossy().into_owned(),
            at,
            data_dir: folder.path().join(name),
            erasures_from: None,
        })
    };
    for (count, at) in (1..).zip(&times) {
        let name = format!("restored-{count}");
        let told = restore(*at, &name).await.unwrap();
        assert!(told.contains("--erasures-from"), "{told}");
        let restored = Database::open(&folder.path().join(&name), Options::default()).unwrap();
        let items = restored.collection("shop").unwrap().count(None).unwrap();
        assert_eq!(items, count);
    }
    let refused = restore(before, "early").await.unwrap_err();
    assert!(refused.contains("its oldest one is of"), "{refused}");
    let refused = restore(times[0], "restored-1").await.unwrap_err();
    assert!(refused.contains("not empty"), "{refused}");
}
