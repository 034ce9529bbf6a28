//! The event store: accepted, deduplicated, refused with a reason.

use serde_json::json;
use vitrine::schemas::{Event, EventStatus};

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
