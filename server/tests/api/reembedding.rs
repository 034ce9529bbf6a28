//! Re-embedding: queries by text are embedded by the encoders of the spaces that they search.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use serde_json::json;
use vitrine_server::embedders::Embedders;

use crate::{
    colors::Colors,
    harness::{api, ids},
};

const SHOP: &str = "/v1/collections/shop";
const REEMBEDDING: &str = "/v1/collections/shop/reembedding";
const SEARCH: &str = "/v1/collections/shop/search";

#[actix_web::test]
async fn a_collection_goes_over_to_other_encoders_and_back() {
    let api = api().await;
    api.shop().await;
    api.get(REEMBEDDING)
        .await
        .problem(404, "reembedding_not_found");
    let begin = json!({"fingerprint": "colors-2", "vectors": {"shared": {"dim": 3}}});
    let info = api.post(REEMBEDDING, begin.clone()).await.ok();
    assert_eq!(
        (&info["stage"], &info["other"]["pending"]),
        (&json!("filling"), &json!(3))
    );
    assert_eq!(api.get(SHOP).await.ok()["reembedding"], info);
    let switch = format!("{REEMBEDDING}/switch");
    let refused = api.post(&switch, json!({})).await;
    refused.problem(409, "reembedding_incomplete");

    let pending = format!("{REEMBEDDING}/pending?fingerprint=colors-2&limit=2");
    let mut page = api.get(&pending).await.ok();
    let mut items = page["items"].as_array().unwrap().clone();
    page = api
        .get(&format!("{pending}&after={}", page["next"]))
        .await
        .ok();
    items.extend(page["items"].as_array().unwrap().clone());
    assert_eq!(page["next"], json!(null));
    assert_eq!(items[0]["spaces"], json!(["shared"]));
    let vector = |id: &str| match id {
        "shoe" => [-1.0, 0.0, 0.0],
        "boot" => [-0.6, -0.8, 0.0],
        _ => [0.0, -0.6, -0.8],
    };
    let filled: Vec<_> = items
        .iter()
        .map(|p| {
            let id = p["item"]["id"].as_str().unwrap();
            json!({"id": id, "version": p["version"], "vectors": {"shared": vector(id)}})
        })
        .collect();
    let body = json!({"fingerprint": "colors-2", "items": filled});
    let answer = api.put(&format!("{REEMBEDDING}/vectors"), body).await.ok();
    assert_eq!(answer, json!({"filled": 3, "left_out": 0, "stale": 0}));

    // The server embeds a text-only item for the encoders that it was not written with.
    let fresh = json!([{"id": "hat", "title": "blue", "vectors": {"shared": [0, 0, 1]}}]);
    api.put(&format!("{SHOP}/items"), fresh).await.ok();
    assert_eq!(api.get(REEMBEDDING).await.ok()["other"]["items"], 4);

    let by_text = json!({"query": {"text": "blue"}, "limit": 1});
    let old = json!({"query": {"vector": [0, 0, 1]}, "fingerprint": "colors-1", "limit": 1});
    // Queries of every kind find the same in either set.
    let of_both = |query: serde_json::Value| {
        let of =
            |fingerprint: &str| json!({"query": query, "fingerprint": fingerprint, "limit": 1});
        [of("colors-1"), of("colors-2")]
    };
    for path in ["switch", "rollback", "switch"] {
        let info = api
            .post(&format!("{REEMBEDDING}/{path}"), json!({}))
            .await
            .ok();
        let switched = path == "switch";
        assert_eq!(info["stage"], if switched { "switched" } else { "filling" });
        assert_eq!(ids(&api.post(SEARCH, by_text.clone()).await.ok()), ["hat"]);
        assert_eq!(ids(&api.post(SEARCH, old.clone()).await.ok()), ["hat"]);
        for text in of_both(json!({"text": "blue"})) {
            assert_eq!(ids(&api.post(SEARCH, text).await.ok()), ["hat"]);
        }
        for item in of_both(json!({"item": "shoe"})) {
            assert_eq!(ids(&api.post(SEARCH, item).await.ok()), ["boot"]);
        }
        let read = api.get(&format!("{SHOP}/items/shoe")).await.ok();
        let first = if switched { -1.0 } else { 1.0 };
        assert_eq!(read["vectors"]["shared"][0], first);
    }
    api.delete(REEMBEDDING).await.ok();
    api.get(REEMBEDDING)
        .await
        .problem(404, "reembedding_not_found");
    assert_eq!(ids(&api.post(SEARCH, by_text).await.ok()), ["hat"]);
    api.post(SEARCH, old)
        .await
        .problem(409, "fingerprint_mismatch");
    let unknown = json!({"query": {"text": "blue"}, "fingerprint": "colors-9"});
    api.post(SEARCH, unknown)
        .await
        .problem(409, "fingerprint_mismatch");
}

#[actix_web::test]
async fn encoders_that_the_server_does_not_have_are_refused_before_it_is_too_late() {
    let api = api().await;
    api.shop().await;
    let begin = json!({"fingerprint": "colors-9", "vectors": {"shared": {"dim": 3}}});
    let problem = api
        .post(REEMBEDDING, begin)
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/fingerprint");
    let begin = json!({"fingerprint": "colors-1", "vectors": {"shared": {"dim": 3}}});
    api.post(REEMBEDDING, begin)
        .await
        .problem(400, "invalid_argument");
    let begin = json!({"fingerprint": "colors-2", "vectors": {}});
    let problem = api
        .post(REEMBEDDING, begin)
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/vectors");
}

#[test]
fn concurrent_lookups_of_encoders_all_end() {
    let find = |fingerprint: &str| {
        thread::sleep(Duration::from_millis(200));
        Ok(Colors::find(fingerprint))
    };
    let (colors, _waiting) = Colors::new();
    let embedders = Embedders::new(Some(Arc::new(colors)), Some(Box::new(find)));
    let embedders = Arc::new(embedders);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..4 {
        let (embedders, sender) = (embedders.clone(), sender.clone());
        thread::spawn(move || sender.send(embedders.of(Some("colors-2")).is_ok()));
    }
    for _ in 0..4 {
        let found = receiver.recv_timeout(Duration::from_secs(10));
        assert_eq!(found, Ok(true), "a lookup is blocked");
    }
}
