//! Blending of candidate sources: by request, by rank fusion, as learned.

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Error, Options, Training,
    schemas::{
        BlendMethod, Event, Fallback, ModelChoice, RecommendRequest, RecommendResponse, Source,
    },
};

use crate::support::{Fixture, config, put};

fn ask(shop: &Collection, body: Value) -> RecommendResponse {
    let request: RecommendRequest = serde_json::from_value(body).expect("a request");
    let answer = shop.recommend(&request, None).expect("an answer");
    for hit in &answer.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!((sum - hit.score).abs() < 1e-5, "{hit:?}");
    }
    answer
}

fn error_pointer(shop: &Collection, body: Value) -> String {
    let request: RecommendRequest = serde_json::from_value(body).expect("a request");
    match shop.recommend(&request, None) {
        Err(Error::Invalid(errors)) => errors[0].pointer.clone(),
        other => panic!("{other:?}"),
    }
}

fn event(user: usize, item: String, day: usize) -> Event {
    serde_json::from_value(json!({
        "kind": "purchase", "collection": "shop", "user": format!("u{user}"), "items": [item],
        "ts": format!("2026-05-{:02}T10:00:00Z", day + 1)
    }))
    .expect("an event")
}

/// Training of one kind of model: held-out figures of this small, symmetric data depend on the
/// order of items and on the rounding of the processor, so the automatic choice may differ after a
/// restart.
fn item_knn() -> Training {
    Training {
        model: Some(ModelChoice::ItemKnn),
        ..Training::default()
    }
}

/// Four groups of 20 items, alike by their vectors. The first ten of a group are of two kinds: the
/// same people choose one kind, which only behavior can tell; the last ten are so new that only
/// content knows them, and behavior by content. One more item is bought by people who buy nothing
/// else, so that only popularity knows it.
fn stock(db: &Database) -> std::sync::Arc<Collection> {
    let shop = db.create_collection("shop", config()).expect("created");
    let mut items = Vec::new();
    for group in 0..4_usize {
        for i in 0..20_usize {
            let (x, y) = (group as f64, ((i * 7) % 20) as f64 / 100.0);
            items.push(json!({"id": format!("g{group}i{i}"), "vectors": {"shared": [x, y]}}));
        }
    }
    items.push(json!({"id": "popular", "vectors": {"shared": [9.0, 9.0]}}));
    put(&shop, &items);
    let mut events = Vec::new();
    for user in 240..300_usize {
        events.push(event(user, "popular".to_owned(), 3));
        // Held out: somebody new.
        events.push(event(user + 100, "popular".to_owned(), 21));
    }
    for user in 0..240_usize {
        let (group, kind) = (user % 4, user / 4 % 2);
        let own = |n: usize| format!("g{group}i{}", 2 * (n % 5) + kind);
        for n in 0..8 {
            events.push(event(user, own(user / 8 + n % 3), n));
        }
        // Held out: one more of the kind, and a new one of the group.
        events.push(event(user, own(user / 8 + 3 + user % 2), 20));
        events.push(event(user, format!("g{group}i{}", 10 + user / 8 % 10), 21));
    }
    db.append_events(&events).expect("stored");
    shop.train(&item_knn()).expect("trained");
    shop
}

#[test]
fn a_learned_blend_beats_its_sources_and_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let user = json!({"user": "u0", "limit": 5});
    let (version, before) = {
        let db = Database::open(dir.path(), Options::default()).expect("open");
        let shop = stock(&db);
        let learned = json!({"user": "u0", "blend": {"method": "learned"}});
        assert_eq!(
            error_pointer(&shop, learned),
            "/blend/method",
            "nothing was learned yet"
        );
        let answer = ask(&shop, user.clone());
        assert_eq!(answer.blend.method, BlendMethod::Rrf);
        assert!(answer.fallbacks.contains(&Fallback::NoLearnedBlend));

        let info = shop.train_blend().expect("learned");
        let figures = &info.figures;
        assert!(info.promoted, "{figures:?}");
        assert!(figures.learned > figures.rrf);
        assert!(
            figures.alone.values().all(|alone| figures.learned > *alone),
            "{figures:?}"
        );
        assert!(info.held_out_from.starts_with("2026-05-2"), "{info:?}");
        assert_eq!(shop.train_blend().expect("again").version, info.version);
        (info.version, ask(&shop, user.clone()))
    };
    assert_eq!(before.blend.method, BlendMethod::Learned);
    assert_eq!(before.blend.version.as_ref(), Some(&version));
    let db = Database::open(dir.path(), Options::default()).expect("open");
    let shop = db.collection("shop").expect("open");
    shop.train(&item_knn()).expect("trained");
    let after = ask(&shop, user);
    assert_eq!(after.blend, before.blend);
    let ids = |answer: &RecommendResponse| -> Vec<String> {
        answer.hits.iter().map(|h| h.id.clone()).collect()
    };
    assert_eq!(ids(&after), ids(&before));
}

#[test]
fn a_request_gives_its_own_weights() {
    let fixture = Fixture::new();
    let shop = stock(&fixture.db);
    let sources = |answer: &RecommendResponse| -> Vec<Source> {
        let mut sources: Vec<_> = answer.sources.iter().map(|s| s.source).collect();
        sources.sort_unstable();
        sources
    };
    let only = |weights: Value| ask(&shop, json!({"user": "u0", "blend": {"weights": weights}}));
    let answer = only(json!({"content": 2.5}));
    assert_eq!(answer.blend.method, BlendMethod::Weighted);
    assert_eq!(sources(&answer), [Source::Content]);
    assert_eq!(answer.sources[0].weight, 2.5);
    assert_eq!(answer.hits[0].reason.code, "similar");
    let answer = only(json!({"popularity": 1, "behavior": 0}));
    assert_eq!(sources(&answer), [Source::Popularity]);
    assert_eq!(answer.hits[0].reason.code, "popular");
    let answer = only(json!({"behavior": 1, "content": 0.1}));
    assert_eq!(answer.hits[0].reason.code, "also_liked");
    let rrf = json!({"method": "rrf", "weights": {"behavior": 1, "content": 1}});
    let answer = ask(&shop, json!({"user": "u0", "blend": rrf}));
    assert_eq!(answer.blend.method, BlendMethod::Rrf);
    assert!(
        !answer.fallbacks.contains(&Fallback::NoLearnedBlend),
        "it was asked for"
    );
}

#[test]
fn bad_blends_name_their_field() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    for (blend, at) in [
        (
            json!({"weights": {"content": -1}}),
            "/blend/weights/content",
        ),
        (
            json!({"weights": {"behavior": 1001}}),
            "/blend/weights/behavior",
        ),
        (json!({"weights": {"behavior": 0}}), "/blend/weights"),
        (json!({"weights": {}}), "/blend/weights"),
        (json!({"method": "weighted"}), "/blend/weights"),
        (json!({"method": "learned"}), "/blend/method"),
        (
            json!({"method": "learned", "weights": {"content": 1}}),
            "/blend/weights",
        ),
    ] {
        assert_eq!(error_pointer(&shop, json!({"blend": blend})), at, "{blend}");
    }
    let unknown = json!({"blend": {"weights": {"magic": 1}}});
    assert!(serde_json::from_value::<RecommendRequest>(unknown).is_err());
    match shop.train_blend() {
        Err(Error::Invalid(errors)) => assert_eq!(errors[0].pointer, "/events"),
        other => panic!("{other:?}"),
    }
}
