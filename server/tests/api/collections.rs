//! Collections and aliases.

use serde_json::json;

use crate::harness::api;

#[actix_web::test]
async fn a_collection_is_made_changed_and_dropped() {
    let api = api().await;
    let config = json!({"vectors": {"shared": {"dim": 3}}});
    let made = api.put("/v1/collections/shop", config.clone()).await.ok();
    assert_eq!(made["vectors"]["shared"]["metric"], "cosine");
    assert_eq!(made["items"], 0);
    let again = api.put("/v1/collections/shop", config).await.ok();
    assert_eq!(again, made, "idempotent");

    let other = json!({"vectors": {"shared": {"dim": 4}}});
    let answer = api.put("/v1/collections/shop", other).await;
    answer.problem(409, "already_exists");

    let more = json!({"attributes": {"color": "keyword"}});
    let patched = api.patch("/v1/collections/shop", more).await.ok();
    assert_eq!(patched["attributes"]["color"], "keyword");
    let retyped = json!({"attributes": {"color": "float"}});
    let problem = api.patch("/v1/collections/shop", retyped).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/attributes/color");

    let all = api.get("/v1/collections").await.ok();
    assert_eq!(all, json!([patched]));
    assert_eq!(api.get("/v1/collections/shop").await.ok(), patched);
    assert_eq!(api.delete("/v1/collections/shop").await.status, 204);
    let gone = api.get("/v1/collections/shop").await;
    gone.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn a_bad_name_or_schema_is_refused_at_its_field() {
    let api = api().await;
    let spaces = json!({"vectors": {"shared": {"dim": 3}}});
    let problem = api.put("/v1/collections/Shop", spaces).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    let flat = json!({"vectors": {"shared": {"dim": 0}}});
    let problem = api.put("/v1/collections/shop", flat).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/vectors/shared/dim");
}

#[actix_web::test]
async fn aliases_change_all_at_once_or_not_at_all() {
    let api = api().await;
    api.shop().await;
    let set = |alias: &str, c: &str| json!({"action": "set", "alias": alias, "collection": c});
    let body = json!({"actions": [set("live", "shop"), set("next", "shop")]});
    let aliases = api.post("/v1/aliases", body).await.ok();
    assert_eq!(aliases["aliases"], json!({"live": "shop", "next": "shop"}));
    assert_eq!(api.get("/v1/collections/live").await.ok()["name"], "shop");

    let remove = json!({"action": "remove", "alias": "next"});
    let body = json!({"actions": [remove, set("other", "nowhere")]});
    let answer = api.post("/v1/aliases", body).await;
    answer.problem(404, "collection_not_found");
    assert_eq!(
        api.get("/v1/aliases").await.ok(),
        aliases,
        "nothing was done"
    );

    let body = json!({"actions": [set("shop", "shop")]});
    let answer = api.post("/v1/aliases", body).await;
    answer.problem(409, "already_exists");
}

#[actix_web::test]
async fn a_collection_without_spaces_gets_those_of_the_encoders() {
    let api = api().await;
    let made = api.put("/v1/collections/plants", json!({})).await.ok();
    assert_eq!(made["fingerprint"], "colors-1");
    assert_eq!(made["vectors"]["shared"]["dim"], 3);
    assert_eq!(made["vectors"]["text"]["dim"], 3);
    let again = api.put("/v1/collections/plants", json!({})).await.ok();
    assert_eq!(again, made, "idempotent");
    let items = json!([{"id": "rose", "title": "red rose"}]);
    let put = "/v1/collections/plants/items?wait=embedded";
    let written = api.put(put, items).await.ok();
    assert_eq!(written["results"][0]["embedding"], "done");
    let none = json!({"fingerprint": "mine"});
    let problem = api.put("/v1/collections/other", none).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/vectors");
}

#[actix_web::test]
async fn a_space_of_other_encoders_leaves_a_text_to_the_words() {
    let api = api().await;
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    api.put("/v1/collections/own", config).await.ok();
    let items = json!([{"id": "a", "title": "Red lamp", "vectors": {"shared": [1, 0]}}]);
    api.put("/v1/collections/own/items", items).await.ok();
    let search = "/v1/collections/own/search";
    let text = json!({"query": {"text": "red lamp"}});
    let found = api.post(search, text.clone()).await.ok();
    assert_eq!(found["hits"][0]["id"], "a");
    assert_eq!(found["fallbacks"], json!(["no_encoder"]));
    // Whoever asks for vectors is told.
    for more in [json!({"mode": "hybrid"}), json!({"space": "shard"})] {
        let mut request = text.clone();
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        api.post(search, request)
            .await
            .problem(400, "invalid_argument");
    }
}
