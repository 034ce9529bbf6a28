//! Recorded searches through the API: ids, figures, export, erasure, access; suggestions.

use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use vitrine_server::auth::{
    Action::{Admin, Read},
    Key, Keys,
};

use crate::harness::{Setup, api, header, ids, request, with};

const SEARCH: &str = "/v1/collections/shop/search";
const EXPORT: &str = "/v1/collections/shop/search_events/export";

fn exported(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON a line")
}

#[actix_web::test]
async fn a_search_is_recorded_with_the_events_that_follow() {
    let api = api().await;
    api.shop().await;
    let body = json!({"query": {"text": "Red  SHOE"}, "mode": "vector", "user": "u1", "filter": "price < 100"});
    let answer = api.send(request("POST", SEARCH, &body)).await;
    let id = answer.header("x-request-id").to_owned();
    let answer = answer.ok();
    assert_eq!(answer["request_id"], id);
    let hits: Vec<String> = ids(&answer).into_iter().map(str::to_owned).collect();
    let events = json!([
        {"kind": "click", "collection": "shop", "user": "u1", "items": [hits[1]], "request_id": id},
        {"kind": "purchase", "collection": "shop", "user": "u1", "items": [hits[0]], "value": 80, "request_id": id},
        {"kind": "view", "collection": "shop", "user": "u1", "items": ["lamp"], "request_id": id, "position": 7}
    ]);
    api.post("/v1/events", events).await.ok();
    let lines = exported(&api.get(EXPORT).await.text);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(
        (&line["query"], &line["user"]),
        (&json!("red shoe"), &json!("u1"))
    );
    assert_eq!(
        (&line["filtered"], &line["plan"]),
        (&json!(true), &answer["plan"])
    );
    assert_eq!(line["shown"], json!(hits));
    assert_eq!(line["hits"], answer["total"]["value"]);
    let position = |kind: &str| {
        let events = line["events"].as_array().unwrap();
        let event = events.iter().find(|event| event["kind"] == kind);
        event.unwrap()["position"].clone()
    };
    assert_eq!(position("click"), 2);
    assert_eq!(position("purchase"), 1);
    assert_eq!(position("view"), 7);

    let queries = api.get("/v1/collections/shop/analytics/queries").await.ok();
    assert_eq!(queries["total"], 1);
    let first = &queries["queries"][0];
    assert_eq!(
        (&first["query"], &first["clicked"]),
        (&json!("red shoe"), &json!(1))
    );
    assert_eq!(
        (&first["revenue"], &first["click_position"]),
        (&json!(80.0), &json!(2.0))
    );
    let summary = api.get("/v1/collections/shop/analytics/summary").await.ok();
    assert_eq!(
        (
            &summary["total"]["searches"],
            &summary["total"]["conversion"]
        ),
        (&json!(1), &json!(1.0))
    );
    let positions = api
        .get("/v1/collections/shop/analytics/positions")
        .await
        .ok();
    assert_eq!(positions["positions"][1]["clicked"], 1);
    let metrics = api.get("/metrics").await.text;
    assert!(metrics.contains("vitrine_search_log_recorded{collection=\"shop\"} 1"));
    assert!(metrics.contains("vitrine_search_log_dropped{collection=\"shop\"} 0"));

    let erased = api.delete("/v1/users/u1").await.ok();
    assert_eq!(erased["searches"], json!({"shop": 1}));
    assert_eq!(api.get(EXPORT).await.text, "");
}

#[actix_web::test]
async fn later_pages_belong_to_the_first_search() {
    let api = api().await;
    api.shop().await;
    let first = api
        .post(SEARCH, json!({"query": {"vector": [1, 0, 0]}, "limit": 1}))
        .await
        .ok();
    assert!(first["request_id"].is_string());
    let cursor = &first["next_cursor"];
    let next = json!({"query": {"vector": [1, 0, 0]}, "limit": 1, "cursor": cursor});
    let next = api.post(SEARCH, next).await.ok();
    assert!(next.get("request_id").is_none(), "{next}");
    let offset = json!({"query": {"vector": [1, 0, 0]}, "limit": 1, "offset": 1});
    assert!(
        api.post(SEARCH, offset)
            .await
            .ok()
            .get("request_id")
            .is_none()
    );
    assert_eq!(exported(&api.get(EXPORT).await.text).len(), 1);
}

#[actix_web::test]
async fn searches_of_one_request_and_of_dialogues_have_ids_of_their_own() {
    let api = api().await;
    api.shop().await;
    let search =
        json!({"collection": "shop", "search": {"query": {"text": "red"}, "session": "s"}});
    let both = json!({"searches": [search, search]});
    let both = api.post("/v1/multi_search", both).await.ok();
    let id = |n: usize| both["results"][n]["answer"]["request_id"].clone();
    assert!(id(0).is_string());
    assert_ne!(id(0), id(1));
    let begun = api.post(
        "/v1/dialogues",
        json!({"collection": "shop", "text": "green", "search": {"session": "s"}}),
    );
    let begun = begun.await.ok();
    assert!(begun["answer"]["request_id"].is_string(), "{begun}");
    assert_eq!(exported(&api.get(EXPORT).await.text).len(), 3);
}

#[actix_web::test]
async fn recording_can_be_switched_off_and_settings_are_checked() {
    let api = api().await;
    api.shop().await;
    let patch = json!({"search_log": {"enabled": false}});
    let info = api.patch("/v1/collections/shop", patch).await.ok();
    assert_eq!(info["search_log"]["enabled"], false);
    let answer = api
        .post(SEARCH, json!({"query": {"text": "red"}}))
        .await
        .ok();
    assert!(answer["request_id"].is_string(), "events still refer to it");
    assert_eq!(api.get(EXPORT).await.text, "");
    for (patch, pointer) in [
        (
            json!({"search_log": {"retention_days": 0}}),
            "/search_log/retention_days",
        ),
        (
            json!({"search_log": {"max_searches": 0}}),
            "/search_log/max_searches",
        ),
        (json!({"suggest": {"min_users": 0}}), "/suggest/min_users"),
    ] {
        let refused = api.patch("/v1/collections/shop", patch).await;
        let problem = refused.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("from=yesterday", "/from"),
        ("from=2027-01-01&to=2026-01-01", "/to"),
    ] {
        let path = format!("/v1/collections/shop/analytics/queries?{query}");
        let problem = api.get(&path).await.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let event = json!({"kind": "click", "collection": "shop", "user": "u", "items": ["shoe", "boot"], "position": 2});
    let results = api.post("/v1/events", event).await.ok();
    let error = results["results"][0]["error"].as_str().unwrap();
    assert!(error.contains("/position"), "{error}");
}

#[actix_web::test]
async fn figures_need_an_admin_key() {
    let key = |action| {
        let key = Key::create("test".into(), vec![action], vec!["*".into()]);
        key.expect("random bytes")
    };
    let [(reader, read_secret), (admin, admin_secret)] = [Read, Admin].map(key);
    let keys = Keys {
        keys: vec![reader, admin],
    };
    let setup = Setup {
        keys,
        ..Setup::default()
    };
    let api = with(setup).await;
    for path in [EXPORT, "/v1/collections/shop/analytics/queries"] {
        let get = |secret: &str| {
            let request = TestRequest::with_uri(path);
            request.insert_header(header("authorization", &format!("Bearer {secret}")))
        };
        api.send(get(&read_secret)).await.problem(403, "forbidden");
        let answer = api.send(get(&admin_secret)).await;
        answer.problem(404, "collection_not_found");
    }
}

#[actix_web::test]
async fn suggestions_follow_items_and_queries() {
    let api = api().await;
    api.shop().await;
    let suggest = |q: &str| format!("/v1/collections/shop/suggest?q={q}&limit=5");
    let patience = Instant::now() + Duration::from_secs(60);
    let server = &api;
    let until = |path: String, wanted: &'static str| async move {
        loop {
            let found = server.get(&path).await.ok();
            let suggestions = found["suggestions"].as_array().unwrap().clone();
            if suggestions.iter().any(|s| s["text"] == wanted) || Instant::now() > patience {
                return suggestions;
            }
            actix_web::rt::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = until(suggest("sho"), "Shoes").await;
    let shoes = found
        .iter()
        .find(|s| s["text"] == "Shoes")
        .expect("suggested");
    assert_eq!(
        (&shoes["kind"], &shoes["items"]),
        (&json!("category"), &json!(2))
    );
    assert_eq!(shoes["category"], "Clothing > Shoes");
    assert_eq!(
        shoes["fragments"],
        json!([{"text": "Sho", "is_match": true}, {"text": "es", "is_match": false}])
    );
    assert_eq!(
        until(suggest("gren%20boo"), "green boot").await[0]["typos"],
        1
    );
    // A deleted item is gone at once.
    api.delete("/v1/collections/shop/items/lamp").await.ok();
    let found = api.get(&suggest("blue")).await.ok();
    assert_eq!(found["suggestions"], json!([]));
    for user in ["a", "b", "c"] {
        let body = json!({"query": {"text": "red footwear"}, "user": user});
        api.post(SEARCH, body).await.ok();
    }
    let found = until(suggest("red"), "red footwear").await;
    assert_eq!(found[0]["kind"], "query", "{found:?}");
    api.get("/v1/collections/shop/suggest?q=a&limit=0")
        .await
        .problem(400, "invalid_argument");
    api.get("/v1/collections/none/suggest?q=a")
        .await
        .problem(404, "collection_not_found");
}
