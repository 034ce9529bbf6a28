//! Search and similar items.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::harness::{Setup, api, ids, with};

const SEARCH: &str = "/v1/collections/shop/search";

#[actix_web::test]
async fn every_kind_of_query_finds_its_nearest() {
    let api = api().await;
    api.shop().await;
    for query in [
        json!({"vector": [0, 0, 2]}),
        json!({"text": "blue"}),
        json!({"image": STANDARD.encode("blue")}),
    ] {
        let body = json!({"query": query, "mode": "vector"});
        let found = api.post(SEARCH, body).await.ok();
        assert_eq!(ids(&found), ["lamp", "boot", "shoe"], "{query}");
        assert!((found["hits"][0]["score"].as_f64().unwrap() - 0.8).abs() < 1e-6);
        assert_eq!(found["hits"][0]["item"]["title"], "Blue lamp");
    }
    let body = json!({"query": {"item": "shoe"}, "limit": 1, "with_vectors": true});
    let found = api.post(SEARCH, body).await.ok();
    assert_eq!(ids(&found), ["boot"], "the item itself is left out");
    assert!(found["hits"][0]["item"]["vectors"]["shared"].is_array());
}

#[actix_web::test]
async fn both_forms_of_a_filter_find_the_same() {
    let api = api().await;
    api.shop().await;
    let tree = json!({
        "must": [{"key": "category", "match": {"value": "Clothing"}}],
        "must_not": [{"key": "price", "range": {"gte": 100}}]
    });
    let text = json!("category = \"Clothing\" AND NOT price >= 100");
    for filter in [tree, text] {
        let body = json!({"query": {"vector": [0, 1, 0]}, "filter": filter});
        assert_eq!(ids(&api.post(SEARCH, body).await.ok()), ["shoe"]);
    }
}

#[actix_web::test]
async fn similar_items_come_from_the_scope_asked_for() {
    let api = api().await;
    api.shop().await;
    for (params, wanted) in [
        ("scope=same", vec!["boot"]),
        ("scope=cross", vec!["lamp"]),
        ("scope=cross&categories=Home", vec!["lamp"]),
        ("scope=cross&categories=Toys,Home", vec!["lamp"]),
        ("scope=cross&categories=Toys", vec![]),
        ("categories=Toys,Home", vec!["lamp"]),
        ("", vec!["boot", "lamp"]),
        ("limit=1", vec!["boot"]),
        ("filter=color%20%3D%20blue", vec!["lamp"]),
    ] {
        let path = format!("/v1/collections/shop/items/shoe/similar?{params}");
        assert_eq!(ids(&api.get(&path).await.ok()), wanted, "{params}");
    }
    let similar = |params: &str| format!("/v1/collections/shop/items/shoe/similar?{params}");
    let cross = api.get(&similar("scope=cross")).await.ok();
    let hit = &cross["hits"][0];
    assert_eq!(hit["reason"]["code"], "similar", "{hit}");
    assert_eq!(hit["score"], hit["contributions"][0]["score"], "{hit}");
    assert_eq!(cross["fallbacks"], json!(["no_model", "no_transitions"]));
    let many = format!("categories={}", "a,".repeat(21));
    for params in [
        "categories=Home,,Toys",
        &many,
        "max_per_category=0&scope=cross",
    ] {
        let answer = api.get(&similar(params)).await;
        let problem = answer.problem(400, "invalid_argument");
        let pointer = problem["errors"][0]["pointer"].as_str().expect("a pointer");
        let wanted = ["/categories", "/diversify/max_per/category"];
        assert!(wanted.contains(&pointer), "{problem}");
    }
    for params in ["scope=acros", "categories=a&categories=b"] {
        let answer = api.get(&similar(params)).await;
        answer.problem(400, "invalid_argument");
    }
    let missing = api.get("/v1/collections/shop/items/none/similar").await;
    missing.problem(404, "item_not_found");
}

#[actix_web::test]
async fn a_query_that_cannot_be_embedded_is_refused_at_its_field() {
    let api = api().await;
    api.shop().await;
    for (query, pointer) in [
        (json!({"text": "mauve"}), "/query/text"),
        (json!({"text": " "}), "/query/text"),
        (json!({"image": "not base64!"}), "/query/image"),
        (
            json!({"image": STANDARD.encode("no image")}),
            "/query/image",
        ),
        (json!({"vector": [1, 2]}), "/query/vector"),
        (json!({"vector": [1e300, 0, 0]}), "/query/vector/0"),
        (json!({"vector": [0, 0, 0]}), "/query/vector"),
    ] {
        let answer = api.post(SEARCH, json!({"query": query})).await;
        let problem = answer.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let fail = json!({"query": {"text": "fail"}});
    let problem = api.post(SEARCH, fail).await.problem(500, "internal");
    assert!(
        !problem.to_string().contains("broken"),
        "causes stay in the log"
    );
}

#[actix_web::test]
async fn encoders_of_another_space_are_not_mixed_in() {
    let api = api().await;
    let config = json!({"vectors": {"shared": {"dim": 3}}, "fingerprint": "others"});
    api.put("/v1/collections/shop", config).await.ok();
    let red = json!({"query": {"text": "red"}});
    let answer = api.post(SEARCH, red.clone()).await;
    answer.problem(409, "fingerprint_mismatch");

    let config = json!({"vectors": {"shared": {"dim": 4}, "own": {"dim": 3}}});
    api.put("/v1/collections/wide", config).await.ok();
    let answer = api.post("/v1/collections/wide/search", red).await;
    let problem = answer.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/space");
    let own = json!({"query": {"text": "red"}, "space": "own"});
    let answer = api.post("/v1/collections/wide/search", own).await;
    let problem = answer.problem(400, "invalid_argument");
    assert!(problem["detail"].as_str().unwrap().contains("shared"));
}

#[actix_web::test]
async fn without_encoders_a_text_is_searched_by_its_words() {
    let setup = Setup {
        models: false,
        ..Setup::default()
    };
    let api = with(setup).await;
    api.shop().await;
    let found = api
        .post(SEARCH, json!({"query": {"text": "red"}}))
        .await
        .ok();
    assert_eq!(ids(&found), ["shoe"]);
    assert_eq!(found["fallbacks"], json!(["no_encoder"]));
    let body = json!({"query": {"text": "red"}, "mode": "hybrid"});
    let answer = api.post(SEARCH, body).await;
    let problem = answer.problem(503, "encoder_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("--models-dir"));
    let body = json!({"query": {"vector": [1, 0, 0]}});
    api.post(SEARCH, body).await.ok();
}

#[actix_web::test]
async fn a_text_is_searched_by_words_and_meaning_at_once() {
    let api = api().await;
    api.shop().await;
    let body = json!({
        "query": {"text": "blue"}, "highlight": true, "facets": [{"field": "category"}]
    });
    let found = api.post(SEARCH, body).await.ok();
    assert_eq!(found["plan"], "exact+lexical");
    assert_eq!(found["hits"][0]["id"], "lamp");
    assert_eq!(found["hits"][0]["reason"]["text"], "Matches: blue");
    assert_eq!(found["total"], json!({"value": 3, "relation": "gte"}));
    assert_eq!(found["facets"]["items"], 3);
    let fragments = &found["hits"][0]["highlights"][0]["fragments"];
    let marked = json!([{"text": "Blue", "is_match": true}, {"text": " lamp", "is_match": false}]);
    assert_eq!(*fragments, marked);
    let body = json!({"query": {"vector": [1, 0, 0]}, "lexical": {"text": "lamp"}, "limit": 1});
    let found = api.post(SEARCH, body).await.ok();
    assert_eq!(found["sources"].as_array().unwrap().len(), 2);
    assert!(found["next_cursor"].is_string());
}

#[actix_web::test]
async fn what_is_understood_of_a_text_filters_and_is_reported() {
    let api = api().await;
    api.shop().await;
    let body =
        json!({"query": {"text": "red shoe under 100"}, "mode": "lexical", "understand": {}});
    let found = api.post(SEARCH, body).await.ok();
    assert_eq!(ids(&found), ["shoe"]);
    let parts = found["understood"]["parts"].as_array().unwrap().iter();
    let fields: Vec<_> = parts.map(|p| p["field"].as_str().unwrap()).collect();
    assert!(
        fields.contains(&"price") && fields.contains(&"color"),
        "{found}"
    );
    let body = json!({"query": {"text": "red shoe under 10"}, "mode": "lexical", "understand": {}});
    assert_eq!(ids(&api.post(SEARCH, body).await.ok()).len(), 0);
    let without = json!({"without": ["price"]});
    let body =
        json!({"query": {"text": "red shoe under 10"}, "mode": "lexical", "understand": without});
    assert_eq!(ids(&api.post(SEARCH, body).await.ok()), ["shoe"]);
}

#[actix_web::test]
async fn invalid_lexical_options_are_reported() {
    let api = api().await;
    api.shop().await;
    for (body, pointer) in [
        (
            json!({"query": {"text": "red"}, "lexical": {"text": "blue"}}),
            "/lexical/text",
        ),
        (
            json!({"query": {"vector": [1, 0, 0]}, "mode": "hybrid"}),
            "/mode",
        ),
        (
            json!({"query": {"item": "shoe"}, "mode": "lexical", "lexical": {"text": "red"}}),
            "/mode",
        ),
        (json!({"query": {"text": " "}}), "/query/text"),
        (json!({"query": {"text": "x".repeat(5000)}}), "/query/text"),
        (
            json!({"query": {"item": "shoe"}, "understand": {}}),
            "/understand",
        ),
        (json!({"query": {"text": "red"}, "cursor": "x"}), "/cursor"),
        (
            json!({"query": {"text": "red"}, "facets": [{"field": "none"}]}),
            "/facets/0/field",
        ),
    ] {
        let problem = api
            .post(SEARCH, body.clone())
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}
