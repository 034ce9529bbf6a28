//! Acknowledged writes survive a restart; foreign directories are refused.

use vitrine::{
    Database, Error, Options,
    schemas::{CollectionConfig, Item, Metric, Quantization, VectorSpace},
};

fn config() -> CollectionConfig {
    let space = VectorSpace {
        quantization: Quantization::default(),
        dim: 2,
        metric: Metric::L2,
    };
    CollectionConfig {
        vectors: [("shared".to_string(), space)].into(),
        ..Default::default()
    }
}

#[test]
fn acknowledged_items_survive_a_restart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let c = db.create_collection("shoes", config()).expect("create");
    let item = Item {
        id: "a".into(),
        vectors: [("shared".to_string(), vec![1.0, 2.0])].into(),
        ..Default::default()
    };
    c.upsert(vec![item.clone()]).expect("write")[0]
        .as_ref()
        .expect("accepted");
    drop((c, db));
    let db = Database::open(dir.path(), Options::default()).expect("reopen");
    assert_eq!(
        db.collection("shoes")
            .expect("there")
            .get("a", true)
            .expect("item"),
        item
    );
}

#[test]
fn another_format_is_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("VITRINE_FORMAT"), "99\n").expect("write");
    let error = Database::open(dir.path(), Options::default()).err();
    assert!(
        matches!(error, Some(Error::UnsupportedFormat { .. })),
        "{error:?}"
    );
}
