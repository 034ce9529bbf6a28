//! Bad requests: each gets a fitting status and a problem with pointer and hint.

use actix_web::{http::Method, test::TestRequest};
use serde_json::{Value, json};

use crate::harness::{Setup, api, header, raw, request, with};

const SEARCH: &str = "/v1/collections/shop/search";

#[actix_web::test]
async fn bad_json_is_refused_at_its_place() {
    let api = api().await;
    api.shop().await;
    for (body, code, pointer, hint) in [
        ("{\"query\": ", "malformed_json", "/query", "line 1"),
        ("", "malformed_json", "", "EOF"),
        ("{} {}", "malformed_json", "", "trailing"),
        (
            "{\"query\": {\"vector\": [1, 0, 0]}} x",
            "malformed_json",
            "",
            "trailing",
        ),
        (
            "{\"query\": {\"vector\": [1e999, 0, 0]}}",
            "malformed_json",
            "/query/vector/0",
            "range",
        ),
        (
            "{\"query\": {\"vector\": [null, 0, 0]}}",
            "invalid_argument",
            "/query/vector/0",
            "null",
        ),
        (
            "{\"query\": {\"vector\": [NaN]}}",
            "malformed_json",
            "/query/vector/0",
            "line 1",
        ),
        (
            "{\"query\": {\"text\": 5}}",
            "invalid_argument",
            "/query/text",
            "string",
        ),
        (
            "{\"query\": {\"sound\": \"\"}}",
            "invalid_argument",
            "/query",
            "text",
        ),
        ("[{\"item\": \"shoe\"}]", "invalid_argument", "", "sequence"),
        (
            "{\"query\": {\"text\": \"x\", \"item\": \"shoe\"}}",
            "invalid_argument",
            "/query",
            "exactly one key",
        ),
        (
            "{\"query\": {\"item\": \"shoe\"}, \"ef\": 0}",
            "invalid_argument",
            "/ef",
            "1 to 10000",
        ),
        ("{\"querry\": {}}", "invalid_argument", "/querry", "`query`"),
        (
            "{\"query\": {\"item\": \"shoe\"}, \"limit\": -1}",
            "invalid_argument",
            "/limit",
            "-1",
        ),
        (
            "{\"query\": {\"item\": \"shoe\"}, \"limit\": 0}",
            "invalid_argument",
            "/limit",
            "1 to 1000",
        ),
        (
            "{\"query\": {\"item\": \"shoe\"}, \"filter\": 3}",
            "invalid_argument",
            "/filter",
            "string",
        ),
    ] {
        let answer = api
            .send(raw("POST", SEARCH, "application/json", body))
            .await;
        let problem = answer.problem(400, code);
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{body}: {problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(hint),
            "{body}: {problem}"
        );
    }
    let answer = api.send(raw(
        "POST",
        SEARCH,
        "application/json",
        &b"{\"query\": {\"text\": \"\xff\"}}"[..],
    ));
    answer.await.problem(400, "malformed_json");
}

#[actix_web::test]
async fn depth_is_bounded() {
    let api = api().await;
    api.shop().await;
    let nested = |depth| (0..depth).fold(json!({"must": []}), |inner, _| json!({"must": [inner]}));
    let search = |filter: Value| json!({"query": {"item": "shoe"}, "filter": filter});
    let problem = api.post(SEARCH, search(nested(50))).await;
    problem.problem(400, "invalid_argument");
    let brackets = format!("{{\"filter\": {}", "[".repeat(50_000));
    let answer = api
        .send(raw("POST", SEARCH, "application/json", brackets))
        .await;
    answer.problem(400, "malformed_json");
}

#[actix_web::test]
async fn sizes_are_bounded() {
    let mut setup = Setup::default();
    setup.limits.body_bytes = 4 << 20;
    let api = with(setup).await;
    api.shop().await;
    let items = json!([{"id": "big", "title": "x".repeat(1 << 20)}, {"id": "small"}]);
    let written = api.put("/v1/collections/shop/items", items).await.ok();
    assert_eq!(written["results"][0]["status"], "rejected");
    assert!(
        written["results"][0]["error"]
            .as_str()
            .unwrap()
            .contains("/title")
    );
    assert_eq!(written["results"][1]["status"], "created");

    let large = json!([{"id": "large", "title": "x".repeat(5 << 20)}]);
    let answer = api.put("/v1/collections/shop/items", large).await;
    answer.problem(413, "body_too_large");
    let announced = request("PUT", "/v1/collections/shop/items", &json!([]));
    let announced = announced.insert_header(header("content-length", "999999999999"));
    api.send(announced).await.problem(413, "body_too_large");
}

#[actix_web::test]
async fn wrong_paths_methods_and_query_strings_get_their_own_status() {
    let api = api().await;
    api.shop().await;
    let problem = api.get("/v1/nothing").await.problem(404, "route_not_found");
    assert_eq!(problem["type"], "urn:vitrine:route_not_found");
    let answer = api.send(TestRequest::delete().uri("/v1/aliases")).await;
    assert_eq!(answer.header("allow"), "GET, POST");
    answer.problem(405, "method_not_allowed");
    for (path, status) in [("/healthz", 200), ("/v1/collections/shop/items/none", 404)] {
        let head = TestRequest::with_uri(path).method(Method::HEAD);
        assert_eq!(api.head(head).await.status().as_u16(), status, "{path}");
    }
    for query in [
        "scope=near",
        "limit=many",
        "limit=0",
        "colr=red",
        "filter=price%20%3C",
    ] {
        let path = format!("/v1/collections/shop/items/shoe/similar?{query}");
        api.get(&path).await.problem(400, "invalid_argument");
    }
    let path = "/v1/collections/shop/popular?window_days=-3";
    let problem = api.get(path).await.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/window_days");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`window_days`") && detail.contains("-3"),
        "{detail}"
    );
}

#[actix_web::test]
async fn media_types_are_checked() {
    let api = api().await;
    let put = |media_type| {
        raw(
            "PUT",
            "/v1/collections/a",
            media_type,
            "{\"vectors\": {\"s\": {\"dim\": 1}}}",
        )
    };
    let answer = api.send(put("text/plain")).await;
    let problem = answer.problem(415, "unsupported_media_type");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("application/json")
    );
    let packed = put("application/json").insert_header(header("content-encoding", "gzip"));
    api.send(packed)
        .await
        .problem(415, "unsupported_media_type");
    api.send(put("application/json; charset=utf-8")).await.ok();
    let missing = api.send(put("")).await;
    let problem = missing.problem(415, "unsupported_media_type");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("missing content type"), "{detail}");
}

#[actix_web::test]
async fn a_panic_is_an_answer() {
    let api = api().await;
    api.shop().await;
    let asked = TestRequest::with_uri("/panic").insert_header(header("x-request-id", "mine"));
    let problem = api.send(asked).await.problem(500, "internal");
    assert_eq!(problem["request_id"], "mine");
    let body = json!({"query": {"text": "panic"}});
    api.post(SEARCH, body).await.problem(500, "internal");
    assert_eq!(api.get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn request_ids_are_echoed_or_made() {
    let api = api().await;
    let sent = |id| TestRequest::with_uri("/healthz").insert_header(header("x-request-id", id));
    assert_eq!(
        api.send(sent("abc-1.2_3")).await.header("x-request-id"),
        "abc-1.2_3"
    );
    for bad in ["with space", "<script>", &"x".repeat(129)] {
        let made = api.send(sent(bad)).await;
        assert_eq!(made.header("x-request-id").len(), 36, "{bad}");
    }
}
