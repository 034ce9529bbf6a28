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
