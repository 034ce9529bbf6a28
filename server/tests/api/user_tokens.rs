//! User tokens: what they open, and whose data.

use actix_web::test::TestRequest;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use vitrine_server::auth::{
    Action::{Admin, Read, Write},
    Key, Keys,
};

use crate::harness::{Setup, header, with};

/// A server with a key that signs tokens, the secret of the key and the secret to sign with.
fn server() -> (Setup, String, String) {
    let actions = vec![Read, Write, Admin];
    let (mut key, secret) = Key::create("web".into(), actions, vec!["*".into()]).expect("a key");
    let signing = key.sign_tokens().expect("random bytes").to_owned();
    let setup = Setup {
        keys: Keys { keys: vec![key] },
        ..Setup::default()
    };
    (setup, secret, signing)
}

fn token(secret: &str, claims: Value) -> String {
    let mut all = json!({"exp": chrono::Utc::now().timestamp() + 60});
    all.as_object_mut()
        .expect("claims")
        .extend(claims.as_object().expect("claims").clone());
    let header = Header {
        kid: Some("web".into()),
        ..Header::default()
    };
    encode(&header, &all, &EncodingKey::from_secret(secret.as_bytes())).expect("signed")
}

fn request(bearer: &str, method: &str, path: &str, body: Option<&Value>) -> TestRequest {
    let method = method.parse().expect("a method");
    let request = TestRequest::with_uri(path).method(method);
    let request = request.insert_header(header("authorization", &format!("Bearer {bearer}")));
    match body {
        Some(body) => request.set_json(body),
        None => request,
    }
}

#[actix_web::test]
async fn a_token_is_for_its_user_and_its_filter() {
    let (setup, key, secret) = server();
    let api = with(setup).await;
    let send = |bearer: &str, method: &str, path: &str, body: Value| {
        api.send(request(bearer, method, path, Some(&body)))
    };
    let config = json!({"attributes": {"market": "keyword"}, "vectors": {"shared": {"dim": 2}}});
    let created = send(&key, "PUT", "/v1/collections/shop", config).await;
    assert_eq!(created.status, 200);
    let items = json!([
        {"id": "a", "title": "red shoes", "attributes": {"market": "FR"}, "vectors": {"shared": [1, 0]}},
        {"id": "b", "title": "red hat", "attributes": {"market": "FR"}, "vectors": {"shared": [1, 0.1]}},
        {"id": "c", "title": "red coat", "attributes": {"market": "DE"}, "vectors": {"shared": [1, 0.2]}},
    ]);
    send(&key, "PUT", "/v1/collections/shop/items", items).await;
    let claims = json!({"sub": "u1", "filter": "market = FR"});
    let mine = token(&secret, claims);

    // Events are of the user of the token.
    let event = json!([{"kind": "view", "collection": "shop", "items": ["a"]}]);
    assert_eq!(send(&mine, "POST", "/v1/events", event).await.status, 200);
    let export = api
        .send(request(&key, "GET", "/v1/users/u1/export", None))
        .await;
    assert!(export.json().to_string().contains("\"a\""));
    let other = json!([{"kind": "view", "collection": "shop", "items": ["a"], "user": "u2"}]);
    send(&mine, "POST", "/v1/events", other)
        .await
        .problem(403, "forbidden");

    let path = "/v1/collections/shop/recommend";
    let answer = send(&mine, "POST", path, json!({"limit": 5})).await;
    let ids = |answer: &Value| -> Vec<String> {
        let hits = answer["hits"].as_array().expect("hits").iter();
        hits.map(|hit| hit["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    assert_eq!(
        ids(&answer.json()),
        ["b"],
        "not what the user saw, not another market"
    );
    for body in [json!({"user": "u2"}), json!({"session": "s"})] {
        send(&mine, "POST", path, body)
            .await
            .problem(403, "forbidden");
    }

    let path = "/v1/collections/shop/search";
    for filter in [
        json!(null),
        json!("market IN [FR, DE]"),
        json!({"must_not": [{"has_id": ["z"]}]}),
    ] {
        let body = json!({"query": {"text": "red"}, "mode": "lexical", "filter": filter});
        let mut found = ids(&send(&mine, "POST", path, body).await.json());
        found.sort_unstable();
        assert_eq!(found, ["a", "b"], "{filter}");
    }
    let escape = json!({"query": {"text": "red"}, "filter": "market = DE) OR (market = DE"});
    send(&mine, "POST", path, escape)
        .await
        .problem(400, "invalid_argument");
    let similar =
        "/v1/collections/shop/items/a/similar?filter=market%20%3D%20DE)%20OR%20(market%20%3D%20DE";
    api.send(request(&mine, "GET", similar, None))
        .await
        .problem(400, "invalid_argument");
    let similar = "/v1/collections/shop/items/a/similar";
    let answer = api.send(request(&mine, "GET", similar, None)).await.json();
    assert_eq!(ids(&answer), ["b"]);

    // Items outside the filter are not found, and no reason names them.
    for path in ["similar", "bought_together"] {
        let path = format!("/v1/collections/shop/items/c/{path}");
        let answer = api.send(request(&mine, "GET", &path, None)).await;
        answer.problem(404, "item_not_found");
    }
    let path = "/v1/collections/shop/search";
    send(&mine, "POST", path, json!({"query": {"item": "c"}}))
        .await
        .problem(404, "item_not_found");
    let path = "/v1/collections/shop/recommend";
    let body = json!({"positives": ["c"], "exclude_seen": false, "limit": 5});
    let answer = send(&mine, "POST", path, body.clone()).await.json();
    assert_eq!(ids(&answer).len(), 2);
    assert!(!answer.to_string().contains("coat"), "{answer}");
    let answer = send(&key, "POST", path, body).await.json();
    assert!(answer.to_string().contains("coat"), "{answer}");
}

#[actix_web::test]
async fn a_token_opens_nothing_else() {
    let (setup, _, secret) = server();
    let api = with(setup).await;
    let mine = token(&secret, json!({"sub": "u1"}));
    for (method, path) in [
        ("GET", "/v1/collections"),
        ("GET", "/v1/users/u1/export"),
        ("DELETE", "/v1/users/u1"),
        ("GET", "/v1/collections/shop"),
        ("PUT", "/v1/collections/shop/items"),
        ("GET", "/v1/collections/shop/items/a"),
        ("POST", "/v1/multi_search"),
        ("POST", "/v1/dialogues"),
        ("GET", "/metrics"),
    ] {
        let body = json!({});
        let body = (method == "POST" || method == "PUT").then_some(&body);
        let answer = api.send(request(&mine, method, path, body)).await;
        answer.problem(403, "forbidden");
    }
    let path = "/v1/collections/shop/recommend";
    for (bearer, reason) in [
        (
            token("another secret", json!({"sub": "u1"})),
            "InvalidSignature",
        ),
        (
            token(&secret, json!({"sub": "u1", "exp": 1})),
            "ExpiredSignature",
        ),
    ] {
        let answer = api
            .send(request(&bearer, "POST", path, Some(&json!({}))))
            .await;
        let detail = answer.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(detail.contains(reason), "{detail}");
        answer.problem(401, "invalid_token");
    }
}

#[actix_web::test]
async fn a_token_is_for_the_consent_and_the_report_of_its_user_and_session() {
    let (setup, key, secret) = server();
    let api = with(setup).await;
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    let created = request(&key, "PUT", "/v1/collections/shop", Some(&config));
    assert_eq!(api.send(created).await.status, 200);
    let mine = token(&secret, json!({"sub": "u1", "session": "s1"}));
    let denied = json!({"training": "denied"});
    for path in ["/v1/users/u1/consent", "/v1/sessions/s1/consent"] {
        let set = api.send(request(&mine, "PUT", path, Some(&denied))).await;
        assert_eq!(set.ok()["collections"]["shop"]["training"], "denied");
        let read = api.send(request(&mine, "GET", path, None)).await.ok();
        assert_eq!(read["collections"]["shop"]["training"], "denied");
    }
    for path in ["/v1/users/u1/privacy", "/v1/sessions/s1/privacy"] {
        let report = api.send(request(&mine, "GET", path, None)).await.ok();
        let consent = &report["collections"]["shop"]["consent"];
        assert_eq!(consent["training"], "denied");
    }
    let of = |user: &str, item: &str| json!({"kind": "view", "collection": "shop", "user": user, "session": "s1", "items": [item]});
    let events = json!([of("u1", "a"), of("u2", "b")]);
    let sent = request(&key, "POST", "/v1/events", Some(&events));
    assert_eq!(api.send(sent).await.status, 200);
    for (bearer, total) in [(&key, 2), (&mine, 1)] {
        let path = "/v1/sessions/s1/privacy";
        let report = api.send(request(bearer, "GET", path, None)).await.ok();
        let events = &report["collections"]["shop"]["events"];
        assert_eq!(events["total"], total, "without what others did: {events}");
    }
    for path in ["/v1/users/u2/privacy", "/v1/sessions/s2/privacy"] {
        let answer = api.send(request(&mine, "GET", path, None)).await;
        answer.problem(403, "forbidden");
    }
    for path in ["/v1/users/u2/consent", "/v1/sessions/s2/consent"] {
        for (method, body) in [("GET", None), ("PUT", Some(&denied)), ("DELETE", None)] {
            let answer = api.send(request(&mine, method, path, body)).await;
            answer.problem(403, "forbidden");
        }
    }
}
