//! Keys of a running server: listed, created, rotated and revoked over HTTP.

use serde_json::{Value, json};
use vitrine_server::auth::{Action, Key, Keys, append};

use crate::harness::{Setup, request, with};

fn root() -> (Key, String) {
    Key::create("root".into(), vec![Action::Keys], vec!["*".into()]).expect("random bytes")
}

#[actix_web::test]
async fn keys_are_managed_with_a_key_that_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.toml");
    let (key, root) = root();
    append(&path, key).expect("written");
    let api = with(Setup {
        keys: Keys::load(&path).expect("keys"),
        keys_file: Some(path),
        ..Setup::default()
    })
    .await;
    let send = |method: &str, path: &str, body: &Value, secret: &str| {
        let request = request(method, path, body);
        api.send(request.insert_header(("authorization", format!("Bearer {secret}"))))
    };
    let new = json!({
        "name": "partner", "actions": ["read"], "collections": ["shop"], "sign_tokens": true,
        "expires_in_days": 90,
    });
    let created = send("POST", "/v1/keys", &new, &root).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    let secret = created["secret"].as_str().expect("a secret");
    assert!(created["token_secret"].is_string(), "{created}");
    let exists = send("POST", "/v1/keys", &new, &root).await;
    exists.problem(409, "key_exists");
    for (field, value) in [
        ("actions", json!([])),
        ("collections", json!([])),
        ("name", json!("")),
        ("name", json!("a\nb")),
    ] {
        let mut wrong = new.clone();
        wrong["name"] = json!("other");
        wrong[field] = value;
        let problem = send("POST", "/v1/keys", &wrong, &root).await;
        let problem = problem.problem(400, "invalid_argument");
        assert_eq!(
            problem["errors"][0]["pointer"],
            format!("/{field}"),
            "{problem}"
        );
    }
    let shop = send("GET", "/v1/collections/shop", &Value::Null, secret).await;
    shop.problem(404, "collection_not_found");
    let list = send("GET", "/v1/keys", &Value::Null, secret).await;
    list.problem(403, "forbidden");
    let list = send("GET", "/v1/keys", &Value::Null, &root).await.ok();
    let partner = &list["keys"][1];
    assert_eq!(partner["name"], "partner", "{list}");
    assert!(partner["last_used_at"].is_string() && partner["signs_tokens"] == true);
    assert!(!list.to_string().contains(secret), "no secrets");

    let rotate = |name: &str, hours: u32| {
        let path = format!("/v1/keys/{name}/rotate");
        let body = json!({"overlap_hours": hours});
        let request = request("POST", &path, &body);
        api.send(request.insert_header(("authorization", format!("Bearer {root}"))))
    };
    rotate("third", 1).await.problem(404, "key_not_found");
    rotate("partner", 9_000)
        .await
        .problem(400, "invalid_argument");
    let second = rotate("partner", 1).await.ok();
    let second = second["secret"].as_str().expect("a secret");
    for secret in [secret, second] {
        let shop = send("GET", "/v1/collections/shop", &Value::Null, secret).await;
        shop.problem(404, "collection_not_found");
    }
    let third = rotate("partner", 0).await.ok();
    let third = third["secret"].as_str().expect("a secret");
    for secret in [secret, second] {
        let shop = send("GET", "/v1/collections/shop", &Value::Null, secret).await;
        shop.problem(401, "unauthorized");
    }
    let revoked = send("DELETE", "/v1/keys/partner", &Value::Null, &root).await;
    assert_eq!(revoked.status, 204);
    let shop = send("GET", "/v1/collections/shop", &Value::Null, third).await;
    shop.problem(401, "unauthorized");
    let again = send("DELETE", "/v1/keys/partner", &Value::Null, &root).await;
    again.problem(404, "key_not_found");
}

#[actix_web::test]
async fn without_a_keys_file_there_is_nothing_to_change() {
    let (key, root) = root();
    let api = with(Setup {
        keys: Keys { keys: vec![key] },
        ..Setup::default()
    })
    .await;
    let new = json!({"name": "a", "actions": ["read"], "collections": ["*"]});
    let request = request("POST", "/v1/keys", &new);
    let request = request.insert_header(("authorization", format!("Bearer {root}")));
    let problem = api.send(request).await.problem(409, "no_keys_file");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("--keys-file"), "{detail}");
}
