//! Limits: overload, deadlines, memory and disk; metrics.

use std::time::{Duration, Instant};

use actix_web::test::TestRequest;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::harness::{NDJSON, Setup, api, header, raw, request, with};

const EMBED: &str = "/v1/embeddings";

#[actix_web::test]
async fn too_many_calls_of_a_kind_are_refused_and_others_are_not() {
    let mut setup = Setup::default();
    setup.limits.embed_permits = 1;
    setup.limits.queue = 0;
    let mut api = with(setup).await;
    let (mut told, go) = api.waiting.take().expect("not taken yet");
    let first = api.post(EMBED, json!({"input": "wait"}));
    let meanwhile = async {
        told.recv().await;
        let refused = api.post(EMBED, json!({"input": "red"})).await;
        assert_eq!(refused.header("retry-after"), "1");
        refused.openai_error(429, "overloaded");
        api.get("/v1/collections").await.ok();
        let metrics = api.get("/metrics").await.text;
        assert!(
            metrics.contains("vitrine_permits_in_use{kind=\"embed\"} 1"),
            "{metrics}"
        );
        go.send(()).unwrap();
    };
    join(first, meanwhile).await.0.ok();
    api.post(EMBED, json!({"input": "red"})).await.ok();
}

#[actix_web::test]
async fn a_call_in_the_queue_gets_its_turn() {
    let mut setup = Setup::default();
    setup.limits.embed_permits = 1;
    setup.limits.queue = 1;
    let mut api = with(setup).await;
    let (mut told, go) = api.waiting.take().expect("not taken yet");
    let first = api.post(EMBED, json!({"input": "wait"}));
    let second = async {
        told.recv().await;
        let second = api.post(EMBED, json!({"input": "red"}));
        join(second, async { go.send(()).unwrap() }).await.0
    };
    let (first, second) = join(first, second).await;
    first.ok();
    second.ok();
}

#[actix_web::test]
async fn the_deadline_is_kept_while_working_and_while_waiting() {
    let mut setup = Setup::default();
    setup.limits.embed_permits = 1;
    let mut api = with(setup).await;
    let (_told, go) = api.waiting.take().expect("not taken yet");
    for input in ["wait", "red"] {
        let request = request("POST", EMBED, &json!({"input": input}));
        let request = request.insert_header(header("x-timeout-ms", "20"));
        api.send(request)
            .await
            .openai_error(504, "deadline_exceeded");
    }
    go.send(()).unwrap();
    for bad in ["0", "soon", "600001"] {
        let request = TestRequest::with_uri("/v1/collections");
        let request = request.insert_header(header("x-timeout-ms", bad));
        api.send(request).await.problem(400, "invalid_argument");
    }
}

#[actix_web::test]
async fn trainings_have_the_longest_time_unless_the_request_says_otherwise() {
    let mut setup = Setup::default();
    setup.limits.timeout_ms = 1;
    let api = with(setup).await;
    let send = |method: &str, path: &str, body: &Value| {
        let request = request(method, path, body);
        api.send(request.insert_header(header("x-timeout-ms", "60000")))
    };
    let event = |n: usize| json!({"kind": "view", "collection": "shop", "user": format!("u{}", n % 200), "items": [format!("i{}", n % 77)]});
    let events: Vec<_> = (0..1_000).map(event).collect();
    let collection = json!({"vectors": {"shared": {"dim": 3}}});
    send("PUT", "/v1/collections/shop", &collection).await.ok();
    send("POST", "/v1/events", &json!(events)).await.ok();
    let trained = api
        .post("/v1/collections/shop/train", json!(null))
        .await
        .ok();
    assert_eq!(trained["active"], true, "{trained}");
}

#[actix_web::test]
async fn metrics_count_routes_not_paths() {
    let api = api().await;
    api.shop().await;
    api.get("/v1/collections/shop/items/shoe").await.ok();
    api.get("/v1/collections/shop/items/none").await;
    api.get("/nowhere").await;
    let metrics = api.get("/metrics").await.text;
    for line in [
        "vitrine_http_requests_total{method=\"GET\",route=\"/v1/collections/{c}/items/{id}\",status=\"200\"} 1",
        "vitrine_http_requests_total{method=\"GET\",route=\"/v1/collections/{c}/items/{id}\",status=\"404\"} 1",
        "vitrine_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "vitrine_http_request_seconds_count{method=\"PUT\",route=\"/v1/collections/{c}/items\"} 1",
        "vitrine_collection_items{collection=\"shop\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

/// Returns `count` items with vectors of 3 components, numbered from `from`.
fn items(from: usize, count: usize) -> Vec<Value> {
    let item = |n| json!({"id": format!("item-{n}"), "vectors": {"shared": [n, 1, 2]}});
    (from..from + count).map(item).collect()
}

fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

#[actix_web::test]
async fn what_would_pass_the_memory_bound_is_refused_and_the_rest_goes_on() {
    let mut setup = Setup::default();
    setup.limits.memory_bytes = 60_000;
    let api = with(setup).await;
    api.shop().await;
    let path = "/v1/collections/shop/items";
    let answer = api.put(path, json!(items(0, 1_000))).await;
    let problem = answer.problem(507, "memory_full");
    let detail = problem["detail"].as_str().unwrap();
    for part in [
        "limits.memory_bytes is 60000",
        "exceeds it by",
        "delete items",
    ] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    api.put(path, json!(items(0, 50))).await.ok();
    assert_eq!(api.get("/v1/collections/shop").await.ok()["items"], 53);

    // An import reports line by line; lines rejected because memory is full can be sent again
    // later.
    let import = format!("{path}/import");
    let sent = items(100, 600);
    let answer = api.send(raw("POST", &import, NDJSON, lines(&sent))).await;
    let answers: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON a line"))
        .collect();
    let summary = &answers[600]["summary"];
    let rejected: Vec<_> = (0..600)
        .filter(|n| answers[*n]["status"] == "rejected")
        .collect();
    assert!(!rejected.is_empty());
    assert_eq!(summary["rejected"], rejected.len());
    for n in &rejected {
        assert_eq!(answers[*n]["code"], "memory_full", "{}", answers[*n]);
        assert_eq!(answers[*n]["index"], n + 1);
    }
    for (n, item) in sent.iter().enumerate() {
        let there = api
            .get(&format!("{path}/{}", item["id"].as_str().unwrap()))
            .await;
        assert_eq!(there.status == 404, rejected.contains(&n), "{item}");
    }
    let query = json!({"query": {"vector": [1, 1, 2]}, "limit": 20});
    let found = api.post("/v1/collections/shop/search", query).await.ok();
    assert_eq!(found["hits"].as_array().unwrap().len(), 20);
    let metrics = api.get("/metrics").await.text;
    for line in [
        "vitrine_memory_limit_bytes 60000",
        "vitrine_writes_refused{bound=\"disk\"} 0",
        "vitrine_index_memory_bytes{collection=\"shop\",component=\"unsealed\",space=\"shared\"}",
        "vitrine_collection_records_bytes{collection=\"shop\"}",
        "vitrine_disk_free_bytes",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(!metrics.contains("vitrine_writes_refused{bound=\"memory\"} 0"));

    // Those that were accepted: a batch of lines that does not fit is refused as a whole, and how
    // many lines are in a batch depends on when they arrive.
    let accepted: Vec<_> = (0..600)
        .filter(|n| !rejected.contains(n))
        .map(|n| sent[n]["id"].clone())
        .collect();
    let accepted = json!({"filter": {"must": [{"has_id": accepted}]}});
    api.post(&format!("{path}/delete"), accepted).await.ok();
    let again: Vec<_> = rejected[..50].iter().map(|n| sent[*n].clone()).collect();
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = api.send(raw("POST", &import, NDJSON, lines(&again))).await;
        let last: Value = serde_json::from_str(answer.text.lines().last().unwrap()).unwrap();
        if last["summary"]["created"] == 50 {
            break;
        }
        assert!(Instant::now() < patience, "{last}");
    }
}

#[actix_web::test]
async fn the_disk_reserve_is_left_alone() {
    let mut setup = Setup::default();
    setup.limits.disk_reserve_bytes = u64::MAX / 2;
    let api = with(setup).await;
    let config = json!({"vectors": {"shared": {"dim": 3}}});
    api.put("/v1/collections/shop", config).await.ok();
    let path = "/v1/collections/shop/items";
    let refused = api.put(path, json!(items(0, 1))).await;
    let problem = refused.problem(507, "disk_full");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("limits.disk_reserve_bytes")
    );
    let event = json!([{"kind": "view", "collection": "shop", "user": "u", "items": ["a"]}]);
    api.post("/v1/events", event)
        .await
        .problem(507, "disk_full");
    let answer = api
        .send(raw(
            "POST",
            &format!("{path}/import"),
            NDJSON,
            lines(&items(0, 2)),
        ))
        .await;
    let first: Value = serde_json::from_str(answer.text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["status"], &first["code"]),
        (&json!("rejected"), &json!("disk_full"))
    );
}
