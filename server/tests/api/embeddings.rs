//! OpenAI-compatible embeddings.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Setup, api, with};

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
        (json!(""), "/input", "empty"),
        (json!([]), "/input", "1 to 2048"),
        (json!(["red", ""]), "/input/1", "empty"),
        (json!([1, 2]), "/input/0", "token ids"),
        (json!([[1, 2], [3]]), "/input/0", "token ids"),
        (json!(7), "/input", "string"),
        (json!(vec!["red"; 2049]), "/input", "2049"),
        (json!(["red", "mauve"]), "/input/1", "mauve"),
    ];
    for (input, pointer, hint) in cases {
        let answer = api.post("/v1/embeddings", json!({"input": input})).await;
        let problem = answer.problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(hint),
            "{problem}"
        );
    }
    let body = json!({"input": "red", "dimensions": 2});
    let problem = api.post("/v1/embeddings", body).await;
    let problem = problem.problem(400, "invalid_argument");
    assert_eq!(problem["errors"][0]["pointer"], "/dimensions");
}

#[actix_web::test]
async fn without_encoders_nothing_is_embedded() {
    let setup = Setup {
        models: false,
        ..Setup::default()
    };
    let api = with(setup).await;
    let answer = api.post("/v1/embeddings", json!({"input": "red"})).await;
    answer.problem(503, "encoder_unavailable");
}
