//! Experiments through the API: assignment, interleaving, results.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{api, ids};

const SEARCH: &str = "/v1/collections/shop/search";
const EXPERIMENT: &str = "/v1/collections/shop/experiments/order";

fn body(user: &str) -> Value {
    json!({"query": {"text": "red"}, "mode": "lexical", "experiment": "order", "user": user, "limit": 2})
}

#[actix_web::test]
async fn each_user_has_one_variant_and_its_results() {
    let api = api().await;
    api.shop().await;
    let experiment = json!({"variants": [
        {"name": "cheap", "search": {"sort": ["price"]}},
        {"name": "dear", "search": {"sort": ["price:desc"]}}
    ]});
    let stored = api.put(EXPERIMENT, experiment).await.ok();
    assert_eq!(
        (&stored["id"], &stored["kind"]),
        (&json!("order"), &json!("split"))
    );
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for n in 0..40 {
        let mut request = json!({"limit": 2, "experiment": "order", "user": format!("u{n}")});
        let answer = api.post(SEARCH, request.clone()).await.ok();
        let variant = answer["experiment"]["variant"]
            .as_str()
            .expect("a variant")
            .to_owned();
        let first = ids(&answer)[0].to_owned();
        assert_eq!(first, if variant == "cheap" { "lamp" } else { "boot" });
        // The next page is of the same variant, and the request wins over it.
        request["cursor"] = answer["next_cursor"].clone();
        assert_eq!(
            api.post(SEARCH, request.clone()).await.ok()["experiment"]["variant"],
            variant
        );
        let own = json!({"experiment": "order", "user": format!("u{n}"), "sort": ["price"]});
        let own = api.post(SEARCH, own).await.ok();
        assert_eq!(ids(&own)[0], "lamp");
        if variant == "dear" {
            let event = json!({"kind": "click", "collection": "shop", "user": format!("u{n}"), "items": [first], "request_id": answer["request_id"]});
            api.post("/v1/events", event).await.ok();
        }
        users.entry(variant).or_default().insert(format!("u{n}"));
    }
    assert_eq!(users.len(), 2, "{users:?}");
    let nobody = api
        .post(SEARCH, json!({"experiment": "order", "limit": 1}))
        .await
        .ok();
    assert_eq!(ids(&nobody), ["lamp"], "the control");
    assert!(nobody.get("experiment").is_none());
    let results = api.get(&format!("{EXPERIMENT}/results")).await.ok();
    let variants = results["variants"].as_array().unwrap();
    assert_eq!(
        (&variants[0]["name"], &variants[1]["name"]),
        (&json!("cheap"), &json!("dear"))
    );
    for variant in variants {
        let own = &users[variant["name"].as_str().unwrap()];
        assert_eq!(variant["users"], own.len());
        assert_eq!(variant["searches"], 2 * own.len());
    }
    let difference = &variants[1]["differences"]["click_through"];
    assert_eq!(
        (&difference["difference"], &difference["significant"]),
        (&json!(0.5), &json!(true))
    );
    api.delete(EXPERIMENT).await.ok();
    api.post(SEARCH, body("u1"))
        .await
        .problem(404, "setting_not_found");
}

#[actix_web::test]
async fn interleaved_hits_are_credited_to_their_variant() {
    let api = api().await;
    api.shop().await;
    let experiment = json!({"kind": "interleaving", "variants": [
        {"name": "cheap", "search": {"sort": ["price"]}},
        {"name": "dear", "search": {"sort": ["price:desc"]}}
    ]});
    api.put(EXPERIMENT, experiment).await.ok();
    let mut firsts = BTreeSet::new();
    for n in 0..30 {
        let user = format!("u{n}");
        let request = json!({"experiment": "order", "user": user, "limit": 2});
        let answer = api.post(SEARCH, request.clone()).await.ok();
        let hits: Vec<_> = ids(&answer).into_iter().map(str::to_owned).collect();
        assert_eq!(hits.iter().collect::<BTreeSet<_>>().len(), 2);
        assert_eq!(
            answer["experiment"],
            json!({"id": "order"}),
            "teams are not shown"
        );
        assert!(answer.get("next_cursor").is_none());
        let mut next = request.clone();
        next["offset"] = json!(2);
        let next = api.post(SEARCH, next).await.ok();
        assert_eq!(ids(&next).len(), 1);
        assert!(
            !hits.contains(&ids(&next)[0].to_owned()),
            "pages fit together"
        );
        // Users click the boot, which the second variant has first.
        let event = json!({"kind": "click", "collection": "shop", "user": user, "items": ["boot"], "request_id": answer["request_id"]});
        api.post("/v1/events", event).await.ok();
        firsts.insert(hits[0].clone());
    }
    assert_eq!(firsts, ["boot".to_owned(), "lamp".to_owned()].into());
    let results = api.get(&format!("{EXPERIMENT}/results")).await.ok();
    let found = &results["interleaving"];
    assert_eq!(
        (&found["searches"], &found["variant_wins"]),
        (&json!(30), &json!(30))
    );
    assert_eq!(
        (&found["significant"], &found["control_wins"]),
        (&json!(true), &json!(0))
    );
    let mut cursor = body("u1");
    cursor["cursor"] = json!("x");
    let problem = api
        .post(SEARCH, cursor)
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/cursor");
}

#[actix_web::test]
async fn an_invalid_experiment_is_refused() {
    let api = api().await;
    api.shop().await;
    let variant = |name: &str| json!({"name": name});
    let cases = [
        (json!({"variants": [variant("a")]}), "/variants"),
        (
            json!({"kind": "interleaving", "variants": [variant("a"), variant("b"), variant("c")]}),
            "/variants",
        ),
        (
            json!({"variants": [variant("a"), variant("a")]}),
            "/variants/1/name",
        ),
        (
            json!({"variants": [variant("a"), variant("B b")]}),
            "/variants/1/name",
        ),
        (
            json!({"variants": [variant("a"), {"name": "b", "share": -1}]}),
            "/variants/1/share",
        ),
        (
            json!({"variants": [{"name": "a", "share": 0}, {"name": "b", "share": 0}]}),
            "/variants/0/share",
        ),
        (
            json!({"variants": [variant("a"), {"name": "b", "search": {"limit": 0}}]}),
            "/variants/1/search/limit",
        ),
        (
            json!({"variants": [variant("a"), {"name": "b", "search": {"query": {"text": "x"}}}]}),
            "/variants/1/search/query",
        ),
        (
            json!({"variants": [variant("a"), {"name": "b", "search": {"experiment": "c"}}]}),
            "/variants/1/search/experiment",
        ),
    ];
    for (experiment, pointer) in cases {
        let problem = api
            .put(EXPERIMENT, experiment)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(
        api.get("/v1/collections/shop/experiments").await.ok()["experiments"],
        json!([])
    );
}
