//! Query understanding and facets.

use serde_json::json;

use crate::harness::{api, ids};

#[actix_web::test]
async fn a_text_becomes_a_filter_that_search_takes() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/collections/shop/understand";
    let text = "show me something red under 1000";
    let said = api.post(path, json!({"text": text})).await.ok();
    assert_eq!(said["text"], "");
    let red = json!({"key": "color", "match": {"any": ["red"]}});
    let price = json!({"key": "price", "range": {"lte": 1000.0}});
    assert_eq!(said["filter"]["must"], json!([red, price]));
    assert_eq!(said["parts"][0]["words"], "red");
    assert_eq!(said["parts"][0]["start"], 18);
    let search = json!({"query": {"vector": [1, 0, 0]}, "filter": said["filter"]});
    let found = api.post("/v1/collections/shop/search", search).await.ok();
    assert_eq!(ids(&found), ["shoe"]);
    let undone = json!({"text": text, "without": ["color"]});
    let said = api.post(path, undone).await.ok();
    assert_eq!(said["text"], "red");
}

#[actix_web::test]
async fn in_stock_is_a_condition_where_items_have_an_availability() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/collections/shop/understand";
    let said = api.post(path, json!({"text": "red in stock"})).await.ok();
    assert_eq!(said["text"], "in stock", "no item says whether it is");
    let items = json!([{"id": "shoe", "title": "Red shoe", "availability": "in_stock",
        "attributes": {"color": "red"}, "vectors": {"shared": [1, 0, 0]}}]);
    api.put("/v1/collections/shop/items", items).await.ok();
    let said = api.post(path, json!({"text": "red in stock"})).await.ok();
    assert_eq!(said["text"], "");
    let stock = json!({"key": "availability", "match": {"any": ["in_stock"]}});
    let conditions = said["filter"]["must"].as_array().unwrap();
    assert!(conditions.contains(&stock), "{said}");
}

#[actix_web::test]
async fn facets_are_counted_and_errors_have_pointers() {
    let api = api().await;
    api.shop().await;
    let path = "/v1/collections/shop/facets";
    let asked = json!({"facets": [{"field": "color"}]});
    let counted = api.post(path, asked).await.ok();
    assert_eq!(counted["facets"][0]["field"], "color");
    assert!(counted["matching"].as_u64().unwrap() > 0);
    let wrong = json!({"facets": [{"field": "colr"}]});
    let problem = api.post(path, wrong).await.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/facets/0/field");
    let long = json!({"text": "x".repeat(5000)});
    let path = "/v1/collections/shop/understand";
    api.post(path, long).await.problem(400, "invalid_argument");
}
