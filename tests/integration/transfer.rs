//! The weight of other categories in recommendations of one category.

use rand::{SeedableRng, rngs::StdRng, seq::index};
use serde_json::json;
use vitrine::{
    Collection, Database, Options, Training,
    schemas::{Event, RecommendResponse},
};

use crate::support::put;

/// Number of users.
const USERS: usize = 300;

/// Users choose three of ten items of one of six groups of `Tents`, and six of ten `Books` of the
/// group of the same number, or two of each group, which tell nothing about tents.
fn fill(db: &Database, related: bool) {
    let shop = db
        .create_collection("shop", crate::support::config())
        .expect("created");
    let item =
        |category: &str, n: usize| json!({"id": format!("{category}{n}"), "category": category});
    let of = |category: &'static str| (0..60).map(move |n| item(category, n));
    put(&shop, &of("Tents").chain(of("Books")).collect::<Vec<_>>());
    let mut rng = StdRng::seed_from_u64(1);
    let mut log = Vec::new();
    for user in 0..USERS {
        let mut choose = |category: &str, group: usize, count: usize| {
            for n in index::sample(&mut rng, 10, count) {
                log.push(json!({
                    "kind": "view", "collection": "shop", "user": format!("u{user}"),
                    "items": [format!("{category}{}", 10 * group + n)], "ts": "2026-05-01T10:00:00Z"
                }));
            }
        };
        choose("Tents", user % 6, 3);
        match related {
            true => choose("Books", user % 6, 6),
            // Two of each group, whatever the group of tents.
            false => (0..6).for_each(|group| choose("Books", group, 2)),
        }
    }
    let log: Vec<Event> = serde_json::from_value(log.into()).expect("events");
    db.append_events(&log).expect("stored");
}

fn recommend(shop: &Collection) -> RecommendResponse {
    let request = json!({
        "positives": [{"id": "Books3"}, {"id": "Books4"}], "categories": ["Tents"], "limit": 5,
        "blend": {"weights": {"behavior": 1, "popularity": 0.01}}
    });
    let request = serde_json::from_value(request).expect("a request");
    shop.recommend(&request, None).expect("an answer")
}

fn also_liked(shop: &Collection) -> usize {
    let hits = recommend(shop).hits;
    hits.iter()
        .filter(|h| h.reason.code == "also_liked")
        .count()
}

/// Number of similar items of another category by what the same users chose.
fn bridges(shop: &Collection) -> usize {
    let params = serde_json::from_value(json!({"scope": "cross", "limit": 8}));
    let answer = shop.similar("Books3", &params.expect("parameters"), None);
    let hits = answer.expect("an answer").hits.into_iter();
    let codes = hits.filter_map(|hit| Some(hit.reason?.code));
    codes.filter(|code| code == "bridge").count()
}

#[test]
fn a_category_that_others_tell_nothing_about_is_recommended_by_its_own_events() {
    for model in ["item_knn", "graph_filter"] {
        let dir = tempfile::tempdir().expect("temporary folder");
        let open = || {
            let options = Options {
                index_threads: 0,
                ..Options::default()
            };
            Database::open(dir.path(), options).expect("open")
        };
        let training = Training {
            model: serde_json::from_value(model.into()).expect("a model"),
            ..Training::default()
        };
        {
            let db = open();
            fill(&db, false);
            let shop = db.collection("shop").expect("open");
            let info = shop.train(&training).expect("trained");
            let tents = info.transfers.iter().find(|t| t.category == "Tents");
            assert_eq!(tents.expect("estimated").weight, 0.0, "{model}: {info:?}");
            assert_eq!(also_liked(&shop), 0, "{model}");
            assert!(bridges(&shop) > 0, "{model}: similar items use all");
        }
        let db = open();
        let shop = db.collection("shop").expect("open");
        assert_eq!(also_liked(&shop), 0, "{model}, stored");
    }
}

#[test]
fn a_category_that_others_tell_about_is_recommended_by_their_events_too() {
    let db_dir = tempfile::tempdir().expect("temporary folder");
    let db = Database::open(db_dir.path(), Options::default()).expect("open");
    fill(&db, true);
    let shop = db.collection("shop").expect("open");
    let training = Training {
        model: serde_json::from_value("item_knn".into()).expect("a model"),
        ..Training::default()
    };
    let info = shop.train(&training).expect("trained");
    let tents = info.transfers.iter().find(|t| t.category == "Tents");
    let tents = tents.expect("estimated");
    assert!(tents.weight > 0.0 && tents.gain_low > 0.0, "{tents:?}");
    assert!(tents.people as usize == USERS);
    assert!(also_liked(&shop) > 0);
}
