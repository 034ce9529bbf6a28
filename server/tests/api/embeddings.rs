//! OpenAI-compatible embeddings.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Setup, api, raw, with};

#[actix_web::test]
async fn texts_are_embedded_in_both_encodings() {
    let api = api().await;
    let body = json!({"input": ["red", "blue"], "model": "any"});
    let answer = api.post("/v1/embeddings", body).await.ok();
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], "colors");
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 2, "total_tokens": 2})
    );
    let wanted = json!({"object": "embedding", "index": 1, "embedding": [0.0, 0.0, 1.0]});
    assert_eq!(answer["data"][1], wanted);

    let body = json!({"input": "green", "encoding_format": "base64", "dimensions": 3});
    let answer = api.post("/v1/embeddings", body).await.ok();
    let bytes = STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap());
    let green: Vec<u8> = [0f32, 1.0, 0.0]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    assert_eq!(bytes.unwrap(), green);
}

#[actix_web::test]
async fn many_texts_keep_their_order() {
    let api = api().await;
    let texts: Vec<_> = ["red", "green", "blue"]
        .into_iter()
        .cycle()
        .take(2048)
        .collect();
    let answer = api
        .post("/v1/embeddings", json!({"input": texts}))
        .await
        .ok();
    let data = answer["data"].as_array().unwrap();
    assert_eq!(data.len(), 2048);
    for (at, one) in data.iter().enumerate() {
        assert_eq!(one["index"], at);
        assert_eq!(one["embedding"][at % 3], 1.0);
    }
}

#[actix_web::test]
async fn input_that_is_not_text_is_rejected() {
    let api = api().await;
    let cases: [(Value, &str, &str); 8] = [
        (json!(""), "input", "empty"),
        (json!([]), "input", "1 to 2048"),
        (json!(["red", ""]), "input.1", "empty"),
        (json!([1, 2]), "input.0", "token ids"),
        (json!([[1, 2], [3]]), "input.0", "token ids"),
        (json!(7), "input", "string"),
        (json!(vec!["red"; 2049]), "input", "2049"),
        (json!(["red", "mauve"]), "input.1", "mauve"),
    ];
    for (input, param, hint) in cases {
        let answer = api.post("/v1/embeddings", json!({"input": input})).await;
        let error = answer.openai_error(400, "invalid_argument");
        assert_eq!(error["param"], param, "{error}");
        assert!(error["message"].as_str().unwrap().contains(hint), "{error}");
    }
    let body = json!({"input": "red", "dimensions": 2});
    let answer = api.post("/v1/embeddings", body).await;
    let error = answer.openai_error(400, "invalid_argument");
    assert_eq!(error["param"], "dimensions");
}

#[actix_web::test]
async fn without_encoders_nothing_is_embedded() {
    let setup = Setup {
        models: false,
        ..Setup::default()
    };
    let api = with(setup).await;
    let answer = api.post("/v1/embeddings", json!({"input": "red"})).await;
    answer.openai_error(503, "encoder_unavailable");
    let models = api.get("/v1/models").await.ok();
    assert_eq!(models, json!({"object": "list", "data": []}));
}

#[actix_web::test]
async fn token_ids_are_refused_with_what_to_set_in_the_client() {
    let api = api().await;
    for input in [
        json!([[9906, 1917]]),
        json!([9906]),
        json!([[]]),
        json!(["red", [1]]),
    ] {
        let answer = api.post("/v1/embeddings", json!({"input": input})).await;
        let error = answer.openai_error(400, "invalid_argument");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("check_embedding_ctx_length"), "{message}");
        assert_eq!(error["type"], "invalid_request_error");
    }
}

#[actix_web::test]
async fn errors_of_every_kind_have_the_form_of_openai() {
    let api = api().await;
    let bad = [
        (json!({}), 400, "invalid_argument"),
        (json!({"input": null}), 400, "invalid_argument"),
        (
            json!({"input": "red", "encoding_format": "md5"}),
            400,
            "invalid_argument",
        ),
        (
            json!({"input": "red", "dimensions": -1}),
            400,
            "invalid_argument",
        ),
        (json!({"input": "fail"}), 500, "internal"),
    ];
    for (body, status, code) in bad {
        let answer = api.post("/v1/embeddings", body).await;
        answer.openai_error(status, code);
    }
    let send = |media_type, body| api.send(raw("POST", "/v1/embeddings", media_type, body));
    send("application/json", "{")
        .await
        .openai_error(400, "malformed_json");
    let text = send("text/plain", "red").await;
    text.openai_error(415, "unsupported_media_type");
    api.get("/v1/embeddings")
        .await
        .openai_error(405, "method_not_allowed");
    // Other routes have problem details.
    let other = api.get("/v1/collections/none").await;
    other.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn clients_can_list_the_model_and_send_fields_of_their_own() {
    let api = api().await;
    let models = api.get("/v1/models").await.ok();
    let model = json!({"id": "colors", "object": "model", "created": 0, "owned_by": "vitrine"});
    assert_eq!(models, json!({"object": "list", "data": [model]}));
    let body = json!({"input": "red", "model": "any", "user": "u", "extra": [1], "dimensions": 3});
    api.post("/v1/embeddings", body).await.ok();
}
