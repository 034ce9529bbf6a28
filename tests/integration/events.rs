//! The event store: accepted, deduplicated, refused with a reason.

use std::{fs, path::Path};

use serde_json::{Value, json};
use vitrine::{
    Database, Options, Subject,
    schemas::{Event, EventStatus},
};

use crate::support::{Fixture, put};

#[test]
fn every_event_gets_its_answer() {
    let fixture = Fixture::new();
    put(&fixture.shop(), &[json!({"id": "a"})]);
    let events: Vec<Event> = [
        json!({"id": "1", "kind": "view", "collection": "shop", "user": "u", "items": ["a"]}),
        json!({"id": "1", "kind": "view", "collection": "shop", "user": "u", "items": ["a"]}),
        json!({"kind": "purchase", "collection": "shop", "session": "s", "items": ["a", "none"], "ts": "2026-01-01T00:00:00Z"}),
        json!({"kind": "view", "collection": "shop", "items": ["a"]}),
        json!({"kind": "view", "collection": "none", "user": "u", "items": ["a"]}),
        json!({"kind": "view", "collection": "shop", "user": "u", "items": []}),
        json!({"kind": "view", "collection": "shop", "user": "u", "items": ["a"], "ts": "noon"}),
    ]
    .into_iter()
    .map(|event| serde_json::from_value(event).unwrap())
    .collect();
    let results = fixture.db.append_events(&events).unwrap();
    let statuses: Vec<_> = results.iter().map(|r| r.status).collect();
    use EventStatus::{Accepted, Duplicate, Rejected, UnknownItems};
    assert_eq!(
        statuses,
        [
            Accepted,
            Duplicate,
            UnknownItems,
            Rejected,
            Rejected,
            Rejected,
            Rejected
        ]
    );
    for (at, word) in [(3, "session"), (4, "none"), (5, "at least one"), (6, "/ts")] {
        assert!(
            results[at].error.as_ref().unwrap().contains(word),
            "{results:?}"
        );
    }
    let again = fixture.db.append_events(&events[..3]).unwrap();
    assert!(again.iter().all(|r| r.status == Duplicate), "{again:?}");
}

/// Returns the files below a folder whose bytes contain a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn an_erased_user_is_in_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Database::open(folder.path(), Options::default()).expect("open");
    let shop = db
        .create_collection("shop", crate::support::config())
        .expect("create");
    put(&shop, &[json!({"id": "a"})]);
    let views = |user: &str| -> Vec<Event> {
        let view = |n: usize| json!({"id": format!("{user}-{n}"), "kind": "view", "collection": "shop", "user": user, "session": format!("of {user}"), "items": ["a"]});
        let views = (0..50).map(view);
        views
            .map(|view| serde_json::from_value(view).expect("an event"))
            .collect()
    };
    let (erased, other) = ("person-Qx7Zk2mW", "person-Lp4Vt9sD");
    for user in [erased, other] {
        db.append_events(&views(user)).expect("stored");
    }
    db.flush().expect("synced");
    assert!(!files_with(folder.path(), erased).is_empty());
    let is_erased = |subject: &Subject| *subject == Subject::User(erased.into());
    assert_eq!(db.erase_all(is_erased).expect("erased"), 1);
    assert_eq!(files_with(folder.path(), erased), Vec::<String>::new());
    drop(db);
    assert_eq!(files_with(folder.path(), erased), Vec::<String>::new());
    assert!(!files_with(folder.path(), other).is_empty(), "others stay");
}

#[test]
fn the_same_time_in_another_form_is_the_same_event() {
    let fixture = Fixture::new();
    fixture.shop();
    let event = |ts: Value| {
        let event =
            json!({"kind": "view", "collection": "shop", "user": "u", "items": ["a"], "ts": ts});
        serde_json::from_value::<Event>(event).unwrap()
    };
    let events = [
        event(json!("2026-06-01T10:00:00Z")),
        event(json!("2026-06-01T12:00:00+02:00")),
        event(json!(1_780_308_000)),
        event(json!("2026-06-01T10:00:01Z")),
    ];
    let results = fixture.db.append_events(&events).unwrap();
    let stored = results.iter().map(|r| r.status != EventStatus::Duplicate);
    assert_eq!(stored.collect::<Vec<_>>(), [true, false, false, true]);
}
