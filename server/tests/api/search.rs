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
async fn relevance_is_a_level_or_a_share() {
    let api = api().await;
    api.shop().await;
    let search = |relevance| json!({"query": {"text": "red shoe lamp"}, "mode": "lexical", "relevance": relevance});
    for (relevance, count) in [(json!("all"), 3), (json!("strict"), 1), (json!(1), 1)] {
        let found = api.post(SEARCH, search(relevance.clone())).await.ok();
        assert_eq!(found["total"]["value"], count, "{relevance}");
        assert_eq!(ids(&found).len(), count, "{relevance}");
    }
    for wrong in [
        json!("some"),
        json!(1.01),
        json!(-1),
        json!(null),
        json!([0.5]),
    ] {
        let answer = api.post(SEARCH, search(wrong.clone())).await;
        if wrong.is_null() {
            answer.ok();
            continue;
        }
        assert_eq!(answer.status, 400, "{wrong}");
        let wanted = "expected \"all\", \"strict\" or a number from 0 to 1";
        let detail = answer.text.replace("\\\"", "\"");
        assert!(detail.contains(wanted), "{detail}");
    }
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
    let found = api.post("/v1/collections/wide/search", red).await.ok();
    assert_eq!(found["plan"], "lexical");
    assert_eq!(found["fallbacks"], json!(["no_encoder"]));
    let hybrid = json!({"query": {"text": "red"}, "mode": "hybrid"});
    let answer = api.post("/v1/collections/wide/search", hybrid).await;
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
    assert_eq!(found["total"], json!({"value": 1, "relation": "eq"}));
    assert_eq!(found["facets"]["items"], 1);
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
    let found = api.post(SEARCH, body).await.ok();
    assert!(ids(&found).contains(&"shoe"), "the plain text is searched");
    assert_eq!(found["fallbacks"], json!(["understood_filter"]));
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
        (
            json!({"query": {"text": " "}, "lexical": {"text": "red"}}),
            "/lexical/text",
        ),
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

#[actix_web::test]
async fn a_category_page_needs_no_query() {
    let api = api().await;
    api.shop().await;
    let facets = json!([{"field": "color"}]);
    for query in [json!(null), json!({"text": ""}), json!({"text": " \t"})] {
        let body = json!({"query": query, "filter": "category = Clothing", "facets": facets, "sort": ["price:desc"], "mode": "lexical"});
        let found = api.post(SEARCH, body).await.ok();
        assert_eq!(ids(&found), ["boot", "shoe"], "{query}");
        assert_eq!(found["total"], json!({"value": 2, "relation": "eq"}));
        assert_eq!(found["facets"]["items"], 2);
        assert_eq!(found["plan"], "filter+sort");
    }
    let all = api.post(SEARCH, json!({})).await.ok();
    assert_eq!(all["total"]["value"], 3);
    assert_eq!(ids(&all), ["lamp", "boot", "shoe"], "the latest first");
    for (sort, wanted) in [
        (json!([{"field": "price"}]), ["lamp", "shoe", "boot"]),
        (json!(["color"]), ["lamp", "boot", "shoe"]),
        (
            json!(["category:desc", "price:desc"]),
            ["lamp", "boot", "shoe"],
        ),
    ] {
        let body = json!({"sort": sort});
        assert_eq!(ids(&api.post(SEARCH, body).await.ok()), wanted, "{sort}");
    }
}

#[actix_web::test]
async fn sorted_pages_follow_cursors_and_numbers_everywhere() {
    let api = api().await;
    api.shop().await;
    let first = json!({"sort": ["price:asc"], "limit": 1});
    let page = api.post(SEARCH, first.clone()).await.ok();
    assert_eq!(ids(&page), ["lamp"]);
    let mut next = first.clone();
    next["cursor"] = page["next_cursor"].clone();
    assert_eq!(ids(&api.post(SEARCH, next.clone()).await.ok()), ["shoe"]);
    next["sort"] = json!(["price:desc"]);
    let problem = api
        .post(SEARCH, next)
        .await
        .problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/cursor");
    let third = json!({"sort": ["price:asc"], "limit": 1, "offset": 2});
    let page = api.post(SEARCH, third.clone()).await.ok();
    assert_eq!(ids(&page), ["boot"]);
    assert!(page["next_cursor"].is_null());
    let several = json!({"searches": [{"collection": "shop", "search": third}]});
    let several = api.post("/v1/multi_search", several).await.ok();
    assert_eq!(several["results"][0]["answer"]["hits"], page["hits"]);
    let preset = json!({"search": {"sort": ["price:desc"], "limit": 2}});
    api.put("/v1/collections/shop/presets/dear", preset)
        .await
        .ok();
    let preset = api.post(SEARCH, json!({"preset": "dear"})).await.ok();
    assert_eq!(ids(&preset), ["boot", "shoe"]);
    let wrong = json!({"search": {"sort": ["prize"]}});
    let problem = api.put("/v1/collections/shop/presets/wrong", wrong).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/search/sort/0");
    let scrolled = json!({"sort": ["price:desc"], "limit": 2});
    let scrolled = api
        .post("/v1/collections/shop/items/scroll", scrolled)
        .await
        .ok();
    assert_eq!(scrolled["items"][0]["id"], "boot");
    let more = json!({"sort": ["price:desc"], "cursor": scrolled["next_cursor"]});
    let more = api
        .post("/v1/collections/shop/items/scroll", more)
        .await
        .ok();
    assert_eq!(more["items"][0]["id"], "lamp");
}

#[actix_web::test]
async fn what_is_out_of_stock_is_not_offered_as_similar() {
    let api = api().await;
    api.shop().await;
    let sold_out = json!({"availability": "out_of_stock"});
    api.patch("/v1/collections/shop/items/boot", sold_out)
        .await
        .ok();
    for (params, wanted) in [
        ("", vec!["lamp"]),
        ("exclude_out_of_stock=true&scope=same", vec![]),
        ("exclude_out_of_stock=false", vec!["boot", "lamp"]),
        ("scope=same&exclude_out_of_stock=false", vec!["boot"]),
    ] {
        let path = format!("/v1/collections/shop/items/shoe/similar?{params}");
        assert_eq!(ids(&api.get(&path).await.ok()), wanted, "{params}");
    }
}
