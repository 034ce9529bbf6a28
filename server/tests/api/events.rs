use serde_json::json;

use crate::harness::api;

#[actix_web::test]
async fn one_event_or_many_are_stored_with_a_result_each() {
    let api = api().await;
    api.shop().await;
    let view = |id: &str, item: &str| json!({"id": id, "kind": "view", "collection": "shop", "user": "u", "items": [item]});
    let one = api.post("/v1/events", view("1", "shoe")).await.ok();
    assert_eq!(one["results"], json!([{"index": 0, "status": "accepted"}]));
    let nobody = json!({"kind": "view", "collection": "shop", "items": ["shoe"]});
    let many = json!([view("1", "shoe"), view("2", "ghost"), nobody]);
    let many = api.post("/v1/events", many).await.ok();
    let status = |n: usize| many["results"][n]["status"].as_str().unwrap();
    assert_eq!(
        [status(0), status(1), status(2)],
        ["duplicate", "unknown_items", "rejected"]
    );
}

#[actix_web::test]
async fn a_fault_in_an_event_is_named_by_its_place() {
    let api = api().await;
    let body = json!([{"kind": "gaze", "collection": "shop", "user": "u", "items": ["a"]}]);
    let problem = api.post("/v1/events", body).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/0/kind");
    let answer = api.post("/v1/events", json!("view")).await;
    answer.problem(400, "invalid_argument");
}
