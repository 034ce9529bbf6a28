//! Items: write, read, patch, delete, scroll, count.

use serde_json::json;

use crate::harness::{api, ids};

#[actix_web::test]
async fn items_are_written_one_result_each() {
    let api = api().await;
    api.shop().await;
    let items = json!([
        {"id": "shoe", "title": "Other shoe"},
        {"id": "hat", "attributes": {"colr": "red"}},
        {"id": "new"}
    ]);
    let written = api.put("/v1/collections/shop/items", items).await.ok();
    assert_eq!(
        written["summary"],
        json!({"created": 1, "updated": 1, "rejected": 1, "embedding": {"failed": 2}})
    );
    let refused = &written["results"][1];
    assert_eq!(refused["index"], 1);
    assert_eq!(refused["id"], "hat");
    assert_eq!(refused["code"], "invalid_argument");
    let error = refused["error"].as_str().unwrap();
    assert!(
        error.contains("/attributes/colr") && error.contains("color"),
        "{error}"
    );
    let shoe = api.get("/v1/collections/shop/items/shoe").await.ok();
    // The test encoders know colors only.
    assert_eq!(shoe["embedding"]["status"], "failed");
    assert_eq!(
        (&shoe["title"], shoe.get("price")),
        (&json!("Other shoe"), None)
    );
}

#[actix_web::test]
async fn an_item_of_another_form_costs_itself_alone() {
    let api = api().await;
    api.shop().await;
    let items = json!([
        {"id": "a", "title": "First"},
        {"id": "b", "availability": "sold"},
        {"title": "no id"},
        "c",
        {"id": "d", "title": "Last"}
    ]);
    let written = api.put("/v1/collections/shop/items", items).await.ok();
    assert_eq!(written["summary"]["created"], 2);
    assert_eq!(written["summary"]["rejected"], 3);
    let result = |n: usize| &written["results"][n];
    for n in 0..5 {
        assert_eq!(result(n)["index"], n);
    }
    assert_eq!(
        (&result(1)["id"], &result(2)["id"]),
        (&json!("b"), &json!(null))
    );
    let error = result(1)["error"].as_str().unwrap();
    assert!(error.starts_with("/availability: "), "{error}");
    assert_eq!(
        api.get("/v1/collections/shop/items/d").await.ok()["title"],
        "Last"
    );
    let one = api.put(
        "/v1/collections/shop/items",
        json!({"id": "e", "title": "One"}),
    );
    assert_eq!(one.await.ok()["summary"]["created"], 1);
}

#[actix_web::test]
async fn an_item_is_read_changed_and_deleted() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/collections/shop/items/shoe";
    assert_eq!(
        api.get(path).await.ok()["vectors"]["shared"],
        json!([1.0, 0.0, 0.0])
    );
    let patch = json!({"title": null, "price": {"amount": 60}, "attributes": {"stock": 2}});
    let item = api.patch(path, patch).await.ok();
    assert_eq!(item.get("title"), None);
    assert_eq!(item["price"]["amount"], 60.0);
    assert_eq!(item["attributes"], json!({"color": "red", "stock": 2}));
    for (wrong, pointer) in [
        (json!({"price": {"amount": "cheap"}}), "/price/amount"),
        (json!({"availability": "maybe"}), "/availability"),
    ] {
        let problem = api
            .patch(path, wrong)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let whole = api
        .patch(path, json!({"attributes": {"stock": 3.0}}))
        .await
        .ok();
    assert_eq!(whole["attributes"]["stock"], 3);
    let part = json!({"attributes": {"stock": 2.5}});
    api.patch(path, part).await.problem(400, "invalid_argument");
    assert_eq!(api.delete(path).await.status, 204);
    api.delete(path).await.problem(404, "item_not_found");
    api.get(path).await.problem(404, "item_not_found");
}

#[actix_web::test]
async fn ids_may_hold_any_character() {
    let api = api().await;
    api.shop().await;
    let items = json!([{"id": "a/b c+d%é"}]);
    api.put("/v1/collections/shop/items", items).await.ok();
    let path = "/v1/collections/shop/items/a%2Fb%20c%2Bd%25%C3%A9";
    assert_eq!(api.get(path).await.ok()["id"], "a/b c+d%é");
    let answer = api.get("/v1/collections/shop/items/%ff").await;
    answer.problem(404, "item_not_found");
}

#[actix_web::test]
async fn an_item_may_be_named_like_a_route() {
    let api = api().await;
    api.shop().await;
    let items = "/v1/collections/shop/items";
    for id in ["count", "scroll", "import", "delete"] {
        let item = json!([{"id": id, "title": "Named like a route"}]);
        api.put(items, item).await.ok();
        let path = format!("{items}/{id}");
        assert_eq!(api.get(&path).await.ok()["id"], id);
        api.patch(&path, json!({"title": "Changed"})).await.ok();
        api.delete(&path).await;
        api.get(&path).await.problem(404, "item_not_found");
    }
    assert!(api.post(&format!("{items}/count"), json!({})).await.ok()["count"].is_u64());
}

#[actix_web::test]
async fn items_are_paged_through_in_the_order_of_their_ids() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/collections/shop/items/scroll";
    let first = api.post(path, json!({"limit": 2})).await.ok();
    assert_eq!(ids(&first), ["boot", "lamp"]);
    let body = json!({"limit": 2, "cursor": first["next_cursor"]});
    let second = api.post(path, body).await.ok();
    assert_eq!(ids(&second), ["shoe"]);
    assert_eq!(second.get("next_cursor"), None);
    let body = json!({"filter": {"must": [{"has_id": ["lamp"]}]}, "with_vectors": true});
    let lamp = api.post(path, body).await.ok();
    assert_eq!(ids(&lamp), ["lamp"]);
    assert!(lamp["items"][0]["vectors"]["shared"].is_array());
}

#[actix_web::test]
async fn items_are_counted_and_deleted_by_filter() {
    let api = api().await;
    api.shop().await;
    let count = |filter| {
        api.post(
            "/v1/collections/shop/items/count",
            json!({"filter": filter}),
        )
    };
    assert_eq!(count("price < 100").await.ok()["count"], 2);
    let delete = |filter| {
        api.post(
            "/v1/collections/shop/items/delete",
            json!({"filter": filter}),
        )
    };
    assert_eq!(delete("category = \"Clothing\"").await.ok()["deleted"], 2);
    assert_eq!(
        api.post("/v1/collections/shop/items/count", json!({}))
            .await
            .ok()["count"],
        1
    );
    let problem = delete("").await.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/filter");
}
