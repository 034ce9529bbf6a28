//! Load: refusals, deadlines, metrics.

use actix_web::test::TestRequest;
use futures_util::future::join;
use serde_json::json;

use crate::harness::{Setup, api, header, request, with};

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
        refused.problem(429, "overloaded");
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
        api.send(request).await.problem(504, "deadline_exceeded");
    }
    go.send(()).unwrap();
    for bad in ["0", "soon", "600001"] {
        let request = TestRequest::with_uri("/v1/collections");
        let request = request.insert_header(header("x-timeout-ms", bad));
        api.send(request).await.problem(400, "invalid_argument");
    }
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
