//! Writes of a database are repeated in an open copy, which then answers alike.

use std::path::PathBuf;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;
use vitrine::{
    Collection, Database, LexicalQuery, Options, Search, Shopper, Subject,
    schemas::{Event, Synonym},
};

use crate::support::{config, filter, found, near, put};

/// A database, an open copy of it, and the last write operation that the copy has.
struct Pair {
    original: Database,
    copy: Database,
    operations: u64,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let options = Options {
            index_threads: 0,
            ..Options::default()
        };
        let original = Database::open(folder.path(), options).expect("open");
        let shop = original
            .create_collection("shop", config())
            .expect("create");
        put(&shop, &(0..40).map(made).collect::<Vec<_>>());
        let books = original.create_collection("books", config());
        put(
            &books.expect("create"),
            &(0..10).map(made).collect::<Vec<_>>(),
        );
        let (path, operations) = original.checkpoint("first").expect("a copy");
        let copy = open(path);
        Self {
            original,
            copy,
            operations,
            _folder: folder,
        }
    }

    /// Repeats the writes since the last call; false if the copy must be replaced.
    fn follow(&mut self) -> bool {
        let slice = self.original.log_since(self.operations).expect("a log");
        let Some(slice) = slice else {
            return false;
        };
        self.copy.replay(&slice.bytes).expect("repeated");
        self.operations = slice.last;
        true
    }

    fn shops(&self) -> [std::sync::Arc<Collection>; 2] {
        self.both("shop")
    }

    fn both(&self, name: &str) -> [std::sync::Arc<Collection>; 2] {
        [&self.original, &self.copy].map(|db| db.collection(name).expect("a collection"))
    }

    fn check(&self, what: &str) {
        let [original, copy] = self.shops();
        assert_eq!(answers(&original), answers(&copy), "{what}");
    }
}

fn open(path: PathBuf) -> Database {
    let options = Options {
        create: false,
        canary: false,
        replica: true,
        ..Options::default()
    };
    Database::open(&path, options).expect("the copy opens")
}

fn made(n: u32) -> serde_json::Value {
    let color = ["red", "green", "blue"][n as usize % 3];
    json!({
        "id": format!("i{n}"), "title": format!("{color} lamp {n}"), "category": format!("home > {}", n % 4),
        "attributes": {"color": color, "stock": n % 5}, "fingerprint": "encoder-1",
        "vectors": {"shared": [n % 7, n % 11], "text": [1, n % 3, 2]},
    })
}

/// Answers of all kinds of reads.
fn answers(shop: &Collection) -> Vec<String> {
    let words = |text: &str| {
        let search = Search {
            lexical: Some(LexicalQuery {
                text: text.into(),
                ..LexicalQuery::default()
            }),
            limit: 100,
            space: "shared".into(),
            ..Search::default()
        };
        let answer = shop
            .search(&search, &Shopper::default())
            .expect("an answer");
        // Scores depend on the segments of the index, which each copy has of its own.
        let mut ids: Vec<_> = answer.hits.into_iter().map(|hit| hit.id).collect();
        ids.sort_unstable();
        format!("{ids:?}")
    };
    let records = (0..80).map(|n| format!("{:?}", shop.get(&format!("i{n}"), true).ok()));
    let events = (0..10).map(|n| format!("{:?}", shop.item_events(&format!("i{n}"), 50).ok()));
    let counted = ["color = red", "stock >= 3"].map(|text| {
        format!(
            "{:?}",
            shop.count(Some(&filter(json!(text)))).expect("a number")
        )
    });
    let near = [[0.0, 0.0], [3.0, 9.0]].map(|v| format!("{:?}", found(shop, &near(&v, 60))));
    let texts = ["lamp", "red candle", "green", "light"].map(words);
    let settings = shop.settings::<Synonym>();
    let mut answers: Vec<_> = records.chain(events).collect();
    answers.extend(counted.into_iter().chain(near).chain(texts));
    answers.push(format!("{settings:?} {:?}", shop.count(None)));
    answers
}

#[test]
fn any_writes_are_repeated() {
    let mut pair = Pair::new();
    pair.check("the copy as made");
    for round in 0..40 {
        let mut random = SmallRng::seed_from_u64(round);
        let [shop, _] = pair.shops();
        for _ in 0..random.random_range(1..6) {
            let n = random.random_range(0..80);
            let id = format!("i{n}");
            match random.random_range(0..6) {
                0 => put(&shop, &[made(n), made((n + 1) % 80)]),
                1 => {
                    let _ = shop.delete(std::slice::from_ref(&id));
                }
                2 => {
                    let patch = json!({"attributes": {"stock": n % 3}, "hidden": n % 2 == 0});
                    let _ = shop.patch(&id, &serde_json::from_value(patch).expect("a patch"));
                }
                3 => {
                    let patch = json!({"title": format!("red candle {n}")});
                    let _ = shop.patch(&id, &serde_json::from_value(patch).expect("a patch"));
                }
                4 => {
                    let synonym = json!({"id": "s", "words": ["lamp", if n % 2 == 0 { "light" } else { "torch" }]});
                    shop.put_setting::<Synonym>(
                        serde_json::from_value(synonym).expect("a synonym"),
                    )
                    .expect("stored");
                }
                _ => {
                    let event = json!({"kind": "view", "collection": "shop", "user": "u", "items": [id], "id": format!("e{round}-{n}")});
                    let event: Event = serde_json::from_value(event).expect("an event");
                    pair.original.append_events(&[event]).expect("stored");
                }
            }
            // Makes texts visible at the original at another time than at the copy.
            if random.random_bool(0.3) {
                answers(&shop);
            }
        }
        assert!(pair.follow(), "round {round}");
        pair.check(&format!("round {round}"));
    }
}

#[test]
fn what_an_open_copy_cannot_repeat_is_not_in_a_slice() {
    let mut pair = Pair::new();
    assert!(pair.follow(), "nothing was written");
    let event = json!({"kind": "view", "collection": "shop", "user": "u", "items": ["i1"]});
    let event: Event = serde_json::from_value(event).expect("an event");
    pair.original.append_events(&[event]).expect("stored");
    assert!(pair.follow());
    let shops = pair.original.open_collections();
    let erased = pair.original.erase(&Subject::User("u".into()), &shops);
    assert_eq!(erased.expect("erased").events["shop"], 1);
    assert!(!pair.follow(), "an erasure");
    let mut pair = Pair::new();
    pair.original
        .create_collection("other", config())
        .expect("created");
    assert!(!pair.follow(), "another collection");
    let pair = Pair::new();
    pair.original.close().expect("tables are written");
    let [shop, _] = pair.shops();
    put(&shop, &[made(1)]);
    let slice = pair.original.log_since(pair.operations).expect("a log");
    assert!(
        slice.is_none_or(|slice| pair.copy.replay(&slice.bytes).is_ok()),
        "the log may be gone"
    );
}

#[test]
fn a_truncated_slice_is_an_error() {
    let pair = Pair::new();
    let [shop, _] = pair.shops();
    put(&shop, &[made(1), made(50)]);
    let slice = pair.original.log_since(pair.operations);
    let slice = slice.expect("a log").expect("all of it");
    let half = &slice.bytes[..slice.bytes.len() / 2];
    assert!(pair.copy.replay(half).is_err());
    // A batch that ends before its count: no bytes behind it are read.
    for length in 0..12_u32 {
        let batch = vec![0; length as usize];
        let short = [&[0; 8][..], &length.to_le_bytes(), &batch].concat();
        let error = pair.copy.replay(&short).expect_err("truncated");
        assert!(error.to_string().contains("truncated"), "{length}: {error}");
    }
}

/// Joins the batches of a slice into one, as RocksDB does with concurrent writes.
fn joined(slice: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
    let (mut rest, mut operations, mut count) = (slice, Vec::new(), 0);
    while !rest.is_empty() {
        let (batch, after) = rest[12..].split_at(number(rest) as usize);
        count += number(batch);
        operations.extend_from_slice(&batch[12..]);
        rest = after;
    }
    let batch = [&slice[12..20], &count.to_le_bytes(), &operations].concat();
    let length = u32::try_from(batch.len()).expect("a short batch");
    [&slice[..8], &length.to_le_bytes(), &batch].concat()
}

#[test]
fn a_batch_with_items_of_two_collections_is_repeated_in_both() {
    let pair = Pair::new();
    for name in ["shop", "books"] {
        let [original, _] = pair.both(name);
        let mut items = [made(1), made(60)];
        items[0]["title"] = json!("red candle");
        put(&original, &items);
        original.delete(&["i2".into()]).expect("deleted");
    }
    let slice = pair.original.log_since(pair.operations);
    let slice = slice.expect("a log").expect("all of it");
    pair.copy.replay(&joined(&slice.bytes)).expect("repeated");
    for name in ["shop", "books"] {
        let [original, copy] = pair.both(name);
        assert_eq!(answers(&original), answers(&copy), "{name}");
    }
}

#[test]
fn settings_that_replace_all_others_are_repeated() {
    let mut pair = Pair::new();
    let [shop, _] = pair.shops();
    for ids in [["a", "b"], ["b", "c"]] {
        let synonyms = ids.map(|id| {
            let synonym = json!({"id": id, "words": ["lamp", format!("light {id}")]});
            serde_json::from_value::<Synonym>(synonym).expect("a synonym")
        });
        shop.replace_settings(synonyms.into()).expect("stored");
        assert!(pair.follow(), "{ids:?}");
        pair.check(&format!("{ids:?}"));
    }
}
