//! Recommendations, popular items, models and blends.

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
    let only = json!({"user": "u3", "blend": {"weights": {"behavior": 1.0}}});
    let answer = api.post(RECOMMEND, only).await.ok();
    assert_eq!(ids(&answer)[0], "lamp");
    assert_eq!(answer["hits"][0]["reason"]["code"], "also_liked");
    assert_eq!(answer["hits"][0]["reason"]["items"], json!(["shoe"]));

    let together = "/v1/collections/shop/items/shoe/bought_together";
    let answer = api.get(together).await.ok();
    assert_eq!(ids(&answer), ["lamp"]);
    assert_eq!(answer["hits"][0]["baskets"], 2);
    let popular = "/v1/collections/shop/popular";
    let answer = api.get(popular).await.ok();
    assert_eq!(ids(&answer), ["shoe", "lamp"]);
    assert_eq!(answer["hits"][0]["events"], 3);
    let wrong = api.get(&format!("{popular}?window_days=0")).await;
    let problem = wrong.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/window_days");

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

#[actix_web::test]
async fn pages_weights_and_diversity_travel_over_http() {
    let api = api().await;
    api.shop().await;
    let mut body = json!({"positives": ["shoe"], "limit": 1, "blend": {"weights": {"content": 1}}});
    let first = api.post(RECOMMEND, body.clone()).await.ok();
    assert_eq!(first["blend"]["method"], "weighted");
    assert_eq!(first["hits"][0]["contributions"][0]["source"], "content");
    body["cursor"] = first["next_cursor"].clone();
    let second = api.post(RECOMMEND, body).await.ok();
    assert_ne!(ids(&first), ids(&second));
    for (body, pointer) in [
        (json!({"blend": {"method": "learned"}}), "/blend/method"),
        (
            json!({"blend": {"weights": {"content": -1}}}),
            "/blend/weights/content",
        ),
        (json!({"cursor": "nothing"}), "/cursor"),
        (json!({"diversify": {"mmr": 2}}), "/diversify/mmr"),
        (
            json!({"diversify": {"group_by": "smell"}}),
            "/diversify/group_by",
        ),
    ] {
        let answer = api.post(RECOMMEND, body).await;
        let problem = answer.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let train = "/v1/collections/shop/train/blend";
    let problem = api
        .post(train, json!({}))
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/events");
}

#[actix_web::test]
async fn a_search_for_a_shopper_says_why() {
    let api = api().await;
    api.shop().await;
    let search = "/v1/collections/shop/search";
    let body = json!({"query": {"item": "shoe"}});
    let plain = api.post(search, body.clone()).await.ok();
    assert!(plain.get("blend").is_none() && plain["hits"][0].get("reason").is_none());
    let mut known = body;
    known["user"] = json!("u1");
    let answer = api.post(search, known).await.ok();
    assert_eq!(ids(&answer), ids(&plain), "nothing is known of the user");
    assert_eq!(answer["hits"][0]["reason"]["code"], "matches");
    assert_eq!(
        answer["fallbacks"],
        json!(["no_history", "no_model", "no_learned_blend"])
    );
}
