//! Re-embedding of a live collection and back, under searches and writes, while its server is
//! killed repeatedly: no search fails, nothing is lost.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};
use vitrine_indexer::{
    pipeline::{Options, Progress, Rejects},
    reembedding::{self, FillSummary},
    sink::{HttpSink, Sink},
};
use vitrine_schemas::{Item, ReembeddingStage};

use crate::harness::{Server, agent};

const DIM: usize = 8;
const ITEMS: usize = 2_000;
/// Items from this index on are written repeatedly.
const WRITTEN: usize = 1_500;
/// Items filled when the server is killed.
const KILLED_AT: u64 = 400;

/// Encoders with a distinct vector for each text.
struct Own {
    fingerprint: &'static str,
    dims: BTreeMap<String, usize>,
}

impl Own {
    fn new(fingerprint: &'static str) -> Self {
        let dims = [("shared".to_owned(), DIM)].into();
        Self { fingerprint, dims }
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let component = |at: usize| {
            let mut hasher = DefaultHasher::new();
            (self.fingerprint, text, at).hash(&mut hasher);
            (hasher.finish() % 2_001) as f32 / 1_000.0 - 1.0
        };
        (0..DIM).map(component).collect()
    }
}

impl Embedder for Own {
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        let embed = |text: &&str| Ok([("shared".to_owned(), self.vector(text))].into());
        texts.iter().map(embed).collect()
    }

    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.embed_text(texts)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        let none = |_| Err(EmbedError::Unavailable("image"));
        images.iter().map(none).collect()
    }

    fn embed_behavior(&self, _: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        Ok(None)
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.len()
    }

    fn model_name(&self) -> &str {
        "own"
    }

    fn fingerprint(&self) -> &str {
        self.fingerprint
    }

    fn dims(&self) -> &BTreeMap<String, usize> {
        &self.dims
    }
}

fn title(n: usize, version: usize) -> String {
    format!("item {n} of version {version}")
}

fn item(n: usize, version: usize, encoders: &Own) -> Item {
    let title = title(n, version);
    let vector = encoders.vector(&title);
    let value = json!({"id": n.to_string(), "title": title, "fingerprint": encoders.fingerprint,
        "vectors": {"shared": vector}});
    serde_json::from_value(value).expect("an item")
}

/// Searches until stopped. Retries while the server is down; every response must be valid.
fn search(url: &str, seed: usize, stop: &AtomicBool, asked: &AtomicUsize) {
    let (agent, old) = (agent(), Own::new("old"));
    for n in (seed..).step_by(7) {
        if stop.load(Relaxed) {
            return;
        }
        let id = n % WRITTEN;
        // By the item's own vector in the spaces in use, and by the vector of the old encoders.
        let (by_item, body) = match n % 2 {
            0 => (true, json!({"query": {"item": id.to_string()}, "limit": 5})),
            _ => {
                let vector = old.vector(&title(id, 0));
                (
                    false,
                    json!({"query": {"vector": vector}, "fingerprint": "old", "limit": 5}),
                )
            }
        };
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{url}/v1/collections/shop/search"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .expect("a valid request");
        let Ok(mut answer) = agent.run(request) else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        // A connection that breaks off within a response does not count.
        let Ok(text) = answer.body_mut().read_to_string() else {
            continue;
        };
        assert_eq!(answer.status(), 200, "{text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let hits = answer["hits"].as_array().expect("hits");
        assert_eq!(hits.len(), 5);
        if !by_item {
            assert_eq!(hits[0]["id"], id.to_string());
        }
        asked.fetch_add(1, Relaxed);
    }
}

/// Writes the last items with the vectors of the old encoders; returns their final versions.
fn write(url: &str, stop: &AtomicBool) -> BTreeMap<usize, usize> {
    let (mut sink, old) = (HttpSink::new(url, "shop", None), Own::new("old"));
    let mut versions = BTreeMap::new();
    for turn in 1.. {
        let written: Vec<_> = (WRITTEN..ITEMS).skip(turn % 50).step_by(50).collect();
        let items = written.iter().map(|n| item(*n, turn, &old)).collect();
        for outcome in sink.write(items).expect("the server comes back") {
            outcome.expect("a sound item");
        }
        versions.extend(written.into_iter().map(|n| (n, turn)));
        if stop.load(Relaxed) {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    versions
}

fn fill(url: &str) -> FillSummary {
    let (server, new) = (HttpSink::new(url, "shop", None), Own::new("new"));
    let spaces = new.dims().keys().cloned().collect();
    let info = reembedding::begin(&server, &new, &spaces).expect("it begins or goes on");
    let (rejects, progress) = (&mut Rejects::default(), &mut Progress::new(None));
    let options = Options {
        batch: 20,
        ..Options::default()
    };
    reembedding::fill(&server, &new, &info, rejects, progress, options).expect("it gets through")
}

/// Every item is found first by the vector of its last title.
fn check(server: &Server, encoders: &Own, versions: &BTreeMap<usize, usize>) {
    for n in 0..ITEMS {
        let title = title(n, versions.get(&n).copied().unwrap_or(0));
        let body = json!({"query": {"vector": encoders.vector(&title)}, "limit": 1});
        let (status, answer) = server.send("POST", "/v1/collections/shop/search", &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["hits"][0]["id"], n.to_string(), "{title}: {answer}");
        assert_eq!(answer["hits"][0]["item"]["title"], title);
    }
}

#[test]
fn a_live_collection_goes_over_to_other_encoders_through_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data);
    let url = server.url.clone();
    let (old, new) = (Own::new("old"), Own::new("new"));
    let config = json!({"vectors": {"shared": {"dim": DIM}}, "fingerprint": "old"});
    assert_eq!(server.send("PUT", "/v1/collections/shop", &config).0, 200);
    let mut sink = HttpSink::new(&url, "shop", None);
    let first: Vec<_> = (0..ITEMS).map(|n| item(n, 0, &old)).collect();
    for part in first.chunks(500) {
        assert!(sink.write(part.to_vec()).unwrap().iter().all(Result::is_ok));
    }

    let (done, written, asked) = (
        AtomicBool::new(false),
        AtomicBool::new(false),
        AtomicUsize::new(0),
    );
    thread::scope(|scope| {
        let searches: Vec<_> = (0..3)
            .map(|seed| {
                scope.spawn({
                    let (url, done, asked) = (&url, &done, &asked);
                    move || search(url, seed, done, asked)
                })
            })
            .collect();
        let writes = scope.spawn(|| write(&url, &written));
        let filling = scope.spawn(|| fill(&url));
        // After the kill, the run resumes when the server is back.
        loop {
            match sink.reembedding() {
                Ok(info) if info.other.items >= KILLED_AT => break,
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
        server.kill();
        server = Server::restart(&data, &url);
        let filled = filling.join().unwrap();
        assert!(
            filled.embedded as usize + filled.stale as usize >= WRITTEN,
            "{filled:?}"
        );
        written.store(true, Relaxed);
        let versions = writes.join().unwrap();
        // Only items written meanwhile are pending; then none.
        let rest = fill(&url);
        assert!(rest.embedded as usize <= ITEMS - WRITTEN, "{rest:?}");
        assert_eq!((fill(&url).embedded, rest.failed), (0, 0));
        check(&server, &old, &versions);

        for (stage, encoders) in [
            (ReembeddingStage::Switched, &new),
            (ReembeddingStage::Filling, &old),
            (ReembeddingStage::Switched, &new),
        ] {
            let info = match stage {
                ReembeddingStage::Switched => sink.switch(false),
                ReembeddingStage::Filling => sink.roll_back(false),
            };
            assert_eq!(info.unwrap().stage, stage);
            check(&server, encoders, &versions);
            server.kill();
            server = Server::restart(&data, &url);
            let info = sink.reembedding().unwrap();
            assert_eq!((info.stage, info.other.pending), (stage, 0));
            assert_eq!(info.other.items as usize, ITEMS);
            check(&server, encoders, &versions);
        }
        done.store(true, Relaxed);
        for search in searches {
            search.join().unwrap();
        }
        sink.end().unwrap();
        server.kill();
        server = Server::restart(&data, &url);
        check(&server, &new, &versions);
        assert_eq!(sink.info().unwrap().reembedding, None);
    });
    println!("{} searches answered, none failed", asked.load(Relaxed));
    assert!(asked.load(Relaxed) > 100);
}
