//! Re-embedding: random operations against a plain model of both sets of spaces, and what each step
//! promises.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use vitrine::{
    Collection, Database, Error, Options, VectorSearch,
    schemas::{
        CollectionConfig, EmbeddedItem, FillRequest, Item, ReembeddingInfo, ReembeddingRequest,
        ReembeddingStage,
    },
};

use crate::support::{Fixture, found, item, messages, near};

const IDS: u32 = 40;
const OPERATIONS: usize = 1500;

type Vector = [i32; 2];

/// An item as it should be: its vectors by fingerprint, and one that no encoder makes.
#[derive(Default, Clone)]
struct Model {
    vectors: BTreeMap<String, Vector>,
    mine: Option<Vector>,
    left_out: BTreeSet<String>,
    has_brand: bool,
}

/// The collection as it should be.
struct Shop {
    current: String,
    other: Option<String>,
    items: BTreeMap<String, Model>,
    fingerprints: u32,
}

fn config() -> CollectionConfig {
    serde_json::from_value(json!({
        "vectors": {"shared": {"dim": 2, "metric": "l2"}, "mine": {"dim": 2, "metric": "l2"}},
        "fingerprint": "f0",
    }))
    .unwrap()
}

fn request(fingerprint: &str) -> ReembeddingRequest {
    serde_json::from_value(json!({
        "fingerprint": fingerprint, "vectors": {"shared": {"dim": 2, "metric": "l2"}},
    }))
    .unwrap()
}

fn random_vector(rng: &mut StdRng) -> Vector {
    // Few values: an item is often written again with the vector it had.
    [rng.random_range(0..3), rng.random_range(0..3)]
}

impl Shop {
    fn fingerprints(&self) -> Vec<String> {
        let other = self.other.iter().cloned();
        [self.current.clone()].into_iter().chain(other).collect()
    }

    fn pending(&self, fingerprint: &str) -> BTreeSet<String> {
        let lacks = |model: &Model| {
            !model.vectors.contains_key(fingerprint)
                && !model.vectors.is_empty()
                && !model.left_out.contains(fingerprint)
        };
        let items = self.items.iter().filter(|(_, model)| lacks(model));
        items.map(|(id, _)| id.clone()).collect()
    }

    fn left_out(&self, fingerprint: &str) -> usize {
        let lacks = |model: &&Model| {
            model.left_out.contains(fingerprint) && !model.vectors.contains_key(fingerprint)
        };
        self.items.values().filter(lacks).count()
    }

    /// Writes an item with vectors of one set or of both. Of several with one id in a request, the
    /// last one counts.
    fn write(&mut self, stored: &BTreeMap<String, Model>, rng: &mut StdRng) -> Item {
        let id = rng.random_range(0..IDS).to_string();
        let own = self.fingerprints().choose(rng).unwrap().clone();
        let mine = rng.random_bool(0.2).then(|| random_vector(rng));
        let before = stored.get(&id).cloned();
        let again = before.as_ref().filter(|_| rng.random_bool(0.4));
        let shared = match again.map(|m| m.vectors.get(&own).copied()) {
            Some(same) => same,
            None => rng.random_bool(0.9).then(|| random_vector(rng)),
        };
        let mine = again.map_or(mine, |m| m.mine);
        let mut next = Model {
            mine,
            ..Model::default()
        };
        let mut value = json!({"id": id, "title": "a", "fingerprint": own, "vectors": {}});
        for (space, vector) in [("shared", shared), ("mine", mine)] {
            if let Some(vector) = vector {
                value["vectors"][space] = json!(vector);
            }
        }
        next.vectors.extend(shared.map(|v| (own.clone(), v)));
        let rest = self.fingerprints().into_iter().find(|f| *f != own);
        if rng.random_bool(0.3) {
            let vector = random_vector(rng);
            // Vectors of encoders that are not there are dropped.
            let to = rest.clone().unwrap_or_else(|| "gone".into());
            value["other_vectors"] = json!({"fingerprint": to, "vectors": {"shared": vector}});
            next.vectors.extend(rest.map(|f| (f, vector)));
        } else if let (Some(before), Some(rest)) = (before, rest)
            && before.vectors.get(&own).copied() == shared
            && before.mine == mine
            && (shared.is_some() || mine.is_some())
        {
            let kept = before.vectors.get(&rest);
            next.vectors.extend(kept.map(|v| (rest, *v)));
        }
        self.items.insert(id, next);
        item(value)
    }

    fn check(&self, shop: &Collection, rng: &mut StdRng) {
        let info = shop.reembedding();
        assert_eq!(info.is_some(), self.other.is_some());
        for (at, fingerprint) in self.fingerprints().iter().enumerate() {
            let query = random_vector(rng);
            let mut search = near(&query.map(|x| x as f32), 50);
            if at == 1 || rng.random_bool(0.5) {
                search.fingerprint = Some(fingerprint.clone());
            }
            let distance = |v: &Vector| (v[0] - query[0]).pow(2) + (v[1] - query[1]).pow(2);
            let mut expected: Vec<_> = self
                .items
                .iter()
                .filter_map(|(id, m)| Some((distance(m.vectors.get(fingerprint)?), id.clone())))
                .collect();
            expected.sort();
            let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
            assert_eq!(found(shop, &search), expected, "{fingerprint}");
            let Some(ReembeddingInfo { current, other, .. }) = &info else {
                continue;
            };
            let told = if at == 0 { current } else { other };
            let pending = self.pending(fingerprint);
            assert_eq!(told.fingerprint.as_ref(), Some(fingerprint));
            assert_eq!(told.items as usize, expected.len());
            assert_eq!(told.pending as usize, pending.len());
            assert_eq!(told.left_out as usize, self.left_out(fingerprint));
            let page = shop.pending(fingerprint, None, 1000).unwrap();
            let listed = page.items.into_iter().map(|p| p.item.id);
            assert_eq!(listed.collect::<BTreeSet<_>>(), pending);
        }
    }

    /// Fills some of what is pending, and tries to fill what is not.
    fn fill(&mut self, shop: &Collection, rng: &mut StdRng) {
        let Some(fingerprint) = self.fingerprints().choose(rng).cloned() else {
            return;
        };
        let most = rng.random_range(1..8);
        let page = match shop.pending(&fingerprint, None, most) {
            Ok(page) => page,
            Err(e) => return assert!(self.other.is_none(), "{e}"),
        };
        let mut items = Vec::new();
        for pending in &page.items {
            let id = pending.item.id.clone();
            let vector = random_vector(rng);
            let can = rng.random_bool(0.9);
            let model = self.items.get_mut(&id).unwrap();
            if can {
                model.vectors.insert(fingerprint.clone(), vector);
            } else {
                model.left_out.insert(fingerprint.clone());
            }
            let vectors = can.then(|| ("shared".to_owned(), vector.map(|x| x as f32).to_vec()));
            items.push(EmbeddedItem {
                id,
                version: pending.version,
                vectors: vectors.into_iter().collect(),
            });
        }
        items.push(EmbeddedItem {
            id: "gone".into(),
            version: 7,
            vectors: [("shared".to_owned(), vec![1., 1.])].into(),
        });
        let sent = items.len() as u64;
        let answer = shop.fill(FillRequest { fingerprint, items }).unwrap();
        assert_eq!(answer.stale, 1);
        assert_eq!(answer.filled + answer.left_out, sent - 1);
    }
}

#[test]
fn random_operations_during_a_reembedding_match_a_plain_model() {
    let seed = std::env::var("VITRINE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("VITRINE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut db = Some(Database::open(dir.path(), Options::default()).unwrap());
    db.as_ref()
        .unwrap()
        .create_collection("shop", config())
        .unwrap();
    let mut model = Shop {
        current: "f0".into(),
        other: None,
        items: BTreeMap::new(),
        fingerprints: 0,
    };
    for _ in 0..OPERATIONS {
        let database = db.as_ref().unwrap();
        let shop = database.collection("shop").unwrap();
        match rng.random_range(0..100) {
            0..30 => {
                let stored = model.items.clone();
                let count = rng.random_range(1..4);
                let items = (0..count).map(|_| model.write(&stored, &mut rng));
                for outcome in shop.upsert(items.collect()).unwrap() {
                    outcome.unwrap();
                }
            }
            30..40 => {
                let id = rng.random_range(0..IDS).to_string();
                let there = u64::from(model.items.remove(&id).is_some());
                assert_eq!(shop.delete(&[id]).unwrap(), there);
            }
            40..45 => {
                // A change without vectors leaves those of both sets.
                let id = rng.random_range(0..IDS).to_string();
                let patch = json!({"brand": "b"});
                let patched = shop.patch(&id, patch.as_object().unwrap());
                assert_eq!(patched.is_ok(), model.items.contains_key(&id));
                if let Some(item) = model.items.get_mut(&id) {
                    // With other words it may be possible to embed it.
                    if !std::mem::replace(&mut item.has_brand, true) {
                        item.left_out.clear();
                    }
                }
            }
            45..60 => model.fill(&shop, &mut rng),
            60..68 if model.other.is_none() => {
                model.fingerprints += 1;
                let next = format!("f{}", model.fingerprints);
                database.begin_reembedding("shop", &request(&next)).unwrap();
                model.other = Some(next);
            }
            60..64 => {
                let info = shop.reembedding().unwrap();
                let force = rng.random_bool(0.3);
                let moved = match info.stage {
                    ReembeddingStage::Filling => database.switch_reembedding("shop", force),
                    ReembeddingStage::Switched => database.roll_back_reembedding("shop", force),
                };
                let other = model.other.clone().unwrap();
                let lacks = model.pending(&other).len() + model.left_out(&other);
                assert_eq!(moved.is_ok(), force || lacks == 0);
                if moved.is_ok() {
                    model.other = Some(std::mem::replace(&mut model.current, other));
                }
            }
            64..66 => {
                database.end_reembedding("shop").unwrap();
                let gone = model.other.take().unwrap();
                for item in model.items.values_mut() {
                    item.vectors.remove(&gone);
                    item.left_out.clear();
                }
            }
            66..70 => {
                database.optimize("shop").unwrap();
            }
            70..74 => {
                drop((shop, db.take()));
                db = Some(Database::open(dir.path(), Options::default()).unwrap());
            }
            _ => model.check(&shop, &mut rng),
        }
    }
}

/// A shop of two items, being re-embedded.
fn begun() -> (Fixture, std::sync::Arc<Collection>) {
    let fixture = Fixture::new();
    let shop = fixture.db.create_collection("shop", config()).unwrap();
    for id in ["a", "b"] {
        let vectors = json!({"shared": [1, 2], "mine": [3, 4]});
        let value = json!({"id": id, "title": id, "fingerprint": "f0", "vectors": vectors});
        shop.upsert(vec![item(value)]).unwrap();
    }
    fixture
        .db
        .begin_reembedding("shop", &request("f1"))
        .unwrap();
    (fixture, shop)
}

fn fill(shop: &Collection, id: &str, vector: Option<[f32; 2]>) {
    let pending = shop.pending("f1", None, 10).unwrap().items;
    let of_it = pending.into_iter().find(|p| p.item.id == id).unwrap();
    let vectors = vector.map(|v| ("shared".to_owned(), v.to_vec()));
    let sent = EmbeddedItem {
        id: id.into(),
        version: of_it.version,
        vectors: vectors.into_iter().collect(),
    };
    let items = vec![sent];
    shop.fill(FillRequest {
        fingerprint: "f1".into(),
        items,
    })
    .unwrap();
}

#[test]
fn a_switch_that_would_lose_items_is_refused_unless_forced() {
    let (fixture, shop) = begun();
    let db = &fixture.db;
    assert!(matches!(
        db.switch_reembedding("shop", false),
        Err(Error::NotReembedded {
            pending: 2,
            left_out: 0
        })
    ));
    fill(&shop, "a", Some([9., 9.]));
    fill(&shop, "b", None);
    assert!(matches!(
        db.switch_reembedding("shop", false),
        Err(Error::NotReembedded {
            pending: 0,
            left_out: 1
        })
    ));
    let info = db.switch_reembedding("shop", true).unwrap();
    assert_eq!(info.stage, ReembeddingStage::Switched);
    assert_eq!(info.current.left_out_ids, ["b"]);
    assert_eq!(found(&shop, &near(&[0., 0.], 10)), ["a"]);
    // Spaces that are not re-embedded stay unchanged.
    let mine = VectorSearch {
        space: "mine".into(),
        ..near(&[0., 0.], 10)
    };
    assert_eq!(found(&shop, &mine), ["a", "b"]);
    let read = shop.get("a", true).unwrap();
    assert_eq!(read.vectors["shared"], [9., 9.]);
    assert_eq!(read.fingerprint.as_deref(), Some("f1"));
    // Twice is once.
    assert_eq!(db.switch_reembedding("shop", false).unwrap(), info);
    let back = db.roll_back_reembedding("shop", false).unwrap();
    assert_eq!(back.stage, ReembeddingStage::Filling);
    assert_eq!(found(&shop, &near(&[0., 0.], 10)), ["a", "b"]);
}

#[test]
fn dropped_spaces_leave_nothing_and_their_vectors_are_refused() {
    let (fixture, shop) = begun();
    fill(&shop, "a", Some([9., 9.]));
    fill(&shop, "b", Some([8., 8.]));
    fixture.db.switch_reembedding("shop", false).unwrap();
    fixture.db.end_reembedding("shop").unwrap();
    assert!(matches!(
        fixture.db.end_reembedding("shop"),
        Err(Error::NoReembedding)
    ));
    let old = json!({"id": "a", "fingerprint": "f0", "vectors": {"shared": [1, 2]}});
    let refused = shop.upsert(vec![item(old.clone())]).unwrap().remove(0);
    assert!(matches!(refused, Err(Error::FingerprintMismatch { .. })));
    // A client that sends both is not disturbed by the end.
    let mut both = old;
    both["other_vectors"] = json!({"fingerprint": "f1", "vectors": {"shared": [7, 7]}});
    shop.upsert(vec![item(both)]).unwrap().remove(0).unwrap();
    assert_eq!(shop.get("a", true).unwrap().vectors["shared"], [7., 7.]);
    // The next one starts from nothing.
    let info = fixture
        .db
        .begin_reembedding("shop", &request("f2"))
        .unwrap();
    assert_eq!((info.other.items, info.other.pending), (0, 2));
    fixture.db.end_reembedding("shop").unwrap();
    assert_eq!(fixture.db.info("shop").unwrap().reembedding, None);
}

#[test]
fn faults_name_the_field() {
    let (fixture, shop) = begun();
    let db = &fixture.db;
    assert_eq!(
        db.begin_reembedding("shop", &request("f1"))
            .unwrap()
            .other
            .pending,
        2
    );
    assert!(matches!(
        db.begin_reembedding("shop", &request("f2")),
        Err(Error::ReembeddingExists(found)) if found == "f1"
    ));
    let wrong = FillRequest {
        fingerprint: "f1".into(),
        items: vec![EmbeddedItem {
            id: "a".into(),
            version: 0,
            vectors: [("shared".to_owned(), vec![1.; 3])].into(),
        }],
    };
    let problem = messages(&shop.fill(wrong).unwrap_err());
    assert!(
        problem.starts_with("/items/0/vectors/shared expected"),
        "{problem}"
    );
    assert!(matches!(
        shop.pending("f9", None, 10),
        Err(Error::FingerprintMismatch { .. })
    ));
    let value = json!({"id": "a", "fingerprint": "f0", "vectors": {"shared": [1, 2]},
        "other_vectors": {"fingerprint": "f1", "vectors": {"shared": [1]}}});
    let refused = shop
        .upsert(vec![item(value)])
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert!(messages(&refused).starts_with("/other_vectors/vectors/shared"));
    db.end_reembedding("shop").unwrap();
    let problem = messages(&db.begin_reembedding("shop", &request("f0")).unwrap_err());
    assert!(problem.starts_with("/fingerprint"), "{problem}");
    assert!(matches!(
        shop.pending("f1", None, 10),
        Err(Error::NoReembedding)
    ));
}

#[test]
fn a_collection_without_a_fingerprint_is_given_one() {
    let mut anonymous = config();
    anonymous.fingerprint = None;
    let fixture = Fixture::new();
    let shop = fixture.db.create_collection("shop", anonymous).unwrap();
    let begin = |from: Option<&str>| {
        let from = from.map(str::to_owned);
        let request = ReembeddingRequest {
            from,
            ..request("f1")
        };
        fixture.db.begin_reembedding("shop", &request)
    };
    for from in [None, Some(""), Some("f1")] {
        assert!(messages(&begin(from).unwrap_err()).starts_with("/from"));
    }
    assert_eq!(shop.config().fingerprint, None);
    let info = begin(Some("f0")).unwrap();
    assert_eq!(info.current.fingerprint.as_deref(), Some("f0"));
    assert_eq!(shop.config().fingerprint.as_deref(), Some("f0"));
    fixture.db.end_reembedding("shop").unwrap();
    assert!(matches!(
        begin(Some("f9")),
        Err(Error::FingerprintMismatch { .. })
    ));
}
