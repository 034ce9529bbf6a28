//! Guards: pages of other sites, foreign hosts, and bodies that take more memory than they seem to.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::harness::{Setup, api, header, raw, request, with};

const SEARCH: &str = "/v1/collections/shop/search";

#[actix_web::test]
async fn without_keys_pages_of_other_sites_are_refused() {
    let api = api().await;
    api.shop().await;
    let train = || TestRequest::post().uri("/v1/collections/shop/train?wait=false");
    let delete = || {
        let body = json!({"filter": {"must": [{"has_id": ["shoe"]}]}});
        request("POST", "/v1/collections/shop/items/delete", &body)
    };
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
    ] {
        for request in [train(), delete(), TestRequest::with_uri("/v1/collections")] {
            let request = request
                .insert_header(header("host", "localhost:7280"))
                .insert_header(header(name, value));
            api.send(request).await.problem(403, "cross_site");
        }
    }
    for host in ["evil.example", "127.0.0.1.evil.example:7280", "192.168.0.1"] {
        for request in [train(), delete(), TestRequest::with_uri("/v1/collections")] {
            let request = request.insert_header(header("host", host));
            api.send(request).await.problem(421, "misdirected_request");
        }
    }
    assert_eq!(api.get("/v1/collections/shop").await.ok()["items"], 3);
    // The console, links to it, and programs.
    for (host, name, value) in [
        ("localhost:7280", "origin", "http://localhost:7280"),
        ("127.0.0.1:7280", "sec-fetch-site", "same-origin"),
        ("[::1]:7280", "accept", "*/*"),
    ] {
        let request = TestRequest::with_uri("/v1/collections")
            .insert_header(header("host", host))
            .insert_header(header(name, value));
        api.send(request).await.ok();
    }
    let link = TestRequest::with_uri("/console")
        .insert_header(header("sec-fetch-site", "cross-site"))
        .insert_header(header("sec-fetch-mode", "navigate"));
    assert_eq!(api.send(link).await.status, 200);
}

#[actix_web::test]
async fn configured_hosts_and_their_pages_are_served() {
    let setup = Setup {
        allowed_hosts: vec!["shop.example".into()],
        ..Setup::default()
    };
    let api = with(setup).await;
    let request = TestRequest::with_uri("/v1/collections")
        .insert_header(header("host", "shop.example"))
        .insert_header(header("origin", "https://shop.example"));
    api.send(request).await.ok();
}

/// Returns a JSON text with a list of `count` zeros.
fn zeros(before: &str, count: usize, after: &str) -> String {
    format!("{before}{}0{after}", "0,".repeat(count - 1))
}

#[actix_web::test]
async fn lists_that_take_far_more_memory_than_bytes_are_refused_before_they_are_parsed() {
    let api = api().await;
    api.shop().await;
    let many = 8 << 20;
    for (method, path, body) in [
        (
            "POST",
            "/v1/multi_search",
            zeros(r#"{"searches": ["#, many, "]}"),
        ),
        (
            "POST",
            "/v1/collections/shop/items/count",
            zeros(
                r#"{"filter": {"must": [{"key": "color", "match": {"any": ["#,
                many,
                "]}}]}}",
            ),
        ),
        (
            "PUT",
            "/v1/collections/shop/items",
            zeros(r#"[{"id": "a", "attributes": {"color": ["#, many, "]}}]"),
        ),
        (
            "POST",
            SEARCH,
            zeros(r#"{"query": {"vector": ["#, 200_000, "]}}"),
        ),
    ] {
        let answer = api.send(raw(method, path, "application/json", body)).await;
        answer.problem(413, "body_too_large");
    }
    let few: Vec<Value> = (0..51).map(|_| json!({})).collect();
    let answer = api.post("/v1/multi_search", json!({"searches": few})).await;
    answer.problem(400, "invalid_argument");
}

#[actix_web::test]
async fn bodies_in_flight_are_bounded_together() {
    let mut setup = Setup::default();
    setup.limits.bodies_bytes = 1 << 20;
    let api = with(setup).await;
    api.shop().await;
    let item = json!([{"id": "large", "description": "x".repeat(600 << 10)}]);
    let refused = api.put("/v1/collections/shop/items", zeroed(item)).await;
    refused.problem(429, "overloaded");
    let item = json!([{"id": "small", "description": "x".repeat(60 << 10)}]);
    for _ in 0..40 {
        api.put("/v1/collections/shop/items", item.clone())
            .await
            .ok();
    }
}

/// Adds numbers that are small as text.
fn zeroed(mut items: Value) -> Value {
    items[0]["attributes"] = json!({"sizes": vec![0; 10_000]});
    items
}

#[actix_web::test]
async fn a_request_cannot_ask_for_more_time_than_allowed() {
    let mut setup = Setup::default();
    setup.limits.max_timeout_ms = 5_000;
    let api = with(setup).await;
    for (ms, status) in [("5000", 200), ("5001", 400)] {
        let request = TestRequest::with_uri("/v1/collections");
        let request = request.insert_header(header("x-timeout-ms", ms));
        assert_eq!(api.send(request).await.status, status, "{ms}");
    }
}

#[actix_web::test]
async fn values_of_items_are_bounded_and_the_error_names_the_field() {
    let api = api().await;
    api.shop().await;
    let deep = vec!["a"; 17].join(" > ");
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    let items = json!([
        {"id": "deep", "category": deep},
        {"id": "long", "brand": "b".repeat(1025)},
        {"id": "value", "attributes": {"color": "c".repeat(1025)}},
        {"id": "many", "attributes": {"color": many}},
        {"id": "currency", "price": {"amount": 1, "currency": "e".repeat(1025)}},
        {"id": "good", "category": vec!["a"; 16].join(" > "), "attributes": {"color": many[..256]}}
    ]);
    let written = api.put("/v1/collections/shop/items", items).await.ok();
    let results = written["results"].as_array().expect("results");
    let parts = [
        "/category: expected at most 16 levels, got 17",
        "/brand: expected at most 1024 bytes, got 1025",
        "/attributes/color: expected at most 1024 bytes",
        "/attributes/color: expected at most 256 values, got 257",
        "/price/currency: expected at most 1024 bytes",
    ];
    for (result, part) in results.iter().zip(parts) {
        let error = result["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{part} is not in {result}");
    }
    assert_eq!(results[5]["status"], "created");
    let info = api.get("/v1/collections/shop").await.ok();
    assert_eq!(info["quarantined"], 0);
}
