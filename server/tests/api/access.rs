//! API keys and the access they grant.

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use vitrine_server::auth::{
    Action::{self, Admin, Read, Write},
    Key, Keys,
};

use crate::harness::{Setup, header, raw, request, with};

fn key(actions: &[Action], collections: &[&str]) -> (Key, String) {
    let collections = collections.iter().map(|c| c.to_string()).collect();
    Key::create("test".into(), actions.to_vec(), collections).expect("random bytes")
}

fn bearer(request: TestRequest, secret: &str) -> TestRequest {
    request.insert_header(header("authorization", &format!("Bearer {secret}")))
}

/// A server with these keys, and the secrets.
fn setup<const N: usize>(keys: [(Key, String); N]) -> (Setup, [String; N]) {
    let secrets = keys.each_ref().map(|(_, secret)| secret.clone());
    let keys = Keys {
        keys: keys.into_iter().map(|(key, _)| key).collect(),
    };
    let setup = Setup {
        keys,
        ..Setup::default()
    };
    (setup, secrets)
}

#[actix_web::test]
async fn without_a_valid_key_only_health_and_description_are_open() {
    let (setup, _) = setup([key(&[Read], &["*"])]);
    let api = with(setup).await;
    for path in [
        "/healthz",
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs/",
        "/docs/api/",
    ] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    for path in [
        "/v1/collections",
        "/v1/collections/shop",
        "/v1/aliases",
        "/metrics",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.problem(401, "unauthorized");
        let wrong = bearer(TestRequest::with_uri(path), "vitrine_guess");
        api.send(wrong).await.problem(401, "unauthorized");
    }
    let answer = api
        .send(raw("POST", "/v1/embeddings", "", "not even JSON"))
        .await;
    answer.openai_error(401, "unauthorized");
}

#[actix_web::test]
async fn a_key_does_what_its_actions_say_where_its_collections_say() {
    let keys = [
        key(&[Read, Write, Admin], &["*"]),
        key(&[Read], &["shop", "live"]),
        key(&[Write], &["shop"]),
        key(&[Admin], &["shop", "mine"]),
    ];
    let (setup, [root, reader, writer, admin]) = setup(keys);
    let api = with(setup).await;
    let send = |method: &str, path: &str, body: &Value, secret: &str| {
        api.send(bearer(request(method, path, body), secret))
    };
    let config = json!({"vectors": {"shared": {"dim": 3}}});
    for name in ["shop", "other"] {
        let path = format!("/v1/collections/{name}");
        send("PUT", &path, &config, &root).await.ok();
    }
    let alias = json!({"actions": [{"action": "set", "alias": "live", "collection": "shop"}]});
    send("POST", "/v1/aliases", &alias, &root).await.ok();

    let (none, event) = (
        json!({}),
        json!({"kind": "view", "collection": "shop", "user": "u", "items": ["a"]}),
    );
    let search = json!({"query": {"vector": [1, 0, 0]}});
    let other = json!({"kind": "view", "collection": "other", "user": "u", "items": ["a"]});
    let items = json!([]);
    for (secret, method, path, body, status) in [
        (&reader, "GET", "/v1/collections/shop", &none, 200),
        (&reader, "GET", "/v1/collections/other", &none, 403),
        (&reader, "POST", "/v1/collections/live/search", &search, 200),
        (
            &reader,
            "POST",
            "/v1/collections/other/search",
            &search,
            403,
        ),
        (
            &reader,
            "POST",
            "/v1/collections/shop/items/count",
            &none,
            200,
        ),
        (&reader, "PUT", "/v1/collections/shop/items", &items, 403),
        (&reader, "DELETE", "/v1/collections/shop", &none, 403),
        (&reader, "GET", "/metrics", &none, 403),
        (&root, "GET", "/metrics", &none, 200),
        (&writer, "PUT", "/v1/collections/shop/items", &items, 200),
        (&writer, "PUT", "/v1/collections/live/items", &items, 403),
        (&writer, "GET", "/v1/collections/shop", &none, 403),
        (
            &reader,
            "POST",
            "/v1/collections/shop/items/import",
            &none,
            403,
        ),
        (&writer, "POST", "/v1/events", &event, 200),
        (&writer, "POST", "/v1/events", &other, 403),
        (&writer, "POST", "/v1/events", &json!([event, other]), 403),
        (&admin, "PUT", "/v1/collections/mine", &config, 200),
        (&admin, "DELETE", "/v1/collections/other", &none, 403),
        // The path is decoded before it is matched: so must be what the key is compared with.
        (&admin, "DELETE", "/v1/%63ollections/other", &none, 403),
        (&admin, "DELETE", "/v1/collections/%6fther", &none, 403),
        (&admin, "GET", "/v1/collections/shop", &none, 403),
        (&admin, "POST", "/v1/aliases", &alias, 403),
    ] {
        let path_and_key = format!("{method} {path}");
        let media_type = if path.ends_with("import") {
            ""
        } else {
            "application/json"
        };
        let asked = raw(method, path, media_type, body.to_string());
        let answer = api.send(bearer(asked, secret)).await;
        assert_eq!(answer.status, status, "{path_and_key}: {answer:?}");
        if status == 403 {
            answer.problem(403, "forbidden");
        }
    }
    let listed = send("GET", "/v1/collections", &none, &reader).await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "shop");
}
