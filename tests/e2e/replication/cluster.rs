//! A store, a writer and replicas, and what the tests ask them.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::Server;

/// Time for which a test waits for a replica.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A store, a writer and the folders of replicas.
pub(super) struct Cluster {
    pub(super) folder: TempDir,
    /// Seconds after which all files are published again.
    pub(super) files_seconds: f64,
    /// Store and credentials of an object store; without it, the store is a folder.
    pub(super) s3: Option<(String, Vec<(String, String)>)>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            files_seconds: 0.1,
            s3: None,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path("store").join("replication")
    }

    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let name = |key: &str| format!("VITRINE_SERVER__REPLICATION__{key}");
        let folder = self.path("store").to_string_lossy().into_owned();
        let (store, credentials) = self.s3.clone().unwrap_or((folder, Vec::new()));
        let settings = [
            (name("STORE"), store),
            (name("PUBLISH_SECONDS"), "0.1".into()),
            (name("POLL_SECONDS"), "0.05".into()),
            (name("FILES_SECONDS"), self.files_seconds.to_string()),
        ];
        settings.into_iter().chain(credentials).collect()
    }

    pub(super) fn start(&self, name: &str, flags: &[&str]) -> Server {
        self.try_start(name, flags).expect("the server starts")
    }

    pub(super) fn try_start(&self, name: &str, flags: &[&str]) -> Result<Server, String> {
        let variables = self.variables();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Server::try_launch(&self.path(name), flags, &variables)
    }

    pub(super) fn writer(&self) -> Server {
        self.start("writer", &[])
    }

    pub(super) fn replica(&self, name: &str) -> Server {
        self.start(name, &["--replica"])
    }

    /// Returns the states of the store in order.
    pub(super) fn states(&self) -> Vec<PathBuf> {
        let folder = self.store().join("states");
        let listed = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut states: Vec<_> = listed.map(|entry| entry.path()).collect();
        states.sort();
        states
    }
}

pub(super) fn item(n: usize) -> Value {
    let vector: Vec<f32> = (0..8)
        .map(|d| ((n * 104_729 + d * 31) % 1000) as f32 / 1000.0 + 0.001)
        .collect();
    let color = ["red", "green", "blue"][n % 3];
    json!({
        "id": format!("i{n}"), "title": format!("{color} lamp {n}"), "brand": format!("brand {}", n % 7),
        "category": format!("home > lamps {}", n % 5), "price": {"amount": 100 + n, "currency": "EUR"},
        "attributes": {"color": color, "stock": n % 4}, "vectors": {"shared": vector},
    })
}

pub(super) fn create(server: &Server) {
    let config = json!({
        "vectors": {"shared": {"dim": 8}}, "attributes": {"color": "keyword", "stock": "integer"},
    });
    let (status, answer) = server.send("PUT", "/v1/collections/shop", &config);
    assert!(status < 300, "{answer}");
}

/// Writes items; returns the version of the last write.
pub(super) fn write(server: &Server, items: std::ops::Range<usize>) -> String {
    let mut version = String::new();
    for chunk in items.collect::<Vec<_>>().chunks(500) {
        let items: Vec<_> = chunk.iter().map(|n| item(*n)).collect();
        let (status, answer, head) =
            server.send_with("PUT", "/v1/collections/shop/items", &json!(items), &[]);
        assert_eq!(status, 200, "{answer}");
        version = head["x-vitrine-version"].clone();
    }
    version
}

/// Reads with a least version; the server waits for it.
pub(super) fn read_at(
    server: &Server,
    version: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let headers = [
        ("x-vitrine-min-version", version),
        ("x-timeout-ms", "30000"),
    ];
    let (status, answer, _) = server.send_with(method, path, body, &headers);
    (status, answer)
}

pub(super) fn count(server: &Server, version: &str) -> u64 {
    let path = "/v1/collections/shop/items/count";
    let (status, answer) = read_at(server, version, "POST", path, &json!({}));
    assert_eq!(status, 200, "{answer}");
    answer["count"].as_u64().unwrap()
}

pub(super) fn info(server: &Server) -> Value {
    server.send("GET", "/v1/replication", &Value::Null).1
}

/// Waits until a condition holds.
pub(super) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Answers of a server to many kinds of reads, without what differs by time.
pub(super) fn answers(server: &Server) -> Vec<(String, Value)> {
    let mut asked: Vec<(&str, String, Value)> = Vec::new();
    for n in (0..300).step_by(13) {
        let id = format!("i{n}");
        let vector = &item(n)["vectors"]["shared"];
        let shop = "/v1/collections/shop";
        asked.extend([
            ("POST", format!("{shop}/search"), json!({"query": {"vector": vector}, "limit": 10})),
            ("POST", format!("{shop}/search"), json!({"query": {"text": format!("lamp {n}")}, "limit": 1_000})),
            ("POST", format!("{shop}/search"), json!({
                "query": {"text": "red lamp"}, "limit": 1_000, "facets": [{"field": "color"}, {"field": "stock"}],
                "filter": format!("stock >= {}", n % 4),
            })),
            ("GET", format!("{shop}/items/{id}"), Value::Null),
            ("GET", format!("{shop}/items/{id}/similar?limit=5"), Value::Null),
            ("GET", format!("{shop}/items/{id}/bought_together"), Value::Null),
            ("POST", format!("{shop}/recommend"), json!({"user": format!("u{}", n % 10), "limit": 5})),
            ("POST", format!("{shop}/items/scroll"), json!({"limit": 7})),
        ]);
    }
    let answered = asked.into_iter().map(|(method, path, body)| {
        let (status, mut answer) = server.send(method, &path, &body);
        for field in ["took_ms", "request_id", "explain", "plan"] {
            answer.as_object_mut().map(|answer| answer.remove(field));
        }
        // Scores by text depend on deleted texts in the segments of the index, which a replica
        // merges at other times; those by events on the order of events of the same time, so that
        // of close recommendations only the number is compared.
        let by_text = !body["query"]["text"].is_null();
        if path.contains("recommend") {
            answer = json!(answer["hits"].as_array().map(Vec::len));
        } else if by_text || path.contains("bought") {
            without_scores(&mut answer, by_text);
        }
        round(&mut answer);
        (format!("{method} {path} {body}: {status}"), answer)
    });
    answered.collect()
}

/// Keeps ids and items of hits; `sorts` brings them into an order without scores.
pub(super) fn without_scores(answer: &mut Value, sorts: bool) {
    let Some(hits) = answer["hits"].as_array_mut() else {
        return;
    };
    for hit in hits.iter_mut() {
        *hit = json!([hit["id"], hit["item"]]);
    }
    if sorts {
        hits.sort_by_key(|hit| hit[0].to_string());
    }
}

/// Rounds all numbers: vectors of sealed segments are compared by other code than growing ones.
pub(super) fn round(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        Value::Number(number) => {
            let rounded = number.as_f64().map(|n| (n * 1e4).round() / 1e4);
            *value = json!(rounded);
        }
        _ => {}
    }
}

pub(super) fn events(server: &Server) {
    let events: Vec<_> = (0..200)
        .map(|n| {
            json!({
                "kind": if n % 3 == 0 { "purchase" } else { "view" }, "collection": "shop",
                "user": format!("u{}", n % 10), "session": format!("s{}", n % 20),
                "items": [format!("i{}", n % 40), format!("i{}", (n * 7) % 40)],
            })
        })
        .collect();
    let (status, answer) = server.send("POST", "/v1/events", &json!(events));
    assert_eq!(status, 200, "{answer}");
}
