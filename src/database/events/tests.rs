//! The event store through the database: erasure, export, retention, restarts.

use serde_json::{Value, json};
use vitrine_schemas::{Event, EventKind, EventStatus, RecommendRequest};

use super::*;
use crate::{Database, Options, Training};

fn open(path: &std::path::Path) -> Database {
    let options = Options {
        // No background work during a test.
        index_threads: 0,
        ..Options::default()
    };
    Database::open(path, options).expect("open")
}

fn shop(db: &Database, behavior: Value) -> Arc<Collection> {
    let config = json!({"vectors": {"shared": {"dim": 2}}, "behavior": behavior});
    let config = serde_json::from_value(config).expect("a configuration");
    db.create_collection("shop", config).expect("create")
}

fn user_named(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

fn event(user: Option<&str>, session: Option<&str>, item: &str, ts: &str) -> Event {
    let event = json!({
        "kind": "purchase", "collection": "shop", "user": user, "session": session, "items": [item], "ts": ts
    });
    serde_json::from_value(event).expect("an event")
}

fn store(db: &Database, events: &[Event]) {
    for result in db.append_events(events).expect("stored") {
        assert_eq!(result.status, EventStatus::UnknownItems, "{result:?}");
    }
}

fn exported(db: &Database, user: &str) -> Vec<Event> {
    let mut events = StoredEvents::new(user_named(user), db.open_collections()).expect("a subject");
    let mut all = Vec::new();
    while let Some(more) = events.step().expect("read") {
        all.extend(more);
    }
    all
}

/// Events of many users with some items, all of one day.
fn crowd() -> Vec<Event> {
    let many = (0..600).map(|n| {
        let (user, item) = (format!("user {}", n % 60), format!("item {}", n * 7 % 23));
        let ts = format!("2026-05-01T{:02}:{:02}:00Z", n / 60, n % 60);
        event(Some(&user), None, &item, &ts)
    });
    many.collect()
}

const SECRET: &str = "anna@example.org";

#[test]
fn nothing_is_left_of_an_erased_user() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let session = "anna's session";
    {
        let db = open(dir.path());
        let shop = shop(&db, json!({"keep_models": 5, "model": "graph_filter"}));
        store(&db, &crowd());
        let mut events = vec![
            event(Some(SECRET), Some(session), "tent", "2026-05-02T10:00:00Z"),
            event(None, Some(session), "lamp", "2026-05-02T09:00:00Z"),
            event(Some("other"), Some(session), "rope", "2026-05-02T11:00:00Z"),
        ];
        events[0].id = Some(format!("order of {SECRET}"));
        events.extend((0..1200).map(|n| {
            let ts = format!(
                "2026-04-{:02}T{:02}:{:02}:00Z",
                1 + n / 60 % 28,
                n % 24,
                n % 60
            );
            event(Some(SECRET), None, &format!("item {}", n % 23), &ts)
        }));
        store(&db, &events);
        shop.train(&Training::default()).expect("trained");
        shop.train(&Training::default()).expect("trained");
        assert_eq!(exported(&db, SECRET).len(), 1201);
        assert!(db.store().mentions(SECRET).expect("scanned") > 1201);
        let erased = db
            .erase(&user_named(SECRET), &db.open_collections())
            .expect("erased");
        assert_eq!(erased.events, [("shop".to_owned(), 1202)].into());
        assert_eq!(db.store().mentions(SECRET).expect("scanned"), 0);
        assert!(exported(&db, SECRET).is_empty());
        let request = json!({"user": SECRET});
        let request: RecommendRequest = serde_json::from_value(request).expect("a request");
        assert_eq!(shop.recommend(&request, None).expect("answered").history, 0);
        assert_eq!(shop.behavior_info().touches, 601);
        // Not closed properly: the lock is released with the value, the log is not flushed.
    }
    let db = open(dir.path());
    let shop = db.collection("shop").expect("there");
    assert_eq!(db.store().mentions(SECRET).expect("scanned"), 0);
    assert_eq!(shop.behavior_info().touches, 601);
    // The events of other users in the session stay.
    let left = crowd().len() as u64 + 1;
    assert_eq!(shop.behavior_info().touches, left);
    assert_eq!(shop.models().models.len(), 2, "until the next training");
    assert!(
        shop.maintain_behavior().expect("trained"),
        "which is due at once"
    );
    let models = shop.models().models;
    assert_eq!(models.len(), 1, "and replaces those that knew the user");
    assert_eq!((models[0].version, models[0].interactions), (3, left));
    assert!(!shop.maintain_behavior().expect("nothing to do"));
    let again = db.append_events(&[event(
        Some(SECRET),
        Some(session),
        "tent",
        "2026-05-02T10:00:00Z",
    )]);
    let status = again.expect("stored")[0].status;
    assert_eq!(
        status,
        EventStatus::UnknownItems,
        "no duplicate of what was erased"
    );
}

#[test]
fn events_older_than_they_are_kept_are_removed() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let ago = |days: i64| {
        let time = Utc::now() - chrono::TimeDelta::days(days);
        time.to_rfc3339()
    };
    let all: Vec<_> = (0..2500)
        .map(|n| event(Some("u"), Some("s"), &format!("i{n}"), &ago(n % 50 + 1)))
        .collect();
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    store(&db, &all);
    let patch = serde_json::from_value(json!({"behavior": {"retention_days": 30.5}}));
    let shop = {
        db.patch_collection("shop", patch.expect("a patch"))
            .expect("patched");
        assert!(shop.maintain_behavior().expect("removed"));
        shop
    };
    let info = shop.behavior_info();
    assert_eq!((info.expired, info.touches), (1000, 1500));
    assert_eq!(exported(&db, "u").len(), 1500);
    assert_eq!(shop.item_events("i49", 10).expect("read").counts.len(), 0);
    let rejected = db.append_events(&[event(Some("u"), None, "a", &ago(31))]);
    let rejected = &rejected.expect("answered")[0];
    assert!(rejected.error.as_deref().expect("rejected").contains("/ts"));
    drop(shop);
    drop(db);
    let db = open(dir.path());
    let info = db.info("shop").expect("there");
    assert_eq!((info.events.touches, info.events.expired), (1500, 0));
}

#[test]
fn each_kind_has_its_own_retention() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let ago = |days: i64| {
        let time = Utc::now() - chrono::TimeDelta::days(days);
        time.to_rfc3339()
    };
    let of_kind = |kind: EventKind, n: i64| Event {
        kind,
        ..event(Some("u"), Some("s"), &format!("i{n}"), &ago(n % 50 + 1))
    };
    // More than one batch of those that stay comes before those that go.
    let mut all: Vec<_> = (0..2500).map(|n| of_kind(EventKind::Purchase, n)).collect();
    all.extend((0..2500).map(|n| of_kind(EventKind::View, n)));
    let db = open(dir.path());
    let shop = shop(&db, json!({"retention_days": 40.5}));
    let kept = |event: &Event| event.items[0][1..].parse::<i64>().expect("a number") % 50 < 40;
    let (recent, old): (Vec<_>, Vec<_>) = all.into_iter().partition(kept);
    store(&db, &recent);
    let refused = db.append_events(&old).expect("answered");
    assert!(refused.iter().all(|result| result.error.is_some()));
    let patch = json!({"behavior": {"retention_days_by_kind": {"view": 10.5}}});
    db.patch_collection("shop", serde_json::from_value(patch).expect("a patch"))
        .expect("patched");
    shop.maintain_behavior().expect("removed");
    let counts = |kind| {
        let events = exported(&db, "u");
        events.iter().filter(|event| event.kind == kind).count()
    };
    assert_eq!(
        (counts(EventKind::Purchase), counts(EventKind::View)),
        (2000, 500)
    );
    let info = shop.behavior_info();
    assert_eq!((info.expired, info.touches), (1500, 2500), "in memory too");
    let late = of_kind(EventKind::View, 11);
    let rejected = &db.append_events(&[late]).expect("answered")[0];
    assert!(rejected.error.as_deref().expect("rejected").contains("/ts"));
    // Without its own age, a kind has that of all.
    let patch = json!({"behavior": {"retention_days_by_kind": {"view": 0}}});
    let patched = db.patch_collection("shop", serde_json::from_value(patch).expect("a patch"));
    let by_kind = patched.expect("patched").config().behavior.clone();
    assert!(by_kind.retention_days_by_kind.is_empty());
}

#[test]
fn a_collection_that_is_dropped_takes_its_events_and_models_with_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    store(&db, &crowd());
    shop.train(&Training::default()).expect("trained");
    db.drop_collection("shop").expect("dropped");
    assert_eq!(db.store().mentions("user 1").expect("scanned"), 0);
    assert!(shop.train(&Training::default()).is_err());
    assert_eq!(db.store().mentions("item 1").expect("scanned"), 0);
}

#[test]
fn events_of_an_item_are_counted_by_kind() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    let at = |n| format!("2026-05-01T00:00:{n:02}Z");
    let mut all: Vec<_> = (0..5)
        .map(|n| event(Some("u"), None, "a", &at(n)))
        .collect();
    all[1].kind = EventKind::View;
    all.push(event(Some("u"), None, "ab", &at(9)));
    store(&db, &all);
    let events = shop.item_events("a", 2).expect("read");
    let counts = [(EventKind::View, 1), (EventKind::Purchase, 4)];
    assert_eq!(events.counts, counts.into());
    let times: Vec<_> = events.latest.iter().map(|e| e.ts.clone()).collect();
    assert_eq!(times, [Some(at(4)), Some(at(3))]);
    assert!(shop.item_events("a", 1001).is_err());
}

#[test]
fn events_of_a_longer_name_are_not_those_of_the_user() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    let names = ["u", "u\0", "u\0\0\0\0\0\0\0\u{1}", "uu"];
    let all = names.map(|name| event(Some(name), None, "a", "2026-05-01T00:00:00Z"));
    store(&db, &all);
    for name in names {
        let events = exported(&db, name);
        assert_eq!(events.len(), 1, "{name:?}");
        assert_eq!(events[0].user.as_deref(), Some(name));
    }
    db.erase(&user_named("u"), &[shop]).expect("erased");
    assert_eq!(exported(&db, "u\0").len(), 1);
    assert!(db.erase(&user_named(""), &[]).is_err());
}

/// Returns the kinds, items and quantities of a user's events.
fn kept(db: &Database, user: &str) -> Vec<(EventKind, Vec<String>, Option<f64>)> {
    let events = exported(db, user).into_iter();
    events.map(|e| (e.kind, e.items, e.quantity)).collect()
}

fn changed(event: &Event, change: Value) -> Event {
    let mut fields = json!(event);
    let change = change.as_object().expect("fields").clone();
    fields.as_object_mut().expect("fields").extend(change);
    serde_json::from_value(fields).expect("an event")
}

#[test]
fn a_return_takes_the_latest_purchase_back_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open(folder.path());
    shop(&db, json!({}));
    let first = event(Some("u"), None, "mat", "2026-05-01T10:00:00Z");
    let second = event(Some("u"), None, "mat", "2026-05-02T10:00:00Z");
    let later = event(Some("u"), None, "mat", "2026-05-09T10:00:00Z");
    let both = changed(
        &first,
        json!({"items": ["tent", "mug"], "ts": "2026-05-01T11:00:00Z"}),
    );
    let back = json!({"kind": "return", "ts": "2026-05-03T10:00:00Z"});
    let back = changed(&first, back);
    let mug = changed(&back, json!({"items": ["mug"]}));
    let events = [first, second, later, both, back.clone(), mug];
    store(&db, &events);
    let item = |name: &str| vec![name.to_owned()];
    let wanted = vec![
        (EventKind::Purchase, item("mat"), None),
        (EventKind::Purchase, item("tent"), None),
        (EventKind::Return, item("mat"), None),
        (EventKind::Return, item("mug"), None),
        (EventKind::Purchase, item("mat"), None),
    ];
    let sorted = |mut all: Vec<(EventKind, Vec<String>, Option<f64>)>| {
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        all
    };
    assert_eq!(sorted(kept(&db, "u")), sorted(wanted.clone()));
    let again = db.append_events(&events).expect("stored");
    let status = |r: &EventResult| r.status == EventStatus::Duplicate;
    assert!(again.iter().all(status), "{again:?}");
    assert_eq!(sorted(kept(&db, "u")), sorted(wanted));
    let touched = |db: &Database| {
        let collection = db.collection("shop").expect("open");
        collection.behavior_info().touches
    };
    assert_eq!(touched(&db), 3);
    drop(db);
    assert_eq!(touched(&open(folder.path())), 3, "after a restart");
}

#[test]
fn a_negative_quantity_of_a_purchase_is_a_return() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open(folder.path());
    shop(&db, json!({}));
    let bought = event(Some("u"), None, "mat", "2026-05-01T10:00:00Z");
    let pieces = |count: f64, ts: &str| changed(&bought, json!({"quantity": count, "ts": ts}));
    let left = |db: &Database| {
        let events = kept(db, "u").into_iter();
        let bought = events.filter(|e| e.0 == EventKind::Purchase);
        bought.map(|e| e.2).collect::<Vec<_>>()
    };
    store(&db, &[pieces(3.0, "2026-05-01T10:00:00Z")]);
    store(&db, &[pieces(-1.0, "2026-05-02T10:00:00Z")]);
    assert_eq!(left(&db), [Some(2.0)]);
    store(&db, &[pieces(1.0, "2026-05-03T10:00:00Z")]);
    assert_eq!(left(&db), [Some(2.0), None]);
    store(&db, &[pieces(-2.0, "2026-05-04T10:00:00Z")]);
    assert_eq!(
        left(&db),
        [Some(1.0)],
        "the latest first, then the one before"
    );
    store(&db, &[pieces(-5.0, "2026-05-05T10:00:00Z")]);
    assert!(left(&db).is_empty());
}

#[test]
fn a_return_of_nothing_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open(folder.path());
    shop(&db, json!({}));
    let bought = event(Some("u"), None, "mat", "2026-05-02T10:00:00Z");
    store(&db, std::slice::from_ref(&bought));
    let back = |change: Value| {
        let back = changed(
            &bought,
            json!({"kind": "return", "ts": "2026-05-03T10:00:00Z"}),
        );
        changed(&back, change)
    };
    for (event, reason) in [
        (back(json!({"items": ["tent"]})), "purchase of `tent`"),
        (
            back(json!({"items": ["mat", "tent"]})),
            "purchase of `tent`",
        ),
        (back(json!({"user": "v"})), "purchase of `mat`"),
        (
            back(json!({"ts": "2026-05-01T10:00:00Z"})),
            "purchase of `mat`",
        ),
        (back(json!({"quantity": 0})), "/quantity"),
        (changed(&bought, json!({"quantity": 0})), "/quantity"),
        (
            changed(&bought, json!({"kind": "view", "quantity": -1})),
            "/quantity",
        ),
        (changed(&bought, json!({"value": -1})), "`return`"),
    ] {
        let result = db.append_events(&[event]).expect("checked").remove(0);
        assert_eq!(result.status, EventStatus::Rejected);
        let error = result.error.expect("a reason");
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(kept(&db, "u").len(), 1);
}

#[test]
fn numbers_since_1970_are_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open(folder.path());
    shop(&db, json!({}));
    let sent = event(Some("u"), None, "mat", "2026-05-01T10:00:00Z");
    for ts in [
        json!(1_718_454_896),
        json!(1_718_454_896_000_i64),
        json!(1_718_454_896_000_000_i64),
        json!(1_718_454_896_000_000_000_i64),
        json!(1_718_454_896.0),
        json!("1718454896"),
        json!("1718454896000"),
    ] {
        let at = Arrival::of(&changed(&sent, json!({"ts": ts})), i64::MAX, None);
        assert_eq!(at.expect("a time").micros, 1_718_454_896_000_000, "{ts}");
    }
    for ts in [
        json!(0),
        json!(-1),
        json!("0"),
        json!(45_458.5),
        json!("noon"),
        json!(""),
    ] {
        let result = db.append_events(&[changed(&sent, json!({"ts": ts}))]);
        let error = result.expect("checked").remove(0).error.expect("a reason");
        assert!(error.contains("RFC 3339"), "{ts}: {error}");
    }
    store(&db, &[changed(&sent, json!({"ts": 1_718_454_896}))]);
    let ts = exported(&db, "u")[0].ts.clone();
    assert_eq!(ts.as_deref(), Some("2024-06-15T12:34:56Z"));
}

#[test]
fn models_with_erased_events_are_dropped_if_no_training_replaces_them() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    let mut events = crowd();
    events.extend((0..20_000).map(|n| {
        let user = format!("u{}", n % 2_000);
        event(
            Some(&user),
            None,
            &format!("i{}", n * 7 % 900),
            &format!("2026-05-01T10:{:02}:{:02}Z", n / 2_000, n % 60),
        )
    }));
    events.push(event(Some(SECRET), None, "tent", "2026-05-01T11:00:00Z"));
    store(&db, &events);
    shop.train(&Training::default()).expect("trained");
    let patch = serde_json::from_value(json!({"behavior": {"training_memory_mib": 1}}));
    db.patch_collection("shop", patch.expect("a patch"))
        .expect("patched");
    db.erase(&user_named(SECRET), &db.open_collections())
        .expect("erased");
    assert!(
        shop.maintain_behavior().is_err(),
        "training takes more than 1 MiB"
    );
    assert_eq!(shop.models().models.len(), 0, "models knew the erased user");
    assert_eq!(shop.behavior_info().model, None);
    drop((shop, db));
    let db = open(dir.path());
    assert_eq!(
        db.collection("shop").expect("shop").models().models.len(),
        0
    );
}

#[test]
fn an_erasure_says_what_is_done_and_what_is_due() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let db = open(dir.path());
    let shop = shop(&db, json!({}));
    let mut events = crowd();
    events.push(event(Some(SECRET), None, "tent", "2026-05-01T11:00:00Z"));
    store(&db, &events);
    shop.train(&Training::default()).expect("trained");
    let erase = |db: &Database| {
        let erased = db.erase(&user_named(SECRET), &db.open_collections());
        erased.expect("erased").erasure
    };
    let id = erase(&db).expect("an id");
    assert_eq!(erase(&db), None, "nothing is left to erase");
    let status = |db: &Database| db.erasure(&id).expect("read").expect("recorded");
    let due = status(&db);
    assert!(!due.is_done && due.steps.records.done_at.is_some());
    assert_eq!(due.steps.training_due, ["shop"]);
    assert!(due.steps.files.due_at.is_some() && due.steps.files.done_at.is_none());
    shop.maintain_behavior().expect("trained");
    assert!(status(&db).steps.training_due.is_empty());
    db.store().purge().expect("purged");
    drop((shop, db));
    let db = open(dir.path());
    let done = status(&db);
    assert!(
        done.is_done && done.steps.files.done_at.is_some(),
        "{done:?}"
    );
    assert!(db.erasure("none").expect("read").is_none());
}

#[test]
fn a_clock_that_jumps_forward_removes_no_events() {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
    const DAY: i64 = 86_400_000_000;
    let dir = tempfile::tempdir().expect("temporary folder");
    let start = Utc::now().timestamp_micros();
    let now = Arc::new(AtomicI64::new(start));
    let open = || {
        let now = now.clone();
        let options = Options {
            index_threads: 0,
            clock: crate::Clock::new(move || now.load(Relaxed)),
            ..Options::default()
        };
        Database::open(dir.path(), options).expect("open")
    };
    let db = open();
    let collection = shop(&db, json!({"retention_days": 30}));
    let recent = Utc::now() - chrono::TimeDelta::days(3);
    store(&db, &[event(Some("u"), None, "tent", &recent.to_rfc3339())]);
    collection.maintain_behavior().expect("maintained");
    now.store(start + 400 * DAY, Relaxed);
    let patch = serde_json::from_value(json!({"behavior": {"retention_days": 30.5}}));
    db.patch_collection("shop", patch.expect("a patch"))
        .expect("patched");
    collection.maintain_behavior().expect("maintained");
    assert_eq!(
        exported(&db, "u").len(),
        1,
        "removed by a jump of the clock"
    );
    drop((collection, db));
    // The same at a start.
    let db = open();
    assert_eq!(
        exported(&db, "u").len(),
        1,
        "removed by a start with a wrong clock"
    );
    drop(db);
    now.store(start + 28 * DAY, Relaxed);
    let db = open();
    assert_eq!(
        exported(&db, "u").len(),
        0,
        "a clock that is right removes it"
    );
}

#[test]
fn unknown_items_beyond_the_limit_are_stored_but_not_learned_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let db = open(dir.path());
    let collection = shop(&db, json!({}));
    let known = vitrine_schemas::Item {
        id: "known".into(),
        ..Default::default()
    };
    collection.upsert(vec![known]).expect("written");
    // 70,000 ids of 500 bytes take 73 MiB; the limit is 64.
    for n in 0..70 {
        let mut flood = event(Some("anna"), None, "-", "2026-05-01T00:00:00Z");
        flood.kind = EventKind::View;
        flood.items = (0..1_000)
            .map(|i| format!("{n:02}-{i:03}-{}", "x".repeat(493)))
            .collect();
        db.append_events(&[flood]).expect("stored");
    }
    let last = event(Some("bert"), None, "known", "2026-05-02T00:00:00Z");
    db.append_events(&[last]).expect("stored");
    drop(collection);
    let check = |db: &Database| {
        let info = db.info("shop").expect("the collection").events;
        assert!((50_000..65_000).contains(&info.items), "{info:?}");
        assert!(info.ignored > 5_000, "{info:?}");
        assert!(info.memory_bytes < 80 << 20, "{info:?}");
        assert_eq!(info.users, 2, "an item of the catalog counts");
    };
    check(&db);
    let all: usize = exported(&db, "anna")
        .iter()
        .map(|event| event.items.len())
        .sum();
    assert_eq!(all, 70_000);
    drop(db);
    check(&open(dir.path()));
}
