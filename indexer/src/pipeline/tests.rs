//! Whole runs: JSON Lines in, a data directory out, vectors by an embedder that counts its calls.

mod catalogs;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use vitrine::{Database, EmbedError, Embedder, Embedding, ImageBytes};
use vitrine_schemas::{AttributeType, CollectionConfig, Item};

use super::*;
use crate::{
    sink::{EngineSink, Outcomes, Sink, SinkError},
    source::{self, Mapping, Record},
    space::Cached,
};

/// Embedder of unit vectors of two components that differ by input.
struct Fake {
    fingerprint: String,
    dims: BTreeMap<String, usize>,
    texts: AtomicUsize,
    images: AtomicUsize,
}

impl Fake {
    fn new(fingerprint: &str) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            dims: ["shared", "text", "image"]
                .map(|s| (s.to_owned(), 2))
                .into(),
            texts: AtomicUsize::new(0),
            images: AtomicUsize::new(0),
        }
    }

    /// Returns the number of texts and images embedded since the last call.
    fn embedded(&self) -> (usize, usize) {
        (self.texts.swap(0, Relaxed), self.images.swap(0, Relaxed))
    }
}

fn unit(bytes: &[u8]) -> Vec<f32> {
    let angle = f32::from(blake3::hash(bytes).as_bytes()[0]) / 100.0;
    vec![angle.cos(), angle.sin()]
}

fn embedding(bytes: &[u8], own: &str) -> Embedding {
    ["shared", own].map(|s| (s.to_owned(), unit(bytes))).into()
}

impl Embedder for Fake {
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.texts.fetch_add(texts.len(), Relaxed);
        texts
            .iter()
            .map(|t| Ok(embedding(t.as_bytes(), "text")))
            .collect()
    }

    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.embed_text(texts)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        self.images.fetch_add(images.len(), Relaxed);
        let one = |bytes: &ImageBytes| match bytes.starts_with(b"bad") {
            true => Err(EmbedError::Input("not an image".to_owned())),
            false => Ok(embedding(bytes, "image")),
        };
        images.iter().map(one).collect()
    }

    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        let known = id.starts_with("chosen");
        let vectors = || [("shared".to_owned(), unit(b"chosen"))].into();
        Ok(known.then(|| (0.5, vectors())))
    }

    fn count_tokens(&self, _: &str) -> usize {
        0
    }

    fn model_name(&self) -> &str {
        "fake"
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dims(&self) -> &BTreeMap<String, usize> {
        &self.dims
    }
}

/// Shop in a folder of its own.
struct Shop {
    folder: TempDir,
    embedder: Fake,
    options: Options,
    /// True if embeddings are cached between runs.
    cached: bool,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            batch: 3,
            base: folder.path().to_owned(),
            ..Options::default()
        };
        Self {
            folder,
            embedder: Fake::new("f"),
            options,
            cached: false,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sink(&self) -> EngineSink {
        EngineSink::open(&self.path("data"), "shop", vitrine::Options::default()).unwrap()
    }

    fn run_into(&self, sink: &mut dyn Sink, lines: &[Value]) -> Result<Summary, IndexError> {
        let catalog = self.path("catalog.jsonl");
        let text = |line: &Value| {
            line.as_str()
                .map_or_else(|| line.to_string(), str::to_owned)
        };
        let text: Vec<_> = lines.iter().map(text).collect();
        fs::write(&catalog, text.join("\n")).unwrap();
        let records = source::open(&catalog, None, &Mapping::default()).unwrap();
        let mut rejects = Rejects::create(Some(&self.path("rejects.jsonl"))).unwrap();
        let mut progress = Progress::new(None);
        let options = self.options.clone();
        let open = || Cached::open(&self.embedder, &self.path("cache"), 1 << 20).unwrap();
        let cached = self.cached.then(open);
        let embedder = match &cached {
            Some(cached) => cached as &dyn Embedder,
            None => &self.embedder,
        };
        Pipeline::new(embedder, sink, &mut rejects, &mut progress, options).run(records)
    }

    /// Runs over records that come from no file.
    fn run_records(
        &self,
        records: impl Iterator<Item = Result<Record, SourceError>> + Send + 'static,
    ) -> Result<Summary, IndexError> {
        let (mut sink, mut rejects, mut progress) =
            (self.sink(), Rejects::default(), Progress::new(None));
        let options = self.options.clone();
        Pipeline::new(
            &self.embedder,
            &mut sink,
            &mut rejects,
            &mut progress,
            options,
        )
        .run(Box::new(records))
    }

    fn run(&self, lines: &[Value]) -> Summary {
        self.run_into(&mut self.sink(), lines).unwrap()
    }

    /// Returns line, kind and reason of each reject of the last run.
    fn rejects(&self) -> Vec<(u64, String, String)> {
        let text = fs::read_to_string(self.path("rejects.jsonl")).unwrap();
        let reject = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| value[key].as_str().unwrap().to_owned();
            (
                value["line"].as_u64().unwrap(),
                text("kind"),
                text("reason"),
            )
        };
        text.lines().map(reject).collect()
    }

    fn items(&self) -> Vec<Item> {
        let database = Database::open(&self.path("data"), vitrine::Options::default()).unwrap();
        let collection = database.collection("shop").unwrap();
        collection.scroll(None, 1000, None, true).unwrap().0
    }

    fn attributes(&self) -> BTreeMap<String, AttributeType> {
        let database = Database::open(&self.path("data"), vitrine::Options::default()).unwrap();
        database.info("shop").unwrap().config.attributes
    }
}

fn counts(s: &Summary) -> [u64; 5] {
    [s.read, s.created, s.updated, s.skipped, s.rejected]
}

fn titled(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|i| json!({"id": format!("{i:03}"), "title": format!("thing {i}")}))
        .collect()
}

fn near(found: &[f32], wanted: &[f32]) {
    let far = found.iter().zip(wanted).any(|(a, b)| (a - b).abs() > 1e-5);
    assert!(
        found.len() == wanted.len() && !far,
        "{found:?} is not {wanted:?}"
    );
}

#[test]
fn a_second_run_embeds_nothing_and_a_changed_item_again() {
    let shop = Shop::new();
    let mut lines = titled(0..10);
    assert_eq!(counts(&shop.run(&lines)), [10, 10, 0, 0, 0]);
    assert_eq!(shop.embedder.embedded(), (10, 0));
    assert_eq!(counts(&shop.run(&lines)), [10, 0, 0, 10, 0]);
    assert_eq!(shop.embedder.embedded(), (0, 0));
    lines[4]["price"] = json!({"amount": 3.0});
    assert_eq!(counts(&shop.run(&lines)), [10, 0, 1, 9, 0]);
    assert_eq!(shop.embedder.embedded(), (1, 0));
    assert_eq!(shop.items().len(), 10);
}

#[test]
fn a_changed_price_embeds_nothing_where_embeddings_are_kept() {
    let mut shop = Shop::new();
    shop.cached = true;
    fs::write(shop.path("a.jpg"), "first").unwrap();
    let mut lines = titled(0..4);
    lines[0]["images"] = json!([{"path": "a.jpg"}]);
    shop.run(&lines);
    assert_eq!(shop.embedder.embedded(), (4, 1));
    let before = shop.items();
    for line in &mut lines {
        line["price"] = json!({"amount": 3.0});
    }
    assert_eq!(counts(&shop.run(&lines)), [4, 0, 4, 0, 0]);
    assert_eq!(shop.embedder.embedded(), (0, 0));
    for (new, old) in shop.items().iter().zip(&before) {
        assert_eq!(new.vectors, old.vectors);
    }
    lines[0]["title"] = json!("another");
    shop.run(&lines);
    assert_eq!(shop.embedder.embedded(), (1, 0));
}

#[test]
fn text_and_images_meet_in_the_shared_space() {
    let shop = Shop::new();
    fs::write(shop.path("a.jpg"), "first").unwrap();
    fs::write(shop.path("b.jpg"), "second").unwrap();
    let images = json!([{"path": "a.jpg"}, {"path": "b.jpg"}]);
    let summary = shop.run(&[json!({"id": "1", "title": "x", "images": images})]);
    assert!(summary.is_clean());
    assert_eq!(shop.embedder.embedded(), (1, 2));
    let item = shop.items().remove(0);
    let (text, a, b) = (unit(b"x"), unit(b"first"), unit(b"second"));
    near(&item.vectors["text"], &text);
    near(
        &item.vectors["image"],
        &crate::space::fuse(&[(1.0, &a), (1.0, &b)]),
    );
    let shared = crate::space::fuse(&[(2.0, &text), (1.0, &a), (1.0, &b)]);
    near(&item.vectors["shared"], &shared);
    assert_eq!(item.fingerprint.as_deref(), Some("f"));
    // The same file with other bytes is another image.
    fs::write(shop.path("b.jpg"), "third").unwrap();
    let line = json!({"id": "1", "title": "x", "images": images});
    assert_eq!(shop.run(&[line]).updated, 1);
}

#[test]
fn behavior_meets_text_in_the_shared_space() {
    let shop = Shop::new();
    let lines = [
        json!({"id": "chosen-1", "title": "x"}),
        json!({"id": "new-1", "title": "x"}),
    ];
    assert!(shop.run(&lines).is_clean());
    let items = shop.items();
    let of = |id: &str| items.iter().find(|item| item.id == id).expect("indexed");
    // Half the users that would make behavior count as much as text.
    let both = crate::space::fuse(&[(1.0, &unit(b"x")), (0.5, &unit(b"chosen"))]);
    near(&of("chosen-1").vectors["shared"], &both);
    near(&of("new-1").vectors["shared"], &unit(b"x"));
    near(&of("chosen-1").vectors["text"], &unit(b"x"));
}

#[test]
fn weights_are_part_of_what_an_item_is() {
    let mut shop = Shop::new();
    shop.run(&titled(0..2));
    shop.options.text_weight = 0.7;
    assert_eq!(shop.run(&titled(0..2)).updated, 2);
}

#[test]
fn a_broken_line_costs_itself_only() {
    let shop = Shop::new();
    let mut lines = titled(0..5);
    lines[2] = json!("{broken");
    lines[3] = json!({"id": "3", "titel": "unknown field"});
    let summary = shop.run(&lines);
    assert_eq!(counts(&summary), [5, 3, 0, 0, 2]);
    assert!(!summary.is_clean());
    let rejects = shop.rejects();
    let kinds: Vec<_> = rejects.iter().map(|r| (r.0, r.1.as_str())).collect();
    assert_eq!(kinds, [(3, "record"), (4, "record")]);
}

#[test]
fn an_item_stays_without_its_bad_image_if_it_has_a_text() {
    let shop = Shop::new();
    fs::write(shop.path("bad.jpg"), "bad").unwrap();
    let (bad, none) = (json!([{"path": "bad.jpg"}]), json!([{"path": "none.jpg"}]));
    let lines = [
        json!({"id": "1", "title": "x", "images": bad}),
        json!({"id": "2", "title": "y", "images": none}),
        json!({"id": "3", "images": bad}),
        json!({"id": "4", "brand": "Acme"}),
        json!({"id": "5", "title": "z", "images": [{"bytes": "?"}]}),
    ];
    let summary = shop.run(&lines);
    assert_eq!(counts(&summary), [5, 3, 0, 0, 2]);
    assert_eq!(summary.image_errors, 3);
    let rejects = shop.rejects();
    let reason = |kind: &str, line: u64| {
        let one = rejects.iter().find(|r| r.0 == line && r.1 == kind);
        &one.unwrap_or_else(|| panic!("no {kind} {line} in {rejects:?}"))
            .2
    };
    assert!(reason("image", 1).contains("not an image"));
    assert!(reason("image", 2).contains("none.jpg"));
    assert!(reason("record", 3).contains("not an image"));
    assert!(reason("record", 4).contains("nothing to embed"));
    assert!(reason("image", 5).contains("Base64"));
    let spaces: Vec<_> = shop.items()[0].vectors.keys().cloned().collect();
    assert_eq!(spaces, ["shared", "text"]);
    // Existing vectors are not computed again; an image added since is used.
    fs::write(shop.path("none.jpg"), "here now").unwrap();
    assert_eq!(counts(&shop.run(&lines)), [5, 0, 1, 2, 2]);
}

#[test]
fn images_on_the_web_are_left_out_unless_asked_for() {
    let mut shop = Shop::new();
    let images = json!([{"uri": "http://127.0.0.1:1/a.jpg"}]);
    let lines = [
        json!({"id": "1", "title": "x", "images": images}),
        json!({"id": "2", "images": images}),
    ];
    let summary = shop.run(&lines);
    assert_eq!((summary.image_errors, summary.rejected), (0, 1));
    assert!(shop.rejects()[0].2.contains("--fetch-images"));
    // If fetching is on, an image that cannot be fetched is retried at every run.
    shop.options.fetch_images = true;
    for _ in 0..2 {
        let summary = shop.run(&lines);
        assert_eq!(
            (summary.updated, summary.image_errors, summary.rejected),
            (1, 1, 1)
        );
    }
}

#[test]
fn vectors_that_came_along_are_kept() {
    let shop = Shop::new();
    let lines = [
        json!({"id": "1", "title": "x", "vectors": {"shared": [0.0, 1.0], "text": [1.0, 0.0]}}),
        json!({"id": "2", "title": "x", "vectors": {"text": [0.0, 1.0]}}),
        json!({"id": "3", "vectors": {"image": [0.0, 2.0]}}),
        json!({"id": "4", "title": "x", "vectors": {"text": [1, 0]}, "fingerprint": "other"}),
        json!({"id": "5", "title": "x", "vectors": {"text": [1, 0, 0]}}),
        json!({"id": "6", "title": "x", "vectors": {"text": [1e39, 0]}}),
    ];
    assert_eq!(counts(&shop.run(&lines)), [6, 3, 0, 0, 3]);
    let items = shop.items();
    near(&items[0].vectors["text"], &[1.0, 0.0]);
    near(&items[1].vectors["text"], &[0.0, 1.0]);
    near(&items[1].vectors["shared"], &unit(b"x"));
    near(&items[2].vectors["image"], &[0.0, 1.0]);
    let rejects = shop.rejects();
    let kind = |line: u64| rejects.iter().find(|r| r.0 == line).map(|r| r.1.as_str());
    assert_eq!(
        [4, 5, 6].map(kind),
        [Some("write"), Some("write"), Some("record")]
    );
}

#[test]
fn attributes_are_declared_as_they_come() {
    let mut shop = Shop::new();
    shop.options.attributes = [("year".to_owned(), AttributeType::Keyword)].into();
    let lines = [
        json!({"id": "1", "title": "x", "attributes": {"color": "red", "year": "2020", "n": 1}}),
        json!({"id": "2", "title": "x", "attributes": {"n": 1.5, "new": true}}),
        json!({"id": "3", "title": "x", "attributes": {"not a name": 1}}),
        json!({"id": "4", "title": "x", "attributes": {"sizes": [1, 2.5]}}),
        json!({"id": "5", "title": "x", "attributes": {"color": 7}}),
    ];
    assert_eq!(counts(&shop.run(&lines)), [5, 5, 0, 0, 0]);
    let found: Vec<_> = shop.attributes().into_iter().collect();
    let wanted = [
        ("color", AttributeType::Keyword),
        ("n", AttributeType::Float),
        ("new", AttributeType::Bool),
        ("sizes", AttributeType::Float),
        ("year", AttributeType::Keyword),
    ];
    assert_eq!(found, wanted.map(|(name, kind)| (name.to_owned(), kind)));
    let rejects = shop.rejects();
    let fields: Vec<_> = rejects.iter().map(|r| (r.0, r.1.as_str())).collect();
    assert_eq!(fields, [(3, "field")]);
    assert_eq!(shop.items()[4].attributes["color"], "7");
}

#[test]
fn of_two_records_with_one_id_the_later_counts() {
    let shop = Shop::new();
    let mut lines = titled(0..7);
    lines[1]["id"] = json!("000");
    lines[6]["id"] = json!("005");
    lines[6]["title"] = json!("later");
    let summary = shop.run(&lines);
    assert_eq!(summary.duplicates, 2);
    let items = shop.items();
    let titles: Vec<_> = items.iter().filter_map(|i| i.title.as_deref()).collect();
    assert_eq!(
        titles,
        ["thing 1", "thing 2", "thing 3", "thing 4", "later"]
    );
}

#[test]
fn a_collection_of_other_encoders_is_refused_before_any_work() {
    let mut shop = Shop::new();
    shop.run(&titled(0..2));
    shop.embedder = Fake::new("g");
    let error = shop.run_into(&mut shop.sink(), &titled(0..9)).unwrap_err();
    assert!(
        matches!(&error, IndexError::Sink(SinkError::OtherSpace { .. })),
        "{error}"
    );
    assert_eq!(shop.embedder.embedded(), (0, 0));
}

/// Sink that fails at some write.
struct Dying {
    sink: EngineSink,
    writes_left: usize,
}

impl Sink for Dying {
    fn prepare(&mut self, wanted: &CollectionConfig) -> Result<CollectionConfig, SinkError> {
        self.sink.prepare(wanted)
    }

    fn hashes(&self, ids: &[String]) -> Result<HashMap<String, String>, SinkError> {
        self.sink.hashes(ids)
    }

    fn ids(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, SinkError> {
        self.sink.ids(after, limit)
    }

    fn delete(&mut self, ids: &[String]) -> Result<u64, SinkError> {
        self.sink.delete(ids)
    }

    fn write(&mut self, items: Vec<Item>) -> Result<Outcomes, SinkError> {
        self.writes_left = self
            .writes_left
            .checked_sub(1)
            .ok_or_else(|| SinkError::Engine(vitrine::Error::Storage("killed".to_owned())))?;
        self.sink.write(items)
    }
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let shop = Shop::new();
    let lines = titled(0..20);
    for writes in [2, 0, 3] {
        let mut dying = Dying {
            sink: shop.sink(),
            writes_left: writes,
        };
        assert!(shop.run_into(&mut dying, &lines).is_err());
    }
    // Five batches of three are stored, and three were embedded in vain.
    assert_eq!(shop.embedder.embedded(), (15 + 3 * 3, 0));
    assert_eq!(counts(&shop.run(&lines)), [20, 5, 0, 15, 0]);
    assert_eq!(shop.embedder.embedded(), (5, 0));
    let ids: Vec<_> = shop.items().into_iter().map(|item| item.id).collect();
    assert_eq!(
        ids,
        titled(0..20)
            .iter()
            .map(|l| l["id"].as_str().unwrap())
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_was_read_before_the_catalog_broke_off_is_written() {
    let shop = Shop::new();
    let item = |i: u64| {
        let item = titled(0..9)[i as usize].clone();
        Record::new(i, serde_json::from_value(item).unwrap())
    };
    let broken = SourceError::UnknownFormat {
        name: "x".into(),
        known: String::new(),
    };
    let records = (0..4).map(move |i| Ok(item(i))).chain([Err(broken)]);
    assert!(matches!(
        shop.run_records(records),
        Err(IndexError::Source(_))
    ));
    assert_eq!(shop.items().len(), 4);
}

#[test]
fn a_reader_that_crashes_is_no_end() {
    let shop = Shop::new();
    let records = std::iter::from_fn(|| -> Option<Result<Record, SourceError>> { panic!("crash") });
    assert!(matches!(shop.run_records(records), Err(IndexError::Reader)));
}

#[test]
fn a_locked_directory_points_to_the_server() {
    let shop = Shop::new();
    let _held = shop.sink();
    let error = EngineSink::open(&shop.path("data"), "shop", vitrine::Options::default());
    let text = error.err().unwrap().to_string();
    assert!(text.contains("--server"), "{text}");
}
