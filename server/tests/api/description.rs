//! The OpenAPI document matches the route table.

use std::collections::BTreeSet;

use serde_json::Value;
use vitrine_server::{app, openapi};

use crate::harness::api;

fn document() -> Value {
    serde_json::from_str(&openapi::text()).expect("JSON")
}

#[actix_web::test]
async fn it_lists_every_route_and_no_other() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let table: BTreeSet<_> = app::table()
        .iter()
        .filter(|entry| {
            !["/docs", "/console"]
                .iter()
                .any(|page| entry.path.starts_with(page))
        })
        .flat_map(|entry| {
            let methods: Vec<_> = entry
                .methods()
                .map(|m| format!("{m} {}", entry.path))
                .collect();
            methods
        })
        .collect();
    assert_eq!(described, table);
}

#[actix_web::test]
async fn every_path_parameter_and_reference_is_there() {
    let document = document();
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let empty = Vec::new();
            let declared: BTreeSet<_> = operation["parameters"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .filter(|p| p["in"] == "path")
                .filter_map(|p| p["name"].as_str())
                .collect();
            let used: BTreeSet<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(declared, used, "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn it_is_served_with_pages_to_read_it() {
    let api = api().await;
    assert_eq!(api.get("/openapi.json").await.ok(), document());
    let docs = api.get("/docs").await;
    assert_eq!(docs.header("location"), "/docs/");
    let page = api.get("/docs/").await;
    assert!(page.text.contains("swagger-ui"), "{page:?}");
    let script = api.get("/docs/swagger-initializer.js").await;
    assert!(script.text.contains("/openapi.json"), "{script:?}");
    let none = api.get("/docs/none.js").await;
    none.problem(404, "route_not_found");
}
