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
    assert_eq!(api.send(link).await.status, 303, "to the page itself");
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

#[actix_web::test]
async fn work_that_is_unbounded_by_itself_ends_at_the_deadline() {
    let api = api().await;
    let config = json!({"attributes": {"tag": "keyword"}, "vectors": {"shared": {"dim": 512}}});
    api.put("/v1/collections/shop", config).await.ok();
    for start in (0..4_000).step_by(500) {
        let item = |n: usize| {
            let tags: Vec<String> = (0..20).map(|i| format!("t{}", n * 20 + i)).collect();
            let vector: Vec<f32> = (0..512).map(|i| ((n * 31 + i * 7) % 101) as f32).collect();
            json!({"id": format!("i{n}"), "attributes": {"tag": tags}, "vectors": {"shared": vector}})
        };
        let items: Vec<Value> = (start..start + 500).map(item).collect();
        api.put("/v1/collections/shop/items", json!(items))
            .await
            .ok();
    }
    // 1 ms passes in the middle of counting 80,000 values, and of comparing 1,000 x 4,000 vectors.
    let facets = json!({"facets": [{"field": "tag"}]});
    let vector: Vec<f32> = (0..512).map(|i| i as f32).collect();
    let diverse = json!({
        "query": {"vector": vector}, "limit": 1000, "diversify": {"mmr": 0.5}
    });
    for (path, body) in [("/v1/collections/shop/facets", facets), (SEARCH, diverse)] {
        let late = request("POST", path, &body).insert_header(header("x-timeout-ms", "1"));
        api.send(late).await.problem(504, "deadline_exceeded");
        // The permits are free again at once.
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !api
            .get("/metrics")
            .await
            .text
            .contains("vitrine_permits_in_use{kind=\"search\"} 0")
        {
            assert!(
                std::time::Instant::now() < patience,
                "{path} holds its permit"
            );
        }
    }
    let twice = json!({"facets": [{"field": "tag"}, {"field": "tag"}]});
    let answer = api.post("/v1/collections/shop/facets", twice).await;
    let problem = answer.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/facets/1/field");
}

#[actix_web::test]
async fn lists_of_filters_are_bounded() {
    let api = api().await;
    api.shop().await;
    let count = |ids: usize| {
        let ids: Vec<String> = (0..ids).map(|n| n.to_string()).collect();
        json!({"filter": {"must": [{"has_id": ids}]}})
    };
    let path = "/v1/collections/shop/items/count";
    assert_eq!(api.post(path, count(10_000)).await.ok()["count"], 0);
    let problem = api
        .post(path, count(10_001))
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/filter/must/0/has_id");
}

#[actix_web::test]
async fn settings_count_as_memory_and_are_bounded_together() {
    let mut setup = Setup::default();
    setup.limits.memory_bytes = 2_000_000;
    let api = with(setup).await;
    api.shop().await;
    let rule = |n: usize, ids: usize| {
        let ids: Vec<String> = (0..ids)
            .map(|i| format!("{n}-{i}-{}", "x".repeat(400)))
            .collect();
        json!({"then": {"hide": ids}})
    };
    let put = |n: usize| {
        let path = format!("/v1/collections/shop/rules/r{n}");
        request("PUT", &path, &rule(n, 500))
    };
    let mut refused = None;
    for n in 0..20 {
        let answer = api.send(put(n)).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    refused.expect("a refusal").problem(507, "memory_full");
    api.delete("/v1/collections/shop/rules/r0").await.ok();
}

#[actix_web::test]
async fn events_count_as_memory_before_they_are_stored() {
    let mut setup = Setup::default();
    setup.limits.memory_bytes = 1_000_000;
    let api = with(setup).await;
    api.shop().await;
    let events = |n: usize| {
        let items: Vec<String> = (0..100).map(|i| format!("unknown-{n}-{i}")).collect();
        let event = json!({"kind": "view", "collection": "shop", "user": "u", "items": items});
        json!([event])
    };
    let mut refused = None;
    for n in 0..1_000 {
        let answer = api.post("/v1/events", events(n)).await;
        if !answer.status.is_success() {
            refused = Some(answer);
            break;
        }
    }
    refused.expect("a refusal").problem(507, "memory_full");
    let metrics = api.get("/metrics").await.text;
    assert!(
        metrics.contains("vitrine_writes_refused{bound=\"memory\"} 1"),
        "{metrics}"
    );
}
