//! Spoken queries and transcriptions, with a model that hears the same text in every recording.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Setup, api, raw, with};

/// "Red running shoes under fifty dollars", by a synthetic voice.
const RECORDING: &[u8] = include_bytes!("../../../indexer/src/audio/fixtures/speech.webm");
/// Half a second of a tone.
const TONE: &[u8] = include_bytes!("../../../indexer/src/audio/fixtures/tone.mp3");

const TOKENS: [&str; 9] = [
    "red",
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
];
const HIDDEN: usize = 16;
const POSITIONS: usize = 8;

/// Writes a Whisper model without layers' effects: its positions alone decide the tokens, `red` and
/// the end.
fn write_model(dir: &Path) {
    let sizes = json!({
        "model_type": "whisper", "d_model": HIDDEN, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 1, "decoder_attention_heads": 1, "encoder_ffn_dim": HIDDEN,
        "decoder_ffn_dim": HIDDEN, "num_mel_bins": 80, "vocab_size": TOKENS.len(),
        "max_source_positions": 1500, "max_target_positions": POSITIONS
    });
    let vocabulary: Value = TOKENS
        .iter()
        .enumerate()
        .map(|(id, t)| ((*t).into(), id.into()))
        .collect::<serde_json::Map<String, Value>>()
        .into();
    let added = TOKENS.iter().enumerate().skip(1);
    let added: Vec<Value> = added
        .map(|(id, token)| {
            json!({"id": id, "content": token, "special": true, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": added,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "red"}
    });
    fs::write(dir.join("config.json"), sizes.to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), weights()).unwrap();
}

/// Returns a safetensors file.
fn weights() -> Vec<u8> {
    let square = |name: &str| (format!("{name}.weight"), vec![HIDDEN, HIDDEN]);
    let mut zeros = vec![
        ("encoder.conv1.weight".to_owned(), vec![HIDDEN, 80, 3]),
        ("encoder.conv1.bias".to_owned(), vec![HIDDEN]),
        ("encoder.conv2.weight".to_owned(), vec![HIDDEN, HIDDEN, 3]),
        ("encoder.conv2.bias".to_owned(), vec![HIDDEN]),
        (
            "encoder.embed_positions.weight".to_owned(),
            vec![1500, HIDDEN],
        ),
    ];
    let mut norms = vec![
        "encoder.layer_norm".to_owned(),
        "decoder.layer_norm".to_owned(),
    ];
    for (stack, attentions) in [
        ("encoder", &["self_attn"][..]),
        ("decoder", &["self_attn", "encoder_attn"]),
    ] {
        let layer = format!("{stack}.layers.0");
        norms.push(format!("{layer}.final_layer_norm"));
        zeros.extend([
            square(&format!("{layer}.fc1")),
            square(&format!("{layer}.fc2")),
        ]);
        for attention in attentions {
            norms.push(format!("{layer}.{attention}_layer_norm"));
            let parts = ["q", "k", "v", "out"];
            zeros.extend(parts.map(|part| square(&format!("{layer}.{attention}.{part}_proj"))));
        }
    }
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (name, shape) in zeros {
        let count = shape.iter().product();
        tensors.push((name, shape, vec![0.0; count]));
    }
    for name in norms {
        tensors.push((format!("{name}.weight"), vec![HIDDEN], vec![1.0; HIDDEN]));
        tensors.push((format!("{name}.bias"), vec![HIDDEN], vec![0.0; HIDDEN]));
    }
    let rows = |values: &[(usize, usize, f32)], rows: usize| {
        let mut out = vec![0.0; rows * HIDDEN];
        values
            .iter()
            .for_each(|(row, column, x)| out[row * HIDDEN + column] = *x);
        out
    };
    let embeddings: Vec<_> = (0..TOKENS.len()).map(|i| (i, i, 4.0)).collect();
    let (red, end) = (0, 1);
    // After the start and the token of no times comes `red`, then the end.
    let positions = [(1, red, 40.0), (2, end, 40.0)];
    for (name, values, count) in [
        ("decoder.embed_tokens.weight", &embeddings[..], TOKENS.len()),
        ("decoder.embed_positions.weight", &positions, POSITIONS),
    ] {
        tensors.push((name.to_owned(), vec![count, HIDDEN], rows(values, count)));
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        values.iter().for_each(|x| data.extend(x.to_le_bytes()));
        let place = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(format!("model.{name}"), place);
    }
    let header = Value::from(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

/// A server with the model.
fn setup() -> (Setup, tempfile::TempDir) {
    let models = tempfile::tempdir().unwrap();
    let folder = models.path().join("whisper");
    fs::create_dir(&folder).unwrap();
    write_model(&folder);
    let setup = Setup {
        models_dir: Some(models.path().to_owned()),
        ..Setup::default()
    };
    (setup, models)
}

/// A form with a recording and other fields.
fn form(file: Option<&[u8]>, fields: &[(&str, &str)]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--limit\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend(part.as_bytes());
    }
    if let Some(file) = file {
        body.extend(b"--limit\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.webm\"\r\n\r\n");
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--limit--\r\n");
    ("multipart/form-data; boundary=limit".to_owned(), body)
}

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";

#[actix_web::test]
async fn a_spoken_query_is_searched_as_its_text() {
    let (setup, _models) = setup();
    let api = with(setup).await;
    api.shop().await;
    let audio = STANDARD.encode(RECORDING);
    let body = json!({"query": {"audio": audio}, "limit": 3});
    let spoken = api.post("/v1/collections/shop/search", body).await.ok();
    let body = json!({"query": {"text": "red"}, "limit": 3});
    let typed = api.post("/v1/collections/shop/search", body).await.ok();
    assert_eq!(spoken["hits"], typed["hits"]);
    assert_eq!(spoken["spoken"]["text"], "red");
    assert_eq!(spoken["spoken"]["language"], "en");
    let confidence = spoken["spoken"]["confidence"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&confidence), "{confidence}");
    let seconds = spoken["spoken"]["seconds"].as_f64().unwrap();
    assert!((2.0..4.0).contains(&seconds), "{seconds}");
    assert!(typed.get("spoken").is_none());

    let dialogue = api
        .post("/v1/dialogues", json!({"collection": "shop"}))
        .await
        .ok();
    let turns = format!("/v1/dialogues/{}/turns", dialogue["id"].as_str().unwrap());
    let answer = api.post(&turns, json!({"audio": audio})).await.ok();
    assert_eq!(answer["spoken"]["text"], "red");
    assert_eq!(answer["turn"]["text"], "red");
    let both = json!({"audio": audio, "text": "red"});
    api.post(&turns, both)
        .await
        .problem(400, "invalid_argument");
}

#[actix_web::test]
async fn recordings_without_use_are_refused() {
    let (setup, _models) = setup();
    let api = with(setup).await;
    api.shop().await;
    let search = |audio: String| {
        let body = json!({"query": {"audio": audio}});
        api.post("/v1/collections/shop/search", body)
    };
    for bytes in [&b""[..], b"not audio", &RECORDING[..200]] {
        let problem = search(STANDARD.encode(bytes))
            .await
            .problem(400, "invalid_argument");
        assert_eq!(problem["errors"][0]["pointer"], "/query/audio");
    }
    search("?".into()).await.problem(400, "invalid_argument");
    let problem = search(STANDARD.encode(TONE))
        .await
        .problem(422, "no_speech");
    assert_eq!(problem["errors"][0]["pointer"], "/query/audio");
    let large = STANDARD.encode(vec![0; (10 << 20) + 1]);
    search(large).await.problem(413, "audio_too_large");
}

#[actix_web::test]
async fn transcriptions_have_the_forms_of_the_openai_api() {
    let (setup, _models) = setup();
    let api = with(setup).await;
    for (fields, expected) in [
        (
            vec![("model", "whisper-1"), ("temperature", "0")],
            r#"{"text":"red"}"#,
        ),
        (vec![("response_format", "text"), ("language", "en")], "red"),
    ] {
        let (media_type, body) = form(Some(RECORDING), &fields);
        let answer = api
            .send(raw("POST", TRANSCRIPTIONS, &media_type, body))
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        assert_eq!(answer.text, expected);
    }
    let (media_type, body) = form(Some(RECORDING), &[("response_format", "verbose_json")]);
    let answer = api
        .send(raw("POST", "/v1/transcriptions", &media_type, body))
        .await
        .ok();
    assert_eq!(answer["language"], "en");
    assert_eq!(answer["task"], "transcribe");
    assert!(answer["duration"].as_f64().unwrap() > 2.0);

    for (file, field, status, code, param) in [
        (None, ("model", "x"), 400, "invalid_argument", "file"),
        (Some(TONE), ("model", "x"), 422, "no_speech", "file"),
        (
            Some(&b"x"[..]),
            ("model", "x"),
            400,
            "invalid_argument",
            "file",
        ),
        (
            Some(RECORDING),
            ("language", "xx"),
            400,
            "invalid_argument",
            "language",
        ),
        (
            Some(RECORDING),
            ("response_format", "srt"),
            400,
            "invalid_argument",
            "response_format",
        ),
        (
            Some(RECORDING),
            ("stream", "true"),
            400,
            "invalid_argument",
            "stream",
        ),
    ] {
        let (media_type, body) = form(file, &[field]);
        let answer = api
            .send(raw("POST", TRANSCRIPTIONS, &media_type, body))
            .await;
        let error = answer.openai_error(status, code);
        assert_eq!(error["param"], param);
    }
    let answer = api
        .send(raw("POST", TRANSCRIPTIONS, "application/json", "{}"))
        .await;
    answer.openai_error(415, "unsupported_media_type");
    let answer = api
        .send(raw(
            "POST",
            TRANSCRIPTIONS,
            "multipart/form-data; boundary=x",
            "y",
        ))
        .await;
    answer.openai_error(400, "invalid_argument");
}

#[actix_web::test]
async fn without_a_model_the_command_that_installs_one_is_named() {
    let api = api().await;
    api.shop().await;
    let body = json!({"query": {"audio": STANDARD.encode(RECORDING)}});
    let answer = api.post("/v1/collections/shop/search", body).await;
    let problem = answer.problem(503, "no_speech_model");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("models get --preset whisper-base")
    );
    let (media_type, body) = form(Some(RECORDING), &[]);
    let answer = api
        .send(raw("POST", TRANSCRIPTIONS, &media_type, body))
        .await;
    answer.openai_error(503, "no_speech_model");
}
