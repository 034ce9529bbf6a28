//! Merchandising rules.

use serde_json::{Value, json};

use crate::harness::{api, ids};

const SEARCH: &str = "/v1/collections/shop/search";
const RULES: &str = "/v1/collections/shop/rules";

fn rule(id: &str) -> String {
    format!("{RULES}/{id}")
}

#[actix_web::test]
async fn a_rule_acts_from_the_next_request_on_until_it_is_deleted() {
    let api = api().await;
    api.shop().await;
    let query = || json!({"query": {"text": "Blue lamps"}, "mode": "lexical"});
    assert_eq!(ids(&api.post(SEARCH, query()).await.ok()), ["lamp"]);
    let body = json!({
        "when": {"query": {"contains": ["lamp"]}}, "then": {"pin": [{"id": "boot", "position": 1}]}
    });
    let set = api.put(&rule("boots"), body).await.ok();
    assert_eq!(
        (&set["id"], &set["enabled"]),
        (&json!("boots"), &json!(true))
    );
    let found = api.post(SEARCH, query()).await.ok();
    assert_eq!(ids(&found), ["boot", "lamp"]);
    assert_eq!(found["rules"], json!([{"id": "boots", "pinned": ["boot"]}]));
    assert_eq!(found["hits"][0]["reason"]["code"], "pinned");
    let mut off = query();
    off["rules"] = json!(false);
    let found = api.post(SEARCH, off).await.ok();
    assert_eq!((ids(&found), found.get("rules")), (vec!["lamp"], None));
    assert_eq!(api.get(RULES).await.ok(), json!({"rules": [set]}));
    assert_eq!(api.get(&rule("boots")).await.ok(), set);
    api.delete(&rule("boots")).await.ok();
    assert_eq!(ids(&api.post(SEARCH, query()).await.ok()), ["lamp"]);
    api.delete(&rule("boots"))
        .await
        .problem(404, "setting_not_found");
    let missing = api
        .get(&rule("boots"))
        .await
        .problem(404, "setting_not_found");
    assert!(missing["detail"].as_str().unwrap().contains("`boots`"));
}

#[actix_web::test]
async fn a_text_is_what_rules_go_by_also_where_vectors_or_understanding_search() {
    let api = api().await;
    api.shop().await;
    let body =
        json!({"when": {"query": {"is": ["blue", "blue under 10"]}}, "then": {"hide": ["lamp"]}});
    api.put(&rule("hide"), body).await.ok();
    for (body, hidden) in [
        (json!({"query": {"text": "blue"}, "mode": "vector"}), true),
        (json!({"query": {"text": "blue"}}), true),
        (json!({"query": {"text": "red"}, "mode": "vector"}), false),
        (json!({"query": {"vector": [0, 0, 1]}}), false),
        (
            json!({"query": {"vector": [0, 0, 1]}, "lexical": {"text": "blue"}}),
            true,
        ),
    ] {
        let found = api.post(SEARCH, body.clone()).await.ok();
        assert_eq!(!ids(&found).contains(&"lamp"), hidden, "{body}");
    }
    let all = json!({"then": {"hide": "category = Home"}});
    api.put(&rule("all"), all).await.ok();
    let similar = "/v1/collections/shop/items/shoe/similar";
    let found = api.get(similar).await.ok();
    assert_eq!(ids(&found), ["boot"]);
    assert_eq!(found["rules"], json!([{"id": "all", "hidden": 1}]));
    let found = api.get(&format!("{similar}?rules=false")).await.ok();
    assert_eq!(ids(&found), ["boot", "lamp"]);
    let recommend = "/v1/collections/shop/recommend";
    let found = api.post(recommend, json!({})).await.ok();
    assert!(!ids(&found).contains(&"lamp"));
    assert_eq!(found["rules"][0]["id"], "all");
    let found = api.post(recommend, json!({"rules": false})).await.ok();
    assert!(ids(&found).contains(&"lamp"));
}

#[actix_web::test]
async fn all_rules_are_replaced_in_one_step_or_not_at_all() {
    let api = api().await;
    api.shop().await;
    let hide = |id: &str| json!({"id": id, "then": {"hide": ["lamp"]}});
    api.put(RULES, json!({"rules": [hide("b"), hide("a")]}))
        .await
        .ok();
    let listed = api.get(RULES).await.ok();
    let of = |listed: &Value| {
        let rules = listed["rules"].as_array().expect("rules").iter();
        rules
            .map(|r| r["id"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&listed), ["a", "b"]);
    for (bad, at) in [
        (
            json!({"rules": [hide("c"), {"id": "d", "then": {}}]}),
            "/rules/1/then",
        ),
        (json!({"rules": [hide("c"), hide("c")]}), "/rules/1/id"),
        (json!({"rules": [{"then": {"hide": ["x"]}}]}), "/rules/0/id"),
        (
            json!({"rules": [{"id": "c", "then": {"hide": 1}}]}),
            "/rules/0/then/hide",
        ),
        (
            json!({"rules": [{"id": "c", "then": {"hide": ["x"], "smell": 1}}]}),
            "/rules/0/then/smell",
        ),
    ] {
        let problem = api.put(RULES, bad).await.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], at, "{problem}");
    }
    assert_eq!(of(&api.get(RULES).await.ok()), ["a", "b"]);
    let other = json!({"id": "x", "then": {"hide": ["lamp"]}});
    let problem = api
        .put(&rule("y"), other)
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/id");
    api.put(RULES, json!({"rules": []})).await.ok();
    assert_eq!(api.get(RULES).await.ok(), json!({"rules": []}));
    let none = api.get("/v1/collections/none/rules").await;
    none.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn rules_are_tried_on_a_question_to_come() {
    let api = api().await;
    api.shop().await;
    let body = json!({
        "when": {"query": {"is": ["lamps"]}}, "then": {"hide": ["lamp"]}, "valid_from": "2100-01-01T00:00:00Z"
    });
    api.put(&rule("later"), body).await.ok();
    let test = format!("{RULES}/test");
    let tried = api.post(&test, json!({"text": "lamp"})).await.ok();
    assert_eq!(
        tried,
        json!({"rules": [{"id": "later", "inactive_reason": "not_yet_valid"}]})
    );
    let at = "2100-01-01T00:00:00Z";
    let tried = api
        .post(&test, json!({"text": "Lamp", "at": at}))
        .await
        .ok();
    assert_eq!(tried, json!({"rules": [{"id": "later"}]}));
    let tried = api
        .post(&test, json!({"text": "shoe", "at": at}))
        .await
        .ok();
    assert_eq!(
        tried,
        json!({"rules": [{"id": "later", "inactive_reason": "query"}]})
    );
    let problem = api
        .post(&test, json!({"at": "soon"}))
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/at");
}
