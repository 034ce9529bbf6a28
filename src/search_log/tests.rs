//! The search log over generated searches, compared with a count over plain lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use vitrine_schemas::{
    Event, QueryFiguresParams, QueryFiguresResponse, QueryOrder, QuerySelection, SearchTimeParams,
};

use super::*;
use crate::{Clock, Collection, Database, Options, RecordedSearches};

/// 2026-05-01T00:00:00Z in microseconds since 1970.
const MAY: i64 = 1_777_593_600_000_000;
const MINUTE: i64 = 60_000_000;

/// A database whose time is set by the test.
/// Time, normalized text, user, number of hits, shown items, and events of a generated search.
type Searched = (
    i64,
    String,
    String,
    u64,
    Vec<String>,
    Vec<(&'static str, String, Option<f64>)>,
);

struct Fixture {
    db: Database,
    shop: Arc<Collection>,
    now: Arc<AtomicI64>,
    dir: tempfile::TempDir,
}

fn options(now: &Arc<AtomicI64>) -> Options {
    let now = now.clone();
    Options {
        // No background work during a test.
        index_threads: 0,
        clock: Clock::new(move || now.load(Relaxed)),
        ..Options::default()
    }
}

impl Fixture {
    fn new(search_log: Value) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let now = Arc::new(AtomicI64::new(MAY));
        let db = Database::open(dir.path(), options(&now)).expect("open");
        let config = json!({"vectors": {"shared": {"dim": 2}}, "search_log": search_log});
        let config = serde_json::from_value(config).expect("a configuration");
        let shop = db.create_collection("shop", config).expect("create");
        Self { db, shop, now, dir }
    }

    fn search(&self, at: i64, search: Value) {
        self.now.store(at, Relaxed);
        let mut fields = json!({"ts": "", "plan": "lexical", "hits": 3, "shown": ["a", "b", "c"]});
        for (name, value) in search.as_object().expect("fields") {
            fields[name] = value.clone();
        }
        self.shop
            .record_search(serde_json::from_value(fields).expect("a search"));
    }

    fn events(&self, events: Vec<Value>) {
        let events: Vec<Event> = events
            .into_iter()
            .map(|e| serde_json::from_value(e).expect("an event"))
            .collect();
        for result in self.db.append_events(&events).expect("stored") {
            assert_eq!(result.error, None);
        }
    }

    fn queries(&self, only: QuerySelection) -> Vec<(String, u64)> {
        let params = QueryFiguresParams {
            only,
            limit: 100,
            ..QueryFiguresParams::default()
        };
        let found = self.shop.query_figures(&params).expect("counted");
        let found = found.queries.into_iter();
        found.map(|q| (q.query, q.figures.searches)).collect()
    }

    fn stored(&self) -> u64 {
        self.shop.maintain_searches().expect("written");
        self.shop.search_log_info().stored
    }
}

fn day(micros: i64) -> String {
    rfc3339(micros)[..10].to_owned()
}

#[test]
fn figures_are_those_of_a_count_over_lists() {
    let fixture = Fixture::new(json!({}));
    let mut random = SmallRng::seed_from_u64(7);
    let texts = ["shoes", "Red  SHOES", "lamp", "zzz", "", "tent"];
    let (mut searches, mut events) = (Vec::new(), Vec::new());
    for n in 0..3_000_i64 {
        let at = MAY + n * MINUTE;
        let text = texts[random.random_range(0..texts.len())];
        let hits = if text == "zzz" {
            0
        } else {
            random.random_range(1..50_u64)
        };
        let shown = hits.min(random.random_range(5..10)) as usize;
        let shown: Vec<_> = (0..shown).map(|i| format!("item {i}")).collect();
        let user = format!("u{}", random.random_range(0..300));
        let id = format!("request {n}");
        fixture.search(
            at,
            json!({"request_id": id, "query": text, "user": user, "hits": hits, "shown": shown}),
        );
        let mut follow = Vec::new();
        for kind in ["click", "click", "add_to_cart", "purchase", "view"] {
            if !shown.is_empty() && random.random_bool(0.3) {
                let item = &shown[random.random_range(0..shown.len())];
                let value = (kind == "purchase").then(|| f64::from(random.random_range(1..90_u8)));
                let ts = rfc3339(at + 1_000_000 * (1 + follow.len() as i64));
                follow.push((kind, item.clone(), value));
                events.push(json!({
                    "kind": kind, "collection": "shop", "user": user, "items": [item],
                    "value": value, "request_id": id, "ts": ts
                }));
            }
        }
        searches.push((at, normalized(text), user, hits, shown, follow));
    }
    events.push(json!({"kind": "click", "collection": "shop", "user": "u", "items": ["item 1"], "request_id": "unknown", "ts": rfc3339(MAY)}));
    fixture.events(events);

    let (from, to) = (MAY + 500 * MINUTE, MAY + 2_500 * MINUTE);
    searches.retain(|(at, ..)| (from..to).contains(at));
    let mut by_query: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for search in &searches {
        by_query.entry(&search.1).or_default().push(search);
    }
    let params = QueryFiguresParams {
        from: Some(rfc3339(from)),
        to: Some(rfc3339(to)),
        limit: 3,
        offset: 0,
        ..QueryFiguresParams::default()
    };
    let page = fixture.shop.query_figures(&params).expect("counted");
    assert_eq!(
        (page.total, page.queries.len()),
        (5, 3),
        "without the empty text"
    );
    let rest = QueryFiguresParams {
        offset: 3,
        ..params.clone()
    };
    let rest = fixture.shop.query_figures(&rest).expect("counted");
    let all: Vec<_> = page.queries.iter().chain(&rest.queries).collect();
    assert!(
        all.windows(2)
            .all(|w| w[0].figures.searches >= w[1].figures.searches)
    );
    for query in all {
        let group = &by_query[query.query.as_str()];
        let with = |kind: &str| {
            let has = group.iter().filter(|s| s.5.iter().any(|e| e.0 == kind));
            has.count() as u64
        };
        let figures = query.figures;
        assert_eq!(figures.searches, group.len() as u64);
        assert_eq!(figures.clicked, with("click"));
        assert_eq!(figures.added_to_cart, with("add_to_cart"));
        assert_eq!(figures.purchased, with("purchase"));
        assert_eq!(
            figures.without_results,
            group.iter().filter(|s| s.3 == 0).count() as u64
        );
        let users: BTreeSet<_> = group.iter().map(|s| &s.2).collect();
        assert_eq!(figures.users, users.len() as u64);
        let revenue: f64 = group.iter().flat_map(|s| &s.5).filter_map(|e| e.2).sum();
        assert!((figures.revenue - revenue).abs() < 1e-6, "{query:?}");
        let first_clicks: Vec<f64> = group
            .iter()
            .filter_map(|s| s.5.iter().find(|e| e.0 == "click"))
            .map(|e| e.1["item ".len()..].parse::<f64>().unwrap() + 1.0)
            .collect();
        match figures.click_position {
            None => assert!(first_clicks.is_empty()),
            Some(mean) => {
                let expected = first_clicks.iter().sum::<f64>() / first_clicks.len() as f64;
                assert!((mean - expected).abs() < 1e-9, "{query:?}");
            }
        }
    }

    let range = SearchTimeParams {
        from: Some(rfc3339(from)),
        to: Some(rfc3339(to)),
    };
    let positions = fixture.shop.position_figures(&range).expect("counted");
    for figures in positions.positions {
        let index = figures.position as usize - 1;
        let shown = searches.iter().filter(|s| s.4.len() > index);
        assert_eq!(figures.shown, shown.count() as u64);
        let item = format!("item {index}");
        let clicked = |s: &&Searched| s.5.iter().any(|e| e.0 == "click" && e.1 == item);
        assert_eq!(
            figures.clicked,
            searches.iter().filter(clicked).count() as u64
        );
    }
    let summary = fixture.shop.search_summary(&range).expect("counted");
    assert_eq!(summary.total.searches, searches.len() as u64);
    let mut days: BTreeMap<String, u64> = BTreeMap::new();
    for search in &searches {
        *days.entry(day(search.0)).or_default() += 1;
    }
    let found = summary
        .days
        .into_iter()
        .map(|d| (d.day, d.figures.searches));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), days);

    let mut export = RecordedSearches::new(fixture.shop.clone(), &range).expect("a range");
    let mut exported = Vec::new();
    while let Some(page) = export.step().expect("read") {
        exported.extend(page);
    }
    assert_eq!(exported.len(), searches.len());
    for (outcome, search) in exported.iter().zip(&searches) {
        assert_eq!(outcome.search.ts, rfc3339(search.0));
        assert_eq!(outcome.search.shown, search.4);
        let items: Vec<_> = outcome.events.iter().map(|e| e.item.clone()).collect();
        let expected: Vec<_> = search.5.iter().map(|e| e.1.clone()).collect();
        assert_eq!(items, expected);
    }
}

#[test]
fn queries_are_selected_and_sorted() {
    let fixture = Fixture::new(json!({}));
    for n in 0..6 {
        let at = MAY + n * MINUTE;
        fixture.search(at, json!({"request_id": format!("s{n}"), "query": "shoes"}));
        fixture.search(
            at + 1,
            json!({"request_id": format!("l{n}"), "query": "lamp"}),
        );
    }
    fixture.search(
        MAY + 7 * MINUTE,
        json!({"request_id": "z", "query": "zzz", "hits": 0, "shown": []}),
    );
    fixture.search(
        MAY + 8 * MINUTE,
        json!({"request_id": "l", "query": "lamp"}),
    );
    fixture.events(vec![
        json!({"kind": "click", "collection": "shop", "session": "s", "items": ["far"], "request_id": "s1", "position": 31, "ts": rfc3339(MAY + 2 * MINUTE)}),
        json!({"kind": "purchase", "collection": "shop", "session": "s", "items": ["a", "b"], "value": 30.0, "request_id": "s2", "ts": rfc3339(MAY + 3 * MINUTE)}),
    ]);
    let pairs = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(q, n)| ((*q).to_owned(), *n)).collect()
    };
    let found = fixture.queries(QuerySelection::All);
    assert_eq!(found, pairs(&[("lamp", 7), ("shoes", 6), ("zzz", 1)]));
    assert_eq!(
        fixture.queries(QuerySelection::WithoutResults),
        pairs(&[("zzz", 1)])
    );
    assert_eq!(
        fixture.queries(QuerySelection::WithoutClicks),
        pairs(&[("lamp", 7)])
    );
    let by = |order, min_searches| -> QueryFiguresResponse {
        let params = QueryFiguresParams {
            order,
            min_searches,
            limit: 1,
            ..QueryFiguresParams::default()
        };
        fixture.shop.query_figures(&params).expect("counted")
    };
    let revenue = by(QueryOrder::Revenue, 2);
    assert_eq!(
        (revenue.total, revenue.queries[0].query.as_str()),
        (2, "shoes")
    );
    assert!((revenue.queries[0].figures.revenue - 30.0).abs() < 1e-9);
    assert_eq!(revenue.queries[0].figures.click_position, Some(31.0));
    let refused = |params| fixture.shop.query_figures(&params).is_err();
    assert!(refused(QueryFiguresParams {
        limit: 0,
        ..Default::default()
    }));
    let from = Some("2027-01-01".to_owned());
    assert!(refused(QueryFiguresParams {
        from,
        limit: 1,
        ..Default::default()
    }));
}

#[test]
fn of_a_typed_word_the_last_search_counts() {
    let fixture = Fixture::new(json!({}));
    let second = MINUTE / 60;
    let typed = |at: i64, id: &str, query: &str, session: Option<&str>| {
        let search = json!({"request_id": id, "query": query, "session": session, "typing": true});
        fixture.search(at, search);
    };
    for (n, text) in ["s", "sh", "sho", "shoe", "shoes"].into_iter().enumerate() {
        typed(
            MAY + n as i64 * second,
            &format!("a{n}"),
            text,
            Some("anna"),
        );
        typed(MAY + n as i64 * second + 1, &format!("b{n}"), text, None);
    }
    // A pause, and a text that does not go on.
    typed(MAY + 100 * second, "c", "shoes", Some("anna"));
    typed(MAY + 101 * second, "d", "lamp", Some("anna"));
    // A click makes a search count.
    typed(MAY + 110 * second, "e", "te", Some("ben"));
    typed(MAY + 111 * second, "f", "tent", Some("ben"));
    fixture.events(vec![json!({"kind": "click", "collection": "shop", "session": "ben", "items": ["a"], "request_id": "e", "ts": rfc3339(MAY + 110 * second)})]);
    let found: BTreeMap<_, _> = fixture.queries(QuerySelection::All).into_iter().collect();
    let count = |query: &str| found.get(query).copied().unwrap_or_default();
    assert_eq!(count("shoes"), 3, "{found:?}");
    assert_eq!((count("s"), count("shoe")), (1, 1), "of no one");
    assert_eq!((count("lamp"), count("te"), count("tent")), (1, 1, 1));
}

#[test]
fn the_log_is_bounded_and_drops_are_counted() {
    let fixture = Fixture::new(json!({"max_searches": 1_500, "retention_days": 10}));
    for n in 0..12_000 {
        fixture.search(MAY + n, json!({"request_id": format!("{n}"), "query": "x"}));
    }
    assert_eq!(fixture.stored(), 1_500);
    let info = fixture.shop.search_log_info();
    assert_eq!(
        (info.recorded, info.dropped, info.expired),
        (10_000, 2_000, 8_500)
    );
    // A day at a time: a clock that jumps is not trusted.
    for day in 1..=11 {
        fixture.now.store(MAY + day * 86_400_000_000, Relaxed);
        fixture.shop.maintain_searches().expect("maintained");
    }
    let patch =
        json!({"search_log": {"retention_days": 10, "max_searches": 1000, "enabled": false}});
    let patch = serde_json::from_value(patch).expect("a patch");
    fixture.db.patch_collection("shop", patch).expect("changed");
    assert_eq!(fixture.stored(), 0, "all are older than ten days");
    fixture.search(
        MAY + 12 * 86_400_000_000,
        json!({"request_id": "off", "query": "x"}),
    );
    assert_eq!(fixture.stored(), 0, "switched off");
}

#[test]
fn searches_survive_a_restart_and_go_with_the_collection() {
    let fixture = Fixture::new(json!({}));
    fixture.search(
        MAY,
        json!({"request_id": "r", "query": "Shoes", "user": "anna"}),
    );
    let Fixture { db, shop, now, dir } = fixture;
    drop((shop, db));
    let db = Database::open(dir.path(), options(&now)).expect("open");
    let shop = db.collection("shop").expect("there");
    let fixture = Fixture { db, shop, now, dir };
    assert_eq!(fixture.stored(), 1);
    assert_eq!(
        fixture.queries(QuerySelection::All),
        [("shoes".to_owned(), 1)]
    );
    fixture.db.drop_collection("shop").expect("dropped");
    fixture.search(MAY, json!({"request_id": "late", "query": "anna"}));
    fixture.shop.maintain_searches().expect("nothing to do");
    assert_eq!(fixture.db.store().mentions("anna").expect("scanned"), 0);
}

#[test]
fn nothing_is_left_of_the_searches_of_an_erased_user() {
    let fixture = Fixture::new(json!({}));
    let secret = "anna@example.org";
    fixture.search(
        MAY,
        json!({"request_id": "1", "query": "a", "user": secret, "session": "s1"}),
    );
    fixture.search(
        MAY + 1,
        json!({"request_id": "2", "query": "secret text", "session": "s1"}),
    );
    fixture.search(
        MAY + 2,
        json!({"request_id": "3", "query": "secret text", "session": "s2"}),
    );
    fixture.search(
        MAY + 3,
        json!({"request_id": "4", "query": "b", "user": "ben", "session": "s1"}),
    );
    fixture.events(vec![json!({"kind": "click", "collection": "shop", "user": secret, "session": "s2", "items": ["a"], "request_id": "3", "ts": rfc3339(MAY)})]);
    let subject = Subject::User(secret.to_owned());
    let erased = fixture.db.erase(&subject, &fixture.db.open_collections());
    let erased = erased.expect("erased");
    assert_eq!(erased.searches, [("shop".to_owned(), 3)].into());
    assert_eq!(erased.events, [("shop".to_owned(), 1)].into());
    for text in [secret, "secret text"] {
        assert_eq!(fixture.db.store().mentions(text).expect("scanned"), 0);
    }
    assert_eq!(fixture.stored(), 1, "that of another user");
    let session = Subject::Session("s1".to_owned());
    let erased = fixture.db.erase(&session, &fixture.db.open_collections());
    assert_eq!(erased.expect("erased").searches["shop"], 1);
}

#[test]
fn a_query_is_popular_after_several_users() {
    let fixture = Fixture::new(json!({}));
    let mut at = MAY;
    let mut search = |query: &str, user: &str, hits: u64| {
        at += MINUTE;
        let id = at.to_string();
        fixture.search(
            at,
            json!({"request_id": id, "query": query, "user": user, "hits": hits}),
        );
    };
    for _ in 0..20 {
        search("rude words", "one", 9);
    }
    for user in ["a", "b", "c", "a"] {
        search("tent", user, 4);
        search("nothing", user, 0);
    }
    search("lamp", "a", 4);
    search("lamp", "b", 4);
    for user in ["a", "b", "c"] {
        at += MINUTE;
        let mistyped = json!({
            "request_id": at.to_string(), "query": "tnet", "user": user, "hits": 4,
            "corrected": true
        });
        fixture.search(at, mistyped);
    }
    let log = fixture.shop.search_log();
    let popular = |users, max| {
        let popular = log.popular(MAY..at + 1, &|_, _| true, users, max);
        popular.expect("counted")
    };
    let tent = PopularQuery {
        text: "tent".to_owned(),
        searches: 4,
        hits: 4,
    };
    assert_eq!(popular(3, 10), [tent]);
    assert_eq!(popular(2, 10).len(), 2);
    assert_eq!(popular(1, 2).len(), 2);
}
