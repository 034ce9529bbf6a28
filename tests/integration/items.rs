//! Writing and reading items: what is taken, what is refused and why.

use serde_json::json;
use vitrine::{
    Error,
    schemas::{ItemPatch, WriteStatus},
};

use crate::support::{Fixture, filter, item, messages, put};

#[test]
fn a_write_answers_item_by_item() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(&shop, &[json!({"id": "a", "title": "old"})]);
    let outcomes = shop
        .upsert(vec![
            item(json!({"id": "a", "title": "new"})),
            item(json!({"id": "b", "vectors": {"shared": [1.0]}})),
            item(json!({"id": "c"})),
            item(json!({"id": "c", "title": "the later one wins"})),
        ])
        .unwrap();
    assert_eq!(*outcomes[0].as_ref().unwrap(), WriteStatus::Updated);
    assert!(messages(outcomes[1].as_ref().unwrap_err()).contains("/vectors/shared expected"));
    assert_eq!(*outcomes[2].as_ref().unwrap(), WriteStatus::Created);
    assert_eq!(*outcomes[3].as_ref().unwrap(), WriteStatus::Updated);
    assert_eq!(shop.count(None).unwrap(), 2);
    assert_eq!(shop.get("a", false).unwrap().title.as_deref(), Some("new"));
    assert_eq!(
        shop.get("c", false).unwrap().title.as_deref(),
        Some("the later one wins")
    );
}

#[test]
fn refusals_name_the_field_and_the_mend() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let long = "x".repeat(64 * 1024 + 1);
    for (bad, place, word) in [
        (json!({"id": ""}), "/id", "empty"),
        (json!({"id": "x".repeat(513)}), "/id", "512"),
        (json!({"id": "a", "title": long}), "/title", "65536"),
        (
            json!({"id": "a", "price": {"amount": -1.0}}),
            "/price/amount",
            "0 or more",
        ),
        (
            json!({"id": "a", "created_at": "yesterday"}),
            "/created_at",
            "2026-01-31T12:00:00Z",
        ),
        (
            json!({"id": "a", "attributes": {"size": "L"}}),
            "/attributes/size",
            "color",
        ),
        (
            json!({"id": "a", "attributes": {"stock": "many"}}),
            "/attributes/stock",
            "64-bit integer",
        ),
        (
            json!({"id": "a", "vectors": {"shared": [1, 2, 3]}}),
            "/vectors/shared",
            "expected 2 components, got 3",
        ),
        (
            json!({"id": "a", "vectors": {"sound": [1, 2]}}),
            "/vectors/sound",
            "shared, text",
        ),
        (
            json!({"id": "a", "vectors": {"text": [0, 0, 0]}}),
            "/vectors/text",
            "zero",
        ),
    ] {
        let outcome = shop.upsert(vec![item(bad.clone())]).unwrap().remove(0);
        let text = messages(&outcome.unwrap_err());
        assert!(
            text.starts_with(place) && text.contains(word),
            "{bad}: {text}"
        );
    }
    let mut nan = item(json!({"id": "a", "vectors": {"shared": [1, 2]}}));
    nan.vectors.insert("shared".into(), vec![1.0, f32::NAN]);
    let text = messages(&shop.upsert(vec![nan]).unwrap().remove(0).unwrap_err());
    assert!(
        text.starts_with("/vectors/shared/1 must be a finite"),
        "{text}"
    );
    assert_eq!(shop.count(None).unwrap(), 0);
}

#[test]
fn vectors_of_another_encoder_are_refused() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let stranger =
        item(json!({"id": "a", "vectors": {"shared": [1, 2]}, "fingerprint": "encoder-2"}));
    let outcome = shop.upsert(vec![stranger]).unwrap().remove(0);
    assert!(
        matches!(outcome, Err(Error::FingerprintMismatch { .. })),
        "{outcome:?}"
    );
    let friend =
        item(json!({"id": "a", "vectors": {"shared": [1, 2]}, "fingerprint": "encoder-1"}));
    assert!(shop.upsert(vec![friend]).unwrap().remove(0).is_ok());
}

#[test]
fn a_patch_changes_what_it_names() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    put(
        &shop,
        &[json!({
            "id": "a", "title": "t", "brand": "b", "attributes": {"color": "red", "stock": 3}, "vectors": {"shared": [1, 2]}
        })],
    );
    let patch = |value: serde_json::Value| -> ItemPatch { value.as_object().unwrap().clone() };
    let after = shop
        .patch(
            "a",
            &patch(json!({"brand": null, "attributes": {"stock": 4, "color": null}})),
        )
        .unwrap();
    assert_eq!((after.title.as_deref(), after.brand), (Some("t"), None));
    assert_eq!(
        serde_json::Value::Object(after.attributes),
        json!({"stock": 4})
    );
    assert_eq!(shop.count(Some(&filter(json!("stock = 4")))).unwrap(), 1);
    assert_eq!(shop.count(Some(&filter(json!("color EXISTS")))).unwrap(), 0);
    let after = shop
        .patch("a", &patch(json!({"vectors": {"text": [0, 3, 4]}})))
        .unwrap();
    assert_eq!(after.vectors["shared"], [1.0, 2.0]);
    assert_eq!(
        shop.get("a", true).unwrap().vectors["text"],
        [0.0, 0.6, 0.8]
    );

    let error = shop.patch("a", &patch(json!({"id": "b"}))).unwrap_err();
    assert!(messages(&error).starts_with("/id"), "{error}");
    let error = shop.patch("a", &patch(json!({"colr": "red"}))).unwrap_err();
    assert!(messages(&error).contains("colr"), "{error}");
    assert!(matches!(
        shop.patch("none", &patch(json!({}))),
        Err(Error::ItemNotFound(_))
    ));
}

#[test]
fn deletes_by_id_and_by_filter() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for n in 0..10 {
        put(
            &shop,
            &[json!({"id": format!("{n}"), "attributes": {"stock": n}})],
        );
    }
    assert_eq!(
        shop.delete(&["3".into(), "3".into(), "none".into()])
            .unwrap(),
        1
    );
    assert!(matches!(shop.get("3", false), Err(Error::ItemNotFound(_))));
    assert_eq!(
        shop.delete_matching(&filter(json!("stock >= 5"))).unwrap(),
        5
    );
    assert_eq!(shop.count(None).unwrap(), 4);
    for empty in [json!(" "), json!({}), json!({"must": []})] {
        assert!(
            messages(&shop.delete_matching(&filter(empty)).unwrap_err()).contains("everything")
        );
    }
    assert_eq!(shop.count(None).unwrap(), 4);
}

#[test]
fn scroll_gives_every_item_once() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for n in 0..23 {
        put(
            &shop,
            &[json!({"id": format!("{n:02}"), "attributes": {"sale": n % 2 == 0}})],
        );
    }
    let on_sale = filter(json!({"must": [{"key": "sale", "match": {"value": true}}]}));
    for (filter, total) in [(None, 23), (Some(&on_sale), 12)] {
        let (mut ids, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let (page, next) = shop.scroll(filter, 5, cursor.as_deref(), false).unwrap();
            ids.extend(page.into_iter().map(|item| item.id));
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(ids.len(), total);
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
    for limit in [0, 1001] {
        assert!(
            messages(&shop.scroll(None, limit, None, false).unwrap_err()).starts_with("/limit")
        );
    }
}

#[test]
fn a_vector_whose_distances_would_overflow_is_refused() {
    let fixture = Fixture::new();
    let config = json!({"vectors": {"dot": {"dim": 2, "metric": "dot"}, "l2": {"dim": 2, "metric": "l2"}, "cosine": {"dim": 2}}});
    let config = serde_json::from_value(config).expect("a config");
    let shop = fixture.db.create_collection("far", config).expect("create");
    for space in ["dot", "l2"] {
        let far = item(json!({"id": "a", "vectors": {space: [3e38, 1.0]}}));
        let refused = shop.upsert(vec![far]).expect("answered").remove(0);
        let refused = messages(&refused.expect_err("refused"));
        assert!(
            refused.starts_with(&format!("/vectors/{space}")) && refused.contains("length"),
            "{refused}"
        );
    }
    put(
        &shop,
        &[json!({"id": "b", "vectors": {"dot": [9e17, 1.0], "cosine": [3e38, 3e38]}})],
    );
}
