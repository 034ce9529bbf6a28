//! Feeds of news and posts: freshness, followed authors, impressions, near duplicates, presets.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine::{
    Clock, Collection, Database, Error, Options, Subject, Training,
    schemas::{Event, EventStatus, RecommendRequest, RecommendResponse, Source},
};

use crate::support::{messages, put};

/// 2026-05-01T00:00:00Z, microseconds since 1970.
const START: i64 = 1_777_593_600_000_000;

const HOUR: i64 = 3_600_000_000;

/// A database with a clock that tests move.
struct Feed {
    db: Database,
    now: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

impl Feed {
    fn new(config: Value) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let now = Arc::new(AtomicI64::new(START));
        let feed = Self {
            db: open(&folder, &now),
            now,
            folder,
        };
        let config = serde_json::from_value(config).expect("a configuration");
        feed.db.create_collection("feed", config).expect("created");
        feed
    }

    fn reopened(self) -> Self {
        let Self { db, now, folder } = self;
        drop(db);
        let db = open(&folder, &now);
        Self { db, now, folder }
    }

    fn collection(&self) -> Arc<Collection> {
        self.db.collection("feed").expect("open")
    }

    fn set_hour(&self, hour: i64) {
        self.now.store(START + hour * HOUR, Relaxed);
    }

    fn event(&self, kind: &str, user: &str, items: &[&str], hour: i64) {
        let event = json!({
            "kind": kind, "collection": "feed", "user": user, "items": items, "ts": time(hour),
            "id": format!("{kind} {user} {items:?} {hour}"),
        });
        let event: Event = serde_json::from_value(event).expect("an event");
        let results = self.db.append_events(&[event]).expect("stored");
        // A reader may read an article twice in an hour.
        let is_stored = |status| matches!(status, EventStatus::Accepted | EventStatus::Duplicate);
        assert!(is_stored(results[0].status), "{results:?}");
    }

    fn ask(&self, request: Value) -> RecommendResponse {
        let request: RecommendRequest = serde_json::from_value(request).expect("a request");
        let answer = self.collection().recommend(&request, None);
        let answer = answer.expect("an answer");
        for hit in &answer.hits {
            let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
            assert!((hit.score - sum).abs() < 1e-5, "{hit:?}");
        }
        answer
    }
}

fn open(folder: &tempfile::TempDir, now: &Arc<AtomicI64>) -> Database {
    let now = now.clone();
    let options = Options {
        clock: Clock::new(move || now.load(Relaxed)),
        ..Options::default()
    };
    Database::open(folder.path(), options).expect("open")
}

/// Returns the time `hour` hours after the start.
fn time(hour: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(START + hour * HOUR);
    time.expect("a time").to_rfc3339()
}

fn ids(answer: &RecommendResponse) -> Vec<&str> {
    answer.hits.iter().map(|hit| hit.id.as_str()).collect()
}

fn post(id: &str, author: &str, hour: i64, vector: [f64; 2]) -> Value {
    json!({
        "id": id, "title": id, "created_at": time(hour), "attributes": {"author": author},
        "vectors": {"text": vector},
    })
}

/// Posts of three authors, `ben2` the newest.
fn posts() -> Feed {
    let feed = Feed::new(json!({"preset": "social", "vectors": {"text": {"dim": 2}}}));
    let posts = [
        post("anna1", "anna", -30, [1.0, 0.0]),
        post("anna2", "anna", -3, [0.0, 1.0]),
        post("ben1", "ben", -2, [0.6, -0.8]),
        post("ben2", "ben", -1, [-0.8, 0.6]),
        post("cleo1", "cleo", -4, [-1.0, 0.0]),
    ];
    put(&feed.collection(), &posts);
    feed
}

#[test]
fn posts_of_followed_authors_come_first_and_say_why() {
    let feed = posts();
    feed.event("follow", "u", &["anna"], -10);
    let answer = feed.ask(json!({"user": "u"}));
    assert_eq!(ids(&answer)[..2], ["anna2", "anna1"], "{answer:#?}");
    let reason = &answer.hits[0].reason;
    assert_eq!(reason.code, "following");
    assert_eq!(reason.text, "From anna, whom you follow");
    assert!(reason.items.is_empty(), "authors are no items");
    // Another user, and a request without the settings, have no followed authors.
    for request in [json!({"user": "v"}), json!({"user": "u", "feed": false})] {
        let answer = feed.ask(request);
        let sources = answer.sources.iter().map(|s| s.source);
        assert!(!sources.into_iter().any(|s| s == Source::Following));
    }
    // Weights of the request decide alone.
    let answer = feed.ask(json!({"user": "u", "blend": {"weights": {"content": 1}}}));
    assert!(answer.sources.iter().all(|s| s.source != Source::Following));

    let feed = feed.reopened();
    assert_eq!(ids(&feed.ask(json!({"user": "u"})))[0], "anna2");
    feed.event("unfollow", "u", &["anna"], -1);
    let answer = feed.ask(json!({"user": "u"}));
    assert!(answer.hits.iter().all(|hit| hit.reason.code != "following"));
}

#[test]
fn follows_outlive_the_retention_but_not_an_erasure() {
    let feed = Feed::new(json!({
        "preset": "social", "vectors": {"text": {"dim": 2}}, "behavior": {"retention_days": 2}
    }));
    put(
        &feed.collection(),
        &[post("anna1", "anna", -20, [1.0, 0.0])],
    );
    feed.event("follow", "u", &["anna"], -10);
    feed.event("view", "u", &["anna1"], -10);
    feed.set_hour(24 * 30);
    put(
        &feed.collection(),
        &[post("anna2", "anna", 24 * 30 - 1, [0.0, 1.0])],
    );
    let feed = feed.reopened();
    let answer = feed.ask(json!({"user": "u"}));
    assert_eq!(answer.hits[0].reason.code, "following");
    assert_eq!(answer.history, 0, "the view is too old");
    let collections = [feed.collection()];
    let erased = feed.db.erase(&Subject::User("u".into()), &collections);
    erased.expect("erased");
    drop(collections);
    let feed = feed.reopened();
    let answer = feed.ask(json!({"user": "u"}));
    assert!(answer.hits.iter().all(|hit| hit.reason.code != "following"));
}

#[test]
fn a_follow_names_a_user_and_a_collection_with_authors() {
    let feed = posts();
    let append = |feed: &Feed, event: Value| {
        let event: Event = serde_json::from_value(event).expect("an event");
        feed.db.append_events(&[event]).expect("checked").remove(0)
    };
    let event = json!({"kind": "follow", "collection": "feed", "session": "s", "items": ["anna"]});
    let refused = append(&feed, event);
    assert_eq!(refused.status, EventStatus::Rejected);
    assert!(refused.error.expect("a reason").contains("/user"));
    // Authors have no events of their own, and need not be in the catalog.
    feed.event("follow", "u", &["nobody yet"], -1);
    let events = feed
        .collection()
        .item_events("nobody yet", 10)
        .expect("read");
    assert!(events.counts.is_empty());

    let shop = Feed::new(json!({"vectors": {"text": {"dim": 2}}}));
    let event = json!({"kind": "follow", "collection": "feed", "user": "u", "items": ["anna"]});
    let error = append(&shop, event).error.expect("a reason");
    assert!(error.contains("followed_field"), "{error}");
}

#[test]
fn scores_decay_and_old_items_leave() {
    let feed = posts();
    let decay = |max_age: Option<f64>| {
        let freshness = json!({"half_life_hours": 6, "max_age_hours": max_age});
        feed.ask(json!({"freshness": freshness}))
    };
    assert_eq!(
        ids(&decay(None)),
        ["ben2", "ben1", "anna2", "cleo1", "anna1"]
    );
    assert_eq!(ids(&decay(Some(24.0))), ["ben2", "ben1", "anna2", "cleo1"]);
    assert_eq!(ids(&decay(Some(2.5))), ["ben2", "ben1"]);
    // An item without a date stays, as one of the greatest age.
    let undated = json!({"id": "undated", "title": "undated", "vectors": {"text": [0.0, -1.0]}});
    put(&feed.collection(), &[undated]);
    assert_eq!(ids(&decay(Some(2.5))), ["ben2", "ben1", "undated"]);
    // An hour later they are older.
    feed.set_hour(1);
    assert_eq!(ids(&decay(Some(2.5))), ["ben2", "undated"]);
    // The preset's own decay, and none.
    assert_eq!(ids(&feed.ask(json!({})))[0], "ben2");
    assert_eq!(feed.ask(json!({"feed": false})).hits.len(), 6);
    // The most popular item leads until it is too old.
    for (user, id) in [("v", "cleo1"), ("w", "cleo1"), ("v", "ben1")] {
        feed.event("view", user, &[id], 0);
    }
    feed.collection()
        .train(&Training::default())
        .expect("trained");
    let decay = |hours: f64| feed.ask(json!({"freshness": {"half_life_hours": hours}}));
    assert_eq!(ids(&decay(10_000.0))[0], "cleo1");
    let answer = decay(1.0);
    assert_eq!(ids(&answer)[0], "ben1");
    let parts = &answer.hits[0].contributions;
    let part = parts.iter().find(|c| c.source == Source::Freshness);
    let part = part.expect("a contribution of the age");
    // It is three hours old.
    assert!(
        (part.raw - 0.125).abs() < 1e-4 && part.score > 0.0,
        "{part:?}"
    );
    for (freshness, field) in [
        (json!({"half_life_hours": 0}), "/freshness/half_life_hours"),
        (
            json!({"half_life_hours": 1, "field": "author"}),
            "/freshness/field",
        ),
    ] {
        let request = serde_json::from_value(json!({"freshness": freshness})).expect("a request");
        let error = feed
            .collection()
            .recommend(&request, None)
            .expect_err("refused");
        assert!(messages(&error).starts_with(field), "{error}");
    }
}

#[test]
fn items_shown_often_enough_leave_and_impressions_are_no_choice() {
    let feed = posts();
    for hour in [-3, -2] {
        feed.event("impression", "u", &["ben2"], hour);
    }
    let answer = feed.ask(json!({"user": "u"}));
    assert!(ids(&answer).contains(&"ben2") && answer.history == 0);
    let twice = feed.ask(json!({"user": "u", "max_impressions": 2}));
    assert!(!ids(&twice).contains(&"ben2"));
    feed.event("impression", "u", &["ben2"], -1);
    let feed = feed.reopened();
    assert!(
        !ids(&feed.ask(json!({"user": "u"}))).contains(&"ben2"),
        "the preset's limit is 3"
    );
    assert!(ids(&feed.ask(json!({"user": "v"}))).contains(&"ben2"));
    // Nobody chose anything yet.
    feed.event("view", "v", &["cleo1"], -1);
    let collection = feed.collection();
    collection.train(&Training::default()).expect("trained");
    let answer = feed.ask(json!({"user": "w", "freshness": {"half_life_hours": 100_000}}));
    assert_eq!(ids(&answer)[0], "cleo1");
    let popular = answer
        .hits
        .iter()
        .filter(|hit| hit.reason.code == "popular");
    assert_eq!(popular.count(), 1);
}

#[test]
fn a_story_is_told_once() {
    let feed = Feed::new(json!({"preset": "news", "vectors": {"text": {"dim": 2}}}));
    let article = |id: &str, source: &str, angle: f64| {
        json!({
            "id": id, "title": id, "created_at": time(-1), "attributes": {"source": source},
            "vectors": {"text": [angle.cos(), angle.sin()]},
        })
    };
    let articles = [
        article("storm", "dpa", 0.0),
        article("storm, copied", "ap", 0.05),
        article("storm, again", "afp", 0.1),
        article("election", "dpa", 1.5),
        article("cup final", "ap", 3.0),
    ];
    put(&feed.collection(), &articles);
    let answer = feed.ask(json!({}));
    assert_eq!(answer.hits.len(), 3, "{:?}", ids(&answer));
    let used = answer.diversity.expect("diversified");
    assert_eq!(used.near_duplicates, 2);
    // Also on the next page.
    let first = feed.ask(json!({"limit": 2}));
    let cursor = first.next_cursor.clone().expect("more");
    let second = feed.ask(json!({"limit": 2, "cursor": cursor}));
    let storms = ids(&first).into_iter().chain(ids(&second));
    assert_eq!(storms.filter(|id| id.starts_with("storm")).count(), 1);
    assert_eq!(feed.ask(json!({"feed": false})).hits.len(), 5);
}

#[test]
fn settings_are_shown_changed_and_removed() {
    let feed = posts();
    let collection = feed.collection();
    let config = collection.config();
    assert_eq!(config.preset, None);
    let settings = config.feed.clone().expect("those of the preset");
    assert_eq!(settings.followed_field.as_deref(), Some("author"));
    // Creating it again with the same preset changes nothing.
    let again = json!({"preset": "social", "vectors": {"text": {"dim": 2}}});
    let again = serde_json::from_value(again).expect("a configuration");
    feed.db.create_collection("feed", again).expect("the same");
    let patch = |patch: Value| {
        let patch = serde_json::from_value(patch).expect("a patch");
        feed.db.patch_collection("feed", patch)
    };
    let error = patch(json!({"feed": {"followed_field": "writer"}})).err();
    let error = error.expect("refused");
    assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains("writer"));
    patch(json!({"feed": {"followed_field": "brand"}})).expect("changed");
    assert!(
        collection
            .config()
            .feed
            .as_ref()
            .is_some_and(|feed| feed.freshness.is_none())
    );
    patch(json!({"feed": {}})).expect("removed");
    assert_eq!(collection.config().feed, None);
    patch(json!({"preset": "social"})).expect("set again");
    assert_eq!(collection.config().feed, Some(settings));
    patch(json!({"feed": {}})).expect("removed");
    drop(collection);
    assert_eq!(feed.reopened().collection().config().feed, None);
}

/// Readers of a stream of news: each likes two topics, prefers new and good articles, and reads a
/// story within a day. Interest moves on with every hour, so what was read most is soon no news.
#[test]
fn readers_find_more_of_what_they_read_in_a_feed() {
    const TOPICS: usize = 6;
    const READERS: usize = 40;
    const PAGE: usize = 10;
    let config = json!({"preset": "news", "vectors": {"text": {"dim": TOPICS}}});
    let feed = Feed::new(config);
    let mut random = StdRng::seed_from_u64(7);
    let collection = feed.collection();
    // Topic, quality and hour of each article; articles that each reader read.
    let mut articles: Vec<(usize, f64, i64)> = Vec::new();
    let mut read: Vec<HashSet<usize>> = vec![HashSet::new(); READERS];
    let (mut asked, mut found, mut found_plain, mut found_by_oracle) = (0, 0, 0, 0);
    for hour in 0..100 {
        feed.set_hour(hour);
        let new: Vec<Value> = (0..15)
            .map(|_| {
                let (topic, quality) = (random.random_range(0..TOPICS), random.random::<f64>());
                articles.push((topic, quality * quality, hour));
                let near = |t: usize| if t == topic { 1.0 } else { 0.0 };
                let noise: Vec<f64> = (0..TOPICS)
                    .map(|_| random.random_range(-0.4..0.4))
                    .collect();
                let vector: Vec<f64> = (0..TOPICS).map(|t| near(t) + noise[t]).collect();
                let id = format!("a{}", articles.len() - 1);
                json!({
                    "id": id, "title": id, "created_at": time(hour), "vectors": {"text": vector},
                    "attributes": {"source": format!("s{}", random.random_range(0..5))},
                })
            })
            .collect();
        put(&collection, &new);
        for _ in 0..READERS / 2 {
            let reader = random.random_range(0..READERS);
            let likes = [reader % TOPICS, (reader / TOPICS) % TOPICS];
            let weight = |(number, (topic, quality, at)): (usize, &(usize, f64, i64))| {
                let is_wanted = likes.contains(topic) && !read[reader].contains(&number);
                match hour - at {
                    age @ 0..24 if is_wanted => quality * (-age as f64 / 6.0).exp2(),
                    _ => 0.0,
                }
            };
            let weights: Vec<f64> = articles.iter().enumerate().map(weight).collect();
            let total: f64 = weights.iter().sum();
            if total == 0.0 {
                continue;
            }
            let mut left = random.random_range(0.0..total);
            let next = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            let Some(next) = next else { continue };
            let (id, user) = (format!("a{next}"), format!("u{reader}"));
            if hour >= 30 {
                let is_found = |settings: bool| {
                    let request = json!({"user": user, "limit": PAGE, "feed": settings});
                    ids(&feed.ask(request)).contains(&id.as_str())
                };
                asked += 1;
                found += u32::from(is_found(true));
                found_plain += u32::from(is_found(false));
                let better = weights.iter().filter(|weight| **weight > weights[next]);
                found_by_oracle += u32::from(better.count() < PAGE);
            }
            feed.event("view", &user, &[&id], hour);
            read[reader].insert(next);
        }
        if hour % 6 == 5 {
            collection.train(&Training::default()).expect("trained");
        }
    }
    println!(
        "of {asked} articles read, on the page: {found} with `news`, {found_plain} without, \
         {found_by_oracle} of one who knows all wishes"
    );
    assert!(found > found_plain, "{found} {found_plain} of {asked}");
}
