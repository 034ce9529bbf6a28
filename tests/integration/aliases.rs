//! Collections by name and by alias; schemas that grow.

use serde_json::json;
use vitrine::{
    Error,
    schemas::{AliasAction, CollectionPatch},
};

use crate::support::{Fixture, config, item, messages, put};

fn set(alias: &str, collection: &str) -> AliasAction {
    AliasAction::Set {
        alias: alias.into(),
        collection: collection.into(),
    }
}

#[test]
fn aliases_swap_in_one_step_or_not_at_all() {
    let fixture = Fixture::new();
    let (db, _) = (&fixture.db, fixture.shop());
    db.create_collection("shop-2", config()).unwrap();
    db.apply_aliases(&[set("live", "shop")]).unwrap();
    assert_eq!(db.collection("live").unwrap().name(), "shop");
    let half_wrong = [set("live", "shop-2"), set("other", "none")];
    assert!(matches!(
        db.apply_aliases(&half_wrong),
        Err(Error::CollectionNotFound(_))
    ));
    assert_eq!(
        db.collection("live").unwrap().name(),
        "shop",
        "nothing of it was done"
    );
    db.apply_aliases(&[set("live", "shop-2")]).unwrap();
    assert_eq!(db.collection("live").unwrap().name(), "shop-2");
    assert!(matches!(
        db.apply_aliases(&[set("shop", "shop-2")]),
        Err(Error::AlreadyExists(_))
    ));
    assert!(matches!(
        db.create_collection("live", config()),
        Err(Error::AlreadyExists(_))
    ));
    db.drop_collection("shop-2").unwrap();
    assert!(db.aliases().is_empty());
    assert!(matches!(
        db.collection("live"),
        Err(Error::CollectionNotFound(_))
    ));
}

#[test]
fn creating_again_is_no_error_and_another_shape_is() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(&shop, &[json!({"id": "a"})]);
    assert_eq!(fixture.shop().count(None).unwrap(), 1);
    let mut other = config();
    other.attributes.clear();
    assert!(matches!(
        fixture.db.create_collection("shop", other),
        Err(Error::AlreadyExists(_))
    ));
    for name in ["", "Shop", "-shop", "a b", &"x".repeat(65)] {
        assert!(
            messages(&fixture.db.create_collection(name, config()).err().unwrap())
                .starts_with("/name")
        );
    }
}

#[test]
fn schemas_grow_and_never_change() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(&shop, &[json!({"id": "a", "vectors": {"shared": [1, 2]}})]);
    let patch = |value| serde_json::from_value::<CollectionPatch>(value).unwrap();
    let more = patch(json!({"attributes": {"size": "keyword"}, "vectors": {"image": {"dim": 2}}}));
    fixture.db.patch_collection("shop", more).unwrap();
    put(
        &shop,
        &[json!({"id": "b", "attributes": {"size": "L"}, "vectors": {"image": [1, 0]}})],
    );
    let retyped = patch(json!({"attributes": {"color": "integer"}}));
    let error = fixture.db.patch_collection("shop", retyped).err().unwrap();
    assert!(messages(&error).starts_with("/attributes/color"), "{error}");
    let reshaped = patch(json!({"vectors": {"shared": {"dim": 9}}}));
    let error = fixture.db.patch_collection("shop", reshaped).err().unwrap();
    assert!(messages(&error).starts_with("/vectors/shared"), "{error}");
    assert_eq!(fixture.db.info("shop").unwrap().vector_counts["image"], 1);
}

#[test]
fn a_dropped_collection_takes_no_more_writes_and_leaves_nothing() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(&shop, &[json!({"id": "a", "vectors": {"shared": [1, 2]}})]);
    fixture.db.drop_collection("shop").unwrap();
    let late = shop.upsert(vec![item(json!({"id": "b"}))]);
    assert!(matches!(late, Err(Error::CollectionNotFound(_))));
    assert!(matches!(
        fixture.db.drop_collection("shop"),
        Err(Error::CollectionNotFound(_))
    ));
    assert_eq!(fixture.shop().count(None).unwrap(), 0);
}
