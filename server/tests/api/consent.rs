//! Consent of users and sessions over HTTP.

use serde_json::json;

use crate::harness::api;

#[actix_web::test]
async fn consent_is_set_read_and_removed() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/users/u1/consent";
    let unset = api.get(path).await.ok();
    let shop = json!({"recommendations": "granted", "training": "granted", "analytics": "granted"});
    assert_eq!(unset["collections"]["shop"], shop);
    let set = api.put(path, json!({"training": "denied"})).await.ok();
    assert_eq!(set["collections"]["shop"]["training"], "denied");
    assert!(set["collections"]["shop"]["changed_at"].is_string());
    assert_eq!(api.get(path).await.ok(), set);
    let other = api.get("/v1/sessions/u1/consent").await.ok();
    assert_eq!(
        other["collections"]["shop"], shop,
        "a session is not a user"
    );
    assert_eq!(api.delete(path).await.ok(), unset);

    let session = "/v1/sessions/s1/consent?collection=shop";
    let set = api.put(session, json!({"analytics": "denied"})).await.ok();
    assert_eq!(set["collections"]["shop"]["analytics"], "denied");
    assert_eq!(api.get(session).await.ok(), set);
    let removed = api.delete(session).await.ok();
    assert_eq!(removed["collections"]["shop"], shop);
}

#[actix_web::test]
async fn wrong_consents_are_refused_with_the_field() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/users/u1/consent";
    let refused = api.put(path, json!({"training": "maybe"})).await;
    let refused = refused.problem(400, "invalid_argument");
    assert_eq!(refused["errors"][0]["pointer"], "/training");
    api.put(path, json!({"profit": "denied"}))
        .await
        .problem(400, "invalid_argument");
    let missing = "/v1/users/u1/consent?collection=ghost";
    api.put(missing, json!({"training": "denied"}))
        .await
        .problem(404, "collection_not_found");
    let long = format!("/v1/users/{}/consent", "u".repeat(2_000));
    api.get(&long).await.problem(400, "invalid_argument");
    let patch = json!({"consent": {"default": "perhaps"}});
    let refused = api.patch("/v1/collections/shop", patch).await;
    refused.problem(400, "invalid_argument");
}

#[actix_web::test]
async fn the_default_is_that_of_the_collection() {
    let api = api().await;
    api.shop().await;
    let patch = json!({"consent": {"default": "denied"}});
    let shop = api.patch("/v1/collections/shop", patch).await.ok();
    assert_eq!(shop["consent"]["default"], "denied");
    let path = "/v1/users/u1/consent";
    let unset = api.get(path).await.ok();
    assert_eq!(unset["collections"]["shop"]["recommendations"], "denied");
    let set = api
        .put(path, json!({"recommendations": "granted"}))
        .await
        .ok();
    assert_eq!(set["collections"]["shop"]["recommendations"], "granted");
    assert_eq!(set["collections"]["shop"]["training"], "denied");
}
