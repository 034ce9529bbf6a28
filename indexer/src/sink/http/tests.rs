//! The sink against a server with a few canned responses.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{self, Receiver},
};

use super::*;

type Answer = (&'static str, String);

/// Starts a server that sends these responses, one per request, and then stops; returns its address
/// and the received requests.
fn server(answers: Vec<Answer>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                if let Some(n) = lower.strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                request.push_str(&line);
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.take(length).read_to_string(&mut request).unwrap();
            let length = body.len();
            let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}");
            write!(stream, "{head}\r\nconnection: close\r\n\r\n{body}").unwrap();
            sender.send(request).unwrap();
        }
    });
    (format!("http://{address}"), requests)
}

fn sink(url: &str) -> HttpSink {
    HttpSink {
        retry_for: Duration::from_secs(1),
        ..HttpSink::new(url, "shop", Some("secret".into()))
    }
}

fn ok(body: Value) -> Answer {
    ("200 OK", body.to_string())
}

fn info(attributes: Value) -> Value {
    json!({
        "name": "shop", "attributes": attributes, "vectors": {"text": {"dim": 2}}, "fingerprint": "f",
        "items": 0, "vector_counts": {}, "aliases": []
    })
}

fn wanted() -> CollectionConfig {
    let config = json!({
        "attributes": {"color": "keyword"}, "vectors": {"text": {"dim": 2}}, "fingerprint": "f"
    });
    serde_json::from_value(config).unwrap()
}

fn not_there() -> Answer {
    ("404 Not Found", json!({"detail": "no"}).to_string())
}

#[test]
fn a_missing_collection_is_made_and_a_lacking_one_grows() {
    let (url, requests) = server(vec![
        not_there(),
        ok(info(json!({"color": "keyword"}))),
        ok(info(json!({}))),
        ok(info(json!({"color": "keyword"}))),
        ok(info(json!({"color": "keyword"}))),
    ]);
    let mut sink = sink(&url);
    for _ in 0..3 {
        assert_eq!(sink.prepare(&wanted()).unwrap(), wanted());
    }
    let lines: Vec<_> = requests
        .iter()
        .map(|r| r.lines().next().unwrap_or_default().to_owned())
        .collect();
    let line = |method: &str| format!("{method} /v1/collections/shop HTTP/1.1");
    assert_eq!(lines, ["GET", "PUT", "GET", "PATCH", "GET"].map(line));
}

#[test]
fn vectors_of_other_encoders_are_refused() {
    let (url, _requests) = server(vec![ok(info(json!({})))]);
    let mut other = wanted();
    other.fingerprint = Some("g".into());
    let error = sink(&url).prepare(&other).unwrap_err();
    assert!(matches!(&error, SinkError::OtherSpace { found, .. } if found == "f"));
    assert!(error.is_rejection());
}

#[test]
fn hashes_are_asked_for_by_id() {
    let page = json!({"items": [{"id": "a", "content_hash": "h"}, {"id": "b"}]});
    let (url, requests) = server(vec![ok(page)]);
    let found = sink(&url).hashes(&["a".into(), "b".into(), "c".into()]);
    assert_eq!(found.unwrap(), [("a".to_owned(), "h".to_owned())].into());
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /v1/collections/shop/items/scroll "));
    assert!(request.contains("authorization: Bearer secret\r\n"));
    let body: vitrine_schemas::ScrollRequest =
        serde_json::from_str(request.lines().last().unwrap()).unwrap();
    assert_eq!(body.limit, Some(3));
}

#[test]
fn a_busy_server_is_waited_for_and_outcomes_are_read() {
    let results = json!([
        {"index": 0, "status": "created"}, {"index": 1, "status": "rejected", "error": "no"}
    ]);
    let summary = json!({"created": 1, "updated": 0, "rejected": 1});
    let (url, _requests) = server(vec![
        ("429 Too Many Requests\r\nretry-after: 0", "{}".to_owned()),
        ("503 Service Unavailable", "down".to_owned()),
        ok(json!({"results": results, "summary": summary})),
    ]);
    let outcomes = sink(&url).write(vec![Item::default(), Item::default()]);
    assert_eq!(outcomes.unwrap(), [Ok(Written::Created), Err("no".into())]);
}

#[test]
fn a_rejection_is_reported_and_not_retried() {
    let problem = json!({"detail": "the key may not write"}).to_string();
    let (url, _requests) = server(vec![("403 Forbidden", problem)]);
    let error = sink(&url).write(vec![Item::default()]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("403: the key may not write"), "{text}");
    assert!(!text.contains("secret"));
}

#[test]
fn another_server_is_detected() {
    let (url, _requests) = server(vec![("200 OK", "<html>".to_owned())]);
    let error = sink(&url).prepare(&wanted()).unwrap_err().to_string();
    assert!(error.contains("is this a Vitrine server?"), "{error}");
    let (url, _requests) = server(vec![ok(json!({"results": [], "summary":
        {"created": 0, "updated": 0, "rejected": 0}}))]);
    let error = sink(&url).write(vec![Item::default()]).unwrap_err();
    assert!(matches!(error, SinkError::Protocol { .. }), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let error = sink("http://127.0.0.1:1").write(vec![Item::default()]);
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("127.0.0.1:1") && text.contains("again"),
        "{text}"
    );
}

#[test]
fn a_name_stays_within_its_segment() {
    assert_eq!(percent_encode("shop-1_a"), "shop-1_a");
    assert_eq!(percent_encode("../é"), "%2E%2E%2F%C3%A9");
}

#[test]
fn items_are_sent_in_batches() {
    let items = ["aaaa", "bb", "c", "dddddddddddd", "e"].map(str::to_owned);
    let sizes: Vec<_> = batches(&items, 8).map(<[String]>::len).collect();
    assert_eq!(sizes, [2, 1, 1, 1]);
    assert_eq!(batches(&[], 8).count(), 0);
}

#[test]
fn a_refused_setting_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    let text = "{\"stop_words\": {\"words\": [\"cheap\"]},\n\"rules\": [\n{\"id\": \"a\",\n\"then\": {\"hide\": [\"x\"]}}]}";
    std::fs::write(&file, text).unwrap();
    let refused = json!({
        "detail": "/rules/0/then: does nothing", "errors": [{"pointer": "/rules/0/then", "detail": "does nothing"}]
    });
    let (url, requests) = server(vec![
        ok(json!({})),
        ("400 Bad Request", refused.to_string()),
    ]);
    let error = crate::settings::push(&file, &sink(&url)).unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with("settings.json: line 4: /rules/0/then: does nothing"),
        "{message}"
    );
    let sent: Vec<_> = requests.iter().collect();
    assert!(sent[0].starts_with("PUT /v1/collections/shop/stop_words "));
    assert!(sent[0].ends_with(r#"{"words":["cheap"],"keep_common":false}"#));
    assert!(sent[1].starts_with("PUT /v1/collections/shop/rules "));
}
