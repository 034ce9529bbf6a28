//! Several searches in one request.

use serde_json::{Value, json};
use vitrine_server::auth::{Action, Key, Keys};

use crate::harness::{Setup, api, header, ids, request, with};

const MULTI_SEARCH: &str = "/v1/multi_search";

#[actix_web::test]
async fn answers_come_in_order_and_are_those_of_single_searches() {
    let api = api().await;
    api.shop().await;
    let searches = [
        json!({"query": {"vector": [0, 0, 1]}, "limit": 2}),
        json!({"query": {"text": "red"}, "filter": "price < 100"}),
        json!({"query": {"item": "shoe"}, "facets": [{"field": "color"}]}),
    ];
    let body: Vec<_> = searches
        .iter()
        .map(|s| json!({"collection": "shop", "search": s}))
        .collect();
    let found = api.post(MULTI_SEARCH, json!({"searches": body})).await.ok();
    let results = found["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for (result, search) in results.iter().zip(searches) {
        assert_eq!(result["status"], 200);
        let alone = api.post("/v1/collections/shop/search", search).await.ok();
        assert!(!ids(&alone).is_empty());
        assert_eq!(result["answer"]["hits"], alone["hits"]);
        assert_eq!(result["answer"]["facets"], alone["facets"]);
    }
}

#[actix_web::test]
async fn an_error_of_one_search_does_not_affect_others_and_points_into_the_body() {
    let api = api().await;
    api.shop().await;
    let good = json!({"query": {"vector": [1, 0, 0]}});
    let cases = [
        (json!({"collection": "shop", "search": good}), 200, ""),
        (json!({"collection": "none", "search": good}), 404, ""),
        (
            json!({"collection": "shop", "search": {"query": {"vector": [1, 0, 0]}, "limit": 0}}),
            400,
            "/search/limit",
        ),
        (
            json!({"collection": "shop", "search": {"query": {"vector": [1, 0, 0]}, "wrong": 1}}),
            400,
            "/search/wrong",
        ),
        (
            json!({"collection": "shop", "search": {"query": {"vector": [1, "x", 0]}}}),
            400,
            "/search/query/vector/1",
        ),
        (json!({"search": good}), 400, ""),
        (json!({"collection": 3, "search": good}), 400, "/collection"),
        (json!(["shop", good]), 400, ""),
        (
            json!({"collection": "shop", "search": {"query": {"text": "red"}, "filter": {"must": [{"key": "none", "match": {"value": 1}}]}}}),
            400,
            "/search/filter/must/0/key",
        ),
    ];
    let searches: Vec<&Value> = cases.iter().map(|(search, ..)| search).collect();
    let found = api
        .post(MULTI_SEARCH, json!({"searches": searches}))
        .await
        .ok();
    for (i, (search, status, pointer)) in cases.iter().enumerate() {
        let result = &found["results"][i];
        assert_eq!(result["status"], *status, "{search}: {result}");
        assert_eq!(result["answer"].is_object(), *status == 200, "{result}");
        let problem = &result["problem"];
        if *status == 400 {
            let whole = format!("/searches/{i}{pointer}");
            assert_eq!(problem["errors"][0]["pointer"], whole, "{problem}");
        }
        if *status != 200 {
            assert_eq!(problem["status"], *status, "{problem}");
            assert!(!problem["request_id"].as_str().unwrap().is_empty());
        }
    }
}

#[actix_web::test]
async fn too_many_no_searches_and_other_types_are_rejected() {
    let api = api().await;
    api.shop().await;
    let one = json!({"collection": "shop", "search": {"query": {"vector": [1, 0, 0]}}});
    for (body, pointer) in [
        (json!({"searches": []}), "/searches"),
        (json!({"searches": vec![&one; 51]}), "/searches"),
        (json!({"searches": one}), "/searches"),
        (json!({"searches": [one], "more": 1}), "/more"),
        (json!({}), ""),
    ] {
        let problem = api
            .post(MULTI_SEARCH, body)
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let found = api
        .post(MULTI_SEARCH, json!({"searches": vec![&one; 50]}))
        .await;
    let found = found.ok();
    let all = found["results"].as_array().unwrap();
    assert!(
        all.len() == 50 && all.iter().all(|r| r["status"] == 200),
        "none is refused for load"
    );
}

#[actix_web::test]
async fn a_key_finds_only_what_it_covers() {
    let (reader, secret) =
        Key::create("r".into(), vec![Action::Read], vec!["shop".into()]).unwrap();
    let (owner, all) = Key::create(
        "o".into(),
        vec![Action::Read, Action::Write, Action::Admin],
        vec!["*".into()],
    )
    .unwrap();
    let keys = Keys {
        keys: vec![reader, owner],
    };
    let api = with(Setup {
        keys,
        ..Setup::default()
    })
    .await;
    let bearer = |secret: &str| header("authorization", &format!("Bearer {secret}"));
    for name in ["shop", "secret"] {
        let config = json!({"vectors": {"shared": {"dim": 3}}});
        let made = request("PUT", &format!("/v1/collections/{name}"), &config);
        api.send(made.insert_header(bearer(&all))).await.ok();
    }
    let search = json!({"query": {"vector": [1, 0, 0]}});
    let body = json!({"searches": [
        {"collection": "shop", "search": search}, {"collection": "secret", "search": search}, {"collection": "none", "search": search}
    ]});
    let asked = request("POST", MULTI_SEARCH, &body).insert_header(bearer(&secret));
    let found = api.send(asked).await.ok();
    let statuses: Vec<_> = (0..3)
        .map(|i| found["results"][i]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [200, 403, 403],
        "whether another collection is there is not told"
    );
    api.post(MULTI_SEARCH, body)
        .await
        .problem(401, "unauthorized");
}
