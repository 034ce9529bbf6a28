//! Changes with a condition on the stored version: `If-Match` and `If-None-Match`.

use serde_json::{Value, json};

use crate::harness::{Answer, api, header, request};

const RULES: &str = "/v1/collections/shop/rules";
const RULE: &str = "/v1/collections/shop/rules/r";
const ITEM: &str = "/v1/collections/shop/items/lamp";

fn rule(pinned: &str) -> Value {
    json!({"when": {"query": {"is": ["lamp"]}}, "then": {"pin": [{"id": pinned, "position": 1}]}})
}

/// Sends a change with a condition.
macro_rules! send {
    ($api:expr, $method:expr, $path:expr, $body:expr, $name:expr, $value:expr) => {{
        let request = request($method, $path, &$body);
        $api.send(request.insert_header(header($name, $value)))
            .await
    }};
}

fn tag(answer: &Answer) -> String {
    let tag = answer.header("etag").to_owned();
    assert_eq!(tag.len(), 34, "{tag}");
    tag
}

#[actix_web::test]
async fn a_setting_is_changed_only_in_the_version_that_was_read() {
    let api = api().await;
    api.shop().await;
    let first = send!(api, "PUT", RULE, rule("lamp"), "if-none-match", "*");
    let first_tag = tag(&first);
    first.ok();
    let taken = send!(api, "PUT", RULE, rule("shoe"), "if-none-match", "*");
    taken.problem(412, "precondition_failed");

    assert_eq!(tag(&api.get(RULE).await), first_tag);
    let second = send!(api, "PUT", RULE, rule("shoe"), "if-match", &first_tag);
    let second_tag = tag(&second);
    second.ok();
    let late = send!(api, "PUT", RULE, rule("boot"), "if-match", &first_tag);
    let late = late.problem(412, "precondition_failed");
    let detail = late["detail"].as_str().unwrap();
    assert!(detail.contains(&second_tag), "{detail}");
    let stored = api.get(RULE).await.ok();
    assert_eq!(stored["then"]["pin"][0]["id"], "shoe");

    let late = send!(api, "DELETE", RULE, Value::Null, "if-match", &first_tag);
    late.problem(412, "precondition_failed");
    let either = format!("{first_tag}, {second_tag}");
    let gone = send!(api, "DELETE", RULE, Value::Null, "if-match", &either);
    assert_eq!(gone.status, 204);
    let absent = send!(api, "PUT", RULE, rule("lamp"), "if-match", "*");
    absent.problem(412, "precondition_failed");
}

#[actix_web::test]
async fn a_list_of_settings_is_replaced_only_in_the_version_that_was_read() {
    let api = api().await;
    api.shop().await;
    let before = tag(&api.get(RULES).await);
    api.put(RULE, rule("lamp")).await.ok();
    let none = json!({"rules": []});
    let late = send!(api, "PUT", RULES, none, "if-match", &before);
    late.problem(412, "precondition_failed");
    let now = tag(&api.get(RULES).await);
    send!(api, "PUT", RULES, none, "if-match", &now).ok();
    assert_eq!(tag(&api.get(RULES).await), before);
}

#[actix_web::test]
async fn an_item_is_changed_only_in_the_version_that_was_read() {
    let api = api().await;
    api.shop().await;
    let first = tag(&api.get(ITEM).await);
    let patch = json!({"attributes": {"color": "green"}});
    let patched = send!(api, "PATCH", ITEM, patch, "if-match", &first);
    let second = tag(&patched);
    patched.ok();
    assert_ne!(first, second);
    assert_eq!(tag(&api.get(ITEM).await), second);
    send!(api, "PATCH", ITEM, patch, "if-match", &first).problem(412, "precondition_failed");
    send!(api, "DELETE", ITEM, Value::Null, "if-match", &first).problem(412, "precondition_failed");
    let gone = send!(api, "DELETE", ITEM, Value::Null, "if-match", &second);
    assert_eq!(gone.status, 204);
    let missing = send!(api, "DELETE", ITEM, Value::Null, "if-match", &second);
    missing.problem(404, "item_not_found");
}

#[actix_web::test]
async fn conditions_that_cannot_be_met_are_refused_and_named() {
    let api = api().await;
    api.shop().await;
    for (name, value) in [
        ("if-match", "not quoted"),
        ("if-match", ""),
        ("if-none-match", "\"0a\""),
    ] {
        let problem = send!(api, "PUT", RULE, rule("lamp"), name, value);
        let problem = problem.problem(400, "invalid_argument");
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.contains(name), "{problem}");
    }
    let many = send!(
        api,
        "PUT",
        "/v1/collections/shop/items",
        json!([]),
        "if-match",
        "*"
    );
    let many = many.problem(400, "invalid_argument");
    assert!(many["detail"].as_str().unwrap().contains("PATCH"), "{many}");
}
