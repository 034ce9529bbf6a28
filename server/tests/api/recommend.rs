use serde_json::json;

use crate::harness::{api, ids};

const RECOMMEND: &str = "/v1/collections/shop/recommend";

#[actix_web::test]
async fn events_become_recommendations_with_reasons() {
    let api = api().await;
    api.shop().await;
    let bought = |user: &str, items: &[&str]| json!({"kind": "purchase", "collection": "shop", "user": user, "items": items});
    let events = json!([
        bought("u1", &["shoe", "lamp"]),
        bought("u2", &["shoe", "lamp"]),
        bought("u3", &["shoe"]),
    ]);
    api.post("/v1/events", events).await.ok();
    let model = api.post("/v1/collections/shop/train", json!({})).await.ok();
    assert_eq!(model["interactions"], 5);
    assert_eq!(model["baskets"], 3);

    let answer = api.post(RECOMMEND, json!({"user": "u3"})).await.ok();
    // By content alone the boot is nearer to the shoe.
    assert_eq!(ids(&answer), ["lamp", "boot"]);
    assert_eq!(answer["hits"][0]["reason"]["code"], "also_liked");
    assert_eq!(answer["hits"][0]["reason"]["items"], json!(["shoe"]));

    let together = "/v1/collections/shop/items/shoe/bought_together";
    let answer = api.get(together).await.ok();
    assert_eq!(ids(&answer), ["lamp"]);
    assert_eq!(answer["hits"][0]["baskets"], 2);
    let none = api
        .get(&format!("{together}?filter=color%20%3D%20red"))
        .await;
    assert!(ids(&none.ok()).is_empty());
}

#[actix_web::test]
async fn what_cannot_be_recommended_names_its_field() {
    let api = api().await;
    api.shop().await;
    for (body, pointer) in [
        (json!({"limit": 0}), "/limit"),
        (json!({"space": "sound"}), "/space"),
        (
            json!({"positives": [{"id": "shoe", "weight": 0}]}),
            "/positives/0/weight",
        ),
    ] {
        let problem = api
            .post(RECOMMEND, body)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let body = json!({"users": "u1"});
    api.post(RECOMMEND, body)
        .await
        .problem(400, "invalid_argument");
    let missing = api
        .get("/v1/collections/shop/items/none/bought_together")
        .await;
    missing.problem(404, "item_not_found");
}
