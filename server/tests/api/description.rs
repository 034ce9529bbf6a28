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
    let docs = api.get("/docs/api").await;
    assert_eq!(docs.header("location"), "/docs/api/");
    let page = api.get("/docs/api/").await;
    assert!(page.text.contains("swagger-ui"), "{page:?}");
    let script = api.get("/docs/api/swagger-initializer.js").await;
    assert!(script.text.contains("/openapi.json"), "{script:?}");
    let none = api.get("/docs/api/none.js").await;
    none.problem(404, "route_not_found");
}

/// Returns the alternatives of a schema, each by its type.
fn alternatives(schema: &Value, keyword: &str) -> Vec<String> {
    let list = schema[keyword].as_array().expect("alternatives").iter();
    list.map(|one| one["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[test]
fn a_value_of_a_filter_may_match_several_types_and_a_weighted_item_one() {
    let schemas = &document()["components"]["schemas"];
    let scalar = alternatives(&schemas["Scalar"], "anyOf");
    assert_eq!(scalar, ["boolean", "integer", "number", "string"]);
    let weighted = &schemas["WeightedItem"];
    assert_eq!(alternatives(weighted, "oneOf"), ["string", "object"]);
    let object = &weighted["oneOf"][1];
    assert_eq!(object["required"], serde_json::json!(["id"]));
    assert_eq!(object["properties"]["weight"]["default"], 1.0);
    assert_eq!(object["additionalProperties"], false);
}

#[test]
fn no_alternative_of_one_of_is_contained_in_another() {
    fn check(value: &Value, at: &str, checked: &mut usize) {
        if let Some(list) = value["oneOf"].as_array() {
            let types: Vec<_> = list.iter().filter_map(|one| one["type"].as_str()).collect();
            let both = types.contains(&"integer") && types.contains(&"number");
            assert!(!both, "{at}: an integer is a number too; use anyOf");
            *checked += 1;
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    check(field, &format!("{at}/{name}"), checked);
                }
            }
            Value::Array(list) => list.iter().for_each(|one| check(one, at, checked)),
            _ => {}
        }
    }
    let mut checked = 0;
    check(&document(), "", &mut checked);
    assert!(checked > 10, "{checked}");
}
