//! The publisher over a store in a folder, with another writer in it.

use vitrine::Options;

use super::*;
use crate::replication::{ReplicationSettings, claim};

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
