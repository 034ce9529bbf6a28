//! Rankers: stored, used by searches, rolled back and deleted.

use serde_json::{Value, json};

use crate::harness::{api, ids};

const RANKERS: &str = "/v1/collections/shop/rankers";
const SEARCH: &str = "/v1/collections/shop/search";

/// A ranker by the length of the title: the longest first, or the shortest.
fn ranker(version: u64, longest_first: bool) -> Value {
    let best = if longest_first { 1.0 } else { -1.0 };
    let tree = |bound: f64| {
        json!({
            "feature": [0, 0, 0], "threshold": [bound, 0.0, 0.0], "left": [1, 0, 0],
            "right": [2, 0, 0], "value": [0.0, -best, best]
        })
    };
    json!({
        "model": {
            "feature_version": version, "features": ["title_words"], "mode": "hybrid",
            "depth": 100, "trees": [tree(1.5), tree(2.5), tree(3.5)]
        },
        "training": {
            "source": "judgments", "queries": 60, "candidates": 600, "relevant": 100,
            "parameters": {"trees": 3.0}, "importance": {"title_words": 1.0}, "seconds": 1.0
        },
        "figures": {
            "queries": 60, "folds": 5, "before": 0.4, "after": 0.5,
            "gain": {"mean": 0.1, "low": 0.05, "high": 0.15}
        }
    })
}

#[actix_web::test]
async fn a_ranker_is_stored_used_rolled_back_and_deleted() {
    let api = api().await;
    api.shop().await;
    let search = json!({"query": {"text": "red shoe"}, "explain": true});
    let path = format!("{RANKERS}/features");
    let features = api.post(&path, json!({"query": {"text": "red shoe"}}));
    let features = features.await.ok();
    let version = features["feature_version"].as_u64().expect("a version");
    let width = features["features"].as_array().map(Vec::len);
    assert_eq!(features["mode"], "hybrid");
    assert_eq!(
        features["candidates"][0]["values"].as_array().map(Vec::len),
        width
    );
    let first = api.post(SEARCH, search.clone()).await.ok();
    let before = ids(&first);

    let stored = api.post(RANKERS, ranker(version, true)).await;
    assert_eq!(stored.status, 201);
    let stored = stored.ok();
    assert_eq!(
        (&stored["version"], &stored["active"]),
        (&json!(1), &json!(true))
    );
    let found = api.post(SEARCH, search.clone()).await.ok();
    assert_eq!(found["ranker"]["version"], 1);
    assert!(
        found["hits"][0]["ranking"]["contributions"]["item"].is_number(),
        "{found}"
    );
    let mut off = search.clone();
    off["rerank"] = json!(false);
    let off = api.post(SEARCH, off).await.ok();
    assert_eq!((ids(&off), &off["ranker"]), (before.clone(), &Value::Null));

    api.post(RANKERS, ranker(version, false)).await.ok();
    let list = api.get(RANKERS).await.ok();
    assert_eq!(
        (&list["active"], &list["rankers"][1]["version"]),
        (&json!(2), &json!(1))
    );
    let rolled_back = api
        .post(&format!("{RANKERS}/rollback"), Value::Null)
        .await
        .ok();
    assert_eq!(rolled_back["active"], 1);
    api.post(&format!("{RANKERS}/2/activate"), Value::Null)
        .await
        .ok();
    let one = api.get(&format!("{RANKERS}/2")).await.ok();
    assert_eq!(one["model"]["features"], json!(["title_words"]));
    assert_eq!(api.delete(&format!("{RANKERS}/2")).await.status, 204);
    assert_eq!(api.get(RANKERS).await.ok()["active"], 1);
    api.post(&format!("{RANKERS}/rollback"), Value::Null)
        .await
        .ok();
    assert_eq!(ids(&api.post(SEARCH, search).await.ok()), before);
}

#[actix_web::test]
async fn invalid_rankers_name_the_field() {
    let api = api().await;
    api.shop().await;
    let cases = [
        (json!(["length"]), "/model/features/0"),
        (json!([]), "/model/trees/0"),
    ];
    for (features, pointer) in cases {
        let mut broken = ranker(1, true);
        broken["model"]["features"] = features;
        let problem = api
            .post(RANKERS, broken)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let missing = api
        .post(&format!("{RANKERS}/7/activate"), Value::Null)
        .await;
    missing.problem(404, "version_not_found");
    let no_text = json!({"query": {"item": "shoe"}});
    let problem = api.post(&format!("{RANKERS}/features"), no_text).await;
    assert_eq!(
        problem.problem(400, "invalid_argument")["errors"][0]["pointer"],
        "/query"
    );
}
