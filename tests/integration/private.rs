//! Private collections: what is released, what it costs, and what is refused.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use serde_json::{Value, json};
use vitrine::{
    Clock, Collection, Database, Error, Options, Subject, Training,
    schemas::{
        BoughtTogetherParams, Event, LedgerParams, PopularParams, PrivacyLedger, RecommendRequest,
        RecommendResponse, ReleasedTable, Source,
    },
};

use crate::support::{messages, put};

/// Microseconds in a day.
const DAY: i64 = 86_400 * 1_000_000;

/// The first day of a period of 30 days.
const START: i64 = 680 * 30 * DAY;

struct Shop {
    folder: tempfile::TempDir,
    now: Arc<AtomicI64>,
    db: Database,
}

impl Shop {
    fn new(privacy: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Arc::new(AtomicI64::new(START + DAY));
        let db = open(folder.path(), &now);
        let config = json!({"vectors": {"shared": {"dim": 2}}, "privacy": privacy});
        let config = serde_json::from_value(config).expect("a config");
        let shop = db.create_collection("shop", config).expect("create");
        let items = (0..40).map(|i| {
            let (name, group) = if i < 20 {
                ("tent", 0.0)
            } else {
                ("dress", 1.0)
            };
            json!({
                "id": format!("{name}{i}"), "title": format!("{name} {i}"), "category": name,
                "vectors": {"shared": [1.0, group]}
            })
        });
        put(&shop, &items.collect::<Vec<_>>());
        Self { folder, now, db }
    }

    fn shop(&self) -> Arc<Collection> {
        self.db.collection("shop").expect("open")
    }

    /// `users` users buy the items, one day after the start of a period.
    fn buy(&self, name: &str, users: usize, items: &[&str], period: i64) {
        let time = chrono::DateTime::from_timestamp_micros(START + period * 30 * DAY + DAY);
        let time = time.expect("a time").to_rfc3339();
        let event = |user: usize| json!({"kind": "purchase", "collection": "shop", "user": format!("{name}{user}"), "items": items, "ts": time});
        let events: Vec<Event> = (0..users)
            .map(|user| serde_json::from_value(event(user)).expect("an event"))
            .collect();
        self.db.append_events(&events).expect("stored");
    }

    fn train(&self) -> Result<(), Error> {
        self.shop().train(&Training::default()).map(|_| ())
    }

    fn ledger(&self) -> PrivacyLedger {
        let params = LedgerParams::default();
        self.shop().privacy_ledger(&params).expect("a ledger")
    }

    fn recommend(&self, request: Value) -> RecommendResponse {
        let request: RecommendRequest = serde_json::from_value(request).expect("a request");
        self.shop().recommend(&request, None).expect("an answer")
    }

    fn restart(self) -> Self {
        drop(self.db);
        let db = open(self.folder.path(), &self.now);
        Self { db, ..self }
    }
}

fn open(folder: &std::path::Path, now: &Arc<AtomicI64>) -> Database {
    let now = now.clone();
    let options = Options {
        clock: Clock::new(move || now.load(Relaxed)),
        ..Options::default()
    };
    Database::open(folder, options).expect("open")
}

fn strong() -> Value {
    json!({"epsilon": 4, "delta": 1e-6})
}

#[test]
fn popularity_is_released_within_the_budget() {
    let shop = Shop::new(&strong());
    shop.buy("u", 400, &["tent3", "dress25"], 0);
    shop.train().expect("a first release");
    let first = shop.ledger();
    assert_eq!(first.entries.len(), 2, "{first:?}");
    assert!(shop.train().is_ok(), "two releases per period");
    let spent = shop.train().expect_err("no third release");
    assert_eq!(spent.code(), "privacy_budget_spent");
    assert!(spent.to_string().contains("2025-12-08"), "{spent}");

    let ledger = shop.ledger();
    let total: f64 = ledger.entries.iter().map(|entry| entry.rho).sum();
    let period = &ledger.periods[0];
    assert!((total - period.rho_spent).abs() < 1e-12);
    assert!(total <= ledger.rho_per_period, "{ledger:?}");
    assert!(period.epsilon_spent <= 4.0 && period.epsilon_spent > 3.99);
    let tables: Vec<_> = ledger.entries.iter().map(|entry| entry.table).collect();
    let (popularity, pairs) = (ReleasedTable::Popularity, ReleasedTable::CategoryPairs);
    assert_eq!(tables, [pairs, popularity, pairs, popularity]);
    let numbers: Vec<_> = ledger.entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [4, 3, 2, 1], "the latest first");
    assert_eq!(ledger.entries[1].cells, 40, "items without events too");

    let answer = shop.recommend(json!({"user": "stranger", "limit": 2}));
    let mut ids: Vec<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["dress25", "tent3"]);
    let params = serde_json::from_value::<PopularParams>(json!({"limit": 5}));
    let popular = shop
        .shop()
        .popular(&params.expect("parameters"))
        .expect("hits");
    assert_eq!(popular.hits[0].events, 0, "no exact count");
}

#[test]
fn a_user_changes_no_counts_of_others() {
    let shop = Shop::new(&strong());
    let time = chrono::DateTime::from_timestamp_micros(START + DAY).expect("a time");
    let send = |event: Value| {
        let event: Event = serde_json::from_value(event).expect("an event");
        shop.db.append_events(&[event]).expect("stored");
    };
    for session in 0..300 {
        let session = format!("s{session}");
        let event = |user: Value, item: &str| {
            json!({
                "kind": "purchase", "collection": "shop", "session": session, "user": user,
                "items": [item], "ts": time.to_rfc3339(),
            })
        };
        send(event(Value::Null, "tent3"));
        // One user writes into the sessions of all others.
        send(event(json!("intruder"), "dress25"));
    }
    shop.train().expect("a release");
    let answer = shop.recommend(json!({"user": "stranger", "limit": 1}));
    assert_eq!(answer.hits[0].id, "tent3");
    let sources = &answer.hits[0].contributions;
    assert!(
        sources.iter().any(|c| c.source == Source::Popularity),
        "{sources:?}"
    );
    let info = shop.db.info("shop").expect("information").events;
    assert_eq!(
        (info.touches, info.users, info.items),
        (0, 0, 0),
        "no exact counts"
    );
}

#[test]
fn a_restart_keeps_ledger_and_tables_and_an_erasure_gives_nothing_back() {
    let shop = Shop::new(&strong());
    shop.buy("u", 400, &["tent3"], 0);
    shop.train().expect("a release");
    let (ledger, answer) = (
        shop.ledger(),
        shop.recommend(json!({"user": "x", "limit": 3})),
    );
    let collections = [shop.shop()];
    let erased = shop.db.erase(&Subject::User("u7".into()), &collections);
    assert_eq!(erased.expect("erased").events["shop"], 1);
    drop(collections);
    assert_eq!(shop.ledger(), ledger);
    let shop = shop.restart();
    assert_eq!(shop.ledger(), ledger);
    let again = shop.recommend(json!({"user": "x", "limit": 3}));
    assert_eq!(again.hits[0].id, answer.hits[0].id);
    assert_eq!(again.hits[0].score, answer.hits[0].score);
}

#[test]
fn what_one_user_does_is_in_no_answer() {
    let shop = Shop::new(&json!({"epsilon": 1}));
    shop.buy("u", 1, &["tent3", "dress25"], 0);
    shop.train().expect("a release");
    let answer = shop.recommend(json!({"positives": [{"id": "tent3"}], "limit": 10}));
    for hit in &answer.hits {
        let sources = hit.contributions.iter().map(|c| c.source);
        let behavior = |s: Source| matches!(s, Source::Behavior | Source::Session);
        assert!(!sources.clone().any(behavior), "{hit:?}");
        assert!(!hit.reason.text.contains("also chose"), "{hit:?}");
    }
    let params = BoughtTogetherParams {
        limit: 5,
        filter: None,
        exclude_out_of_stock: true,
    };
    let refused = shop
        .shop()
        .bought_together("tent3", &params)
        .expect_err("pairs");
    assert_eq!(refused.code(), "private_collection");
    assert!(
        refused.to_string().contains("users per period"),
        "{refused}"
    );
    let refused = shop.shop().train_blend().expect_err("a blend");
    assert_eq!(refused.code(), "private_collection");
    let own = shop.recommend(json!({"user": "u0", "limit": 40}));
    assert!(
        own.hits.iter().all(|hit| hit.id != "tent3"),
        "own history counts"
    );
}

#[test]
fn each_period_has_a_budget_and_the_last_release_takes_the_rest() {
    let shop = Shop::new(&strong());
    shop.buy("u", 300, &["tent1"], -1);
    shop.buy("u", 300, &["tent2"], 0);
    shop.train().expect("both periods");
    let ledger = shop.ledger();
    let left: Vec<_> = ledger
        .periods
        .iter()
        .map(|period| period.rho_left)
        .collect();
    assert!(
        (left[0] / ledger.rho_per_period - 0.5).abs() < 1e-6,
        "{left:?}"
    );
    assert!(
        left[1] < 1e-6 * ledger.rho_per_period,
        "over, so all is used"
    );
    shop.now.fetch_add(40 * DAY, Relaxed);
    shop.train().expect("the rest");
    assert!(shop.ledger().periods[0].rho_left < 1e-6);
    assert_eq!(
        shop.train().expect_err("nothing left").code(),
        "privacy_budget_spent"
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Database::open(folder.path(), Options::default()).expect("open");
    for (field, value) in [
        ("epsilon", json!(0)),
        ("delta", json!(0.5)),
        ("period_days", json!(0)),
        ("max_items_per_user", json!(0)),
        ("releases_per_period", json!(99)),
    ] {
        let mut privacy = strong();
        privacy[field] = value;
        let config = json!({"vectors": {"shared": {"dim": 2}}, "privacy": privacy});
        let config = serde_json::from_value(config).expect("a config");
        let error = db
            .create_collection("shop", config)
            .map(|_| ())
            .expect_err("refused");
        assert!(messages(&error).starts_with(&format!("/privacy/{field} expected")));
    }
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    let config = serde_json::from_value(config).expect("a config");
    let plain = db.create_collection("plain", config).expect("create");
    let error = plain
        .privacy_ledger(&LedgerParams::default())
        .expect_err("not private");
    assert!(error.to_string().contains("not private"));
}
