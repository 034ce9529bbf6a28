//! Exploration in recommendations: new items earn events, propensities are true, and pages fit
//! together.

use std::{collections::HashSet, sync::Arc};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Error, Training,
    schemas::{Event, RecommendHit, RecommendRequest, RecommendResponse, Rule},
};

use crate::support::{Fixture, messages, put};

/// Hits of a page.
const LIMIT: usize = 10;

fn request(value: Value) -> RecommendRequest {
    serde_json::from_value(value).expect("a request")
}

fn ask(shop: &Collection, value: Value) -> RecommendResponse {
    shop.recommend(&request(value), None).expect("an answer")
}

/// Returns the page of a user with two explored hits.
fn explored_page(shop: &Collection, user: usize) -> RecommendResponse {
    let user = format!("visitor {user}");
    ask(
        shop,
        json!({"user": user, "limit": LIMIT, "explore": {"max_per_page": 2}}),
    )
}

fn ids<'a>(hits: impl IntoIterator<Item = &'a RecommendHit>) -> Vec<&'a str> {
    hits.into_iter().map(|hit| hit.id.as_str()).collect()
}

fn append(db: &Database, events: Value) {
    let events: Vec<Event> = serde_json::from_value(events).expect("events");
    db.append_events(&events).expect("stored");
}

/// A shop of 60 items that three users clicked each, and a new one that nobody has seen.
fn shop_with_a_new_item() -> (Fixture, Arc<Collection>) {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let item = |id: &str| json!({"id": id, "vectors": {"shared": [1.0, 0.0]}});
    let mut items: Vec<Value> = (0..60).map(|n| item(&format!("old{n}"))).collect();
    items.push(item("new"));
    put(&shop, &items);
    for user in 0..3 {
        let click = |n: usize| {
            json!({"kind": "click", "collection": "shop", "user": format!("u{user}"),
                   "items": [format!("old{n}")]})
        };
        append(&fixture.db, (0..60).map(click).collect());
    }
    shop.train(&Training::default()).expect("trained");
    (fixture, shop)
}

/// Shows pages to visitors who click one item in ten, but the new one six times in ten; returns
/// how often the new one was shown.
fn simulate(fixture: &Fixture, shop: &Collection, pages: usize, max_per_page: usize) -> usize {
    let mut random = StdRng::seed_from_u64(7);
    let mut shown = 0;
    for number in 0..pages {
        let user = format!("visitor {number}");
        let explore = json!({"max_per_page": max_per_page});
        let page = ask(
            shop,
            json!({"user": user, "limit": LIMIT, "explore": explore}),
        );
        let ids = ids(&page.hits);
        shown += usize::from(ids.contains(&"new"));
        let is_clicked = |id: &&&str| random.random_bool(if **id == "new" { 0.6 } else { 0.1 });
        let clicked: Vec<_> = ids.iter().filter(is_clicked).collect();
        let event = |kind: &str, items: Value| json!({"kind": kind, "collection": "shop", "user": user, "items": items});
        let mut events = vec![event("impression", json!(ids))];
        if !clicked.is_empty() {
            events.push(event("click", json!(clicked)));
        }
        append(&fixture.db, json!(events));
        if number % 50 == 49 {
            shop.train(&Training::default()).expect("trained");
        }
    }
    shown
}

#[test]
fn a_good_new_item_earns_events_and_rises_only_with_exploration() {
    for (max_per_page, rises) in [(0, false), (2, true)] {
        let (fixture, shop) = shop_with_a_new_item();
        let shown = simulate(&fixture, &shop, 800, max_per_page);
        let page = ask(&shop, json!({"user": "another", "limit": LIMIT}));
        let is_on_page = ids(&page.hits).contains(&"new");
        println!("{max_per_page} per page: shown {shown} times");
        assert_eq!(
            (shown > 20, is_on_page),
            (rises, rises),
            "{shown}: {:?}",
            ids(&page.hits)
        );
        assert!(rises || shown == 0, "{shown}");
    }
}

#[test]
fn a_page_says_how_likely_each_hit_was() {
    let (_fixture, shop) = shop_with_a_new_item();
    let pages = 400;
    let (mut weights, mut candidates) = (0.0, 0.0);
    let mut drawn = HashSet::new();
    for number in 0..pages {
        let page = explored_page(&shop, number);
        let usage = page.exploration.expect("it explores");
        let is_explored = |hit: &&RecommendHit| hit.explored;
        let explored: Vec<_> = page.hits.iter().filter(is_explored).collect();
        assert_eq!((page.hits.len(), explored.len()), (LIMIT, 2));
        assert_eq!(usage.explored, 2);
        assert!(
            !page.hits[0].explored,
            "the first place belongs to the ranking"
        );
        for hit in &page.hits {
            let propensity = hit.propensity.expect("a propensity");
            assert!(0.0 < propensity && propensity <= 1.0, "{propensity}");
            assert!(hit.explored || propensity == 1.0, "{propensity}");
        }
        // Mean of the sum of 1 / propensity: the number of candidates (Horvitz-Thompson).
        let weight = |hit: &&RecommendHit| 1.0 / hit.propensity.expect("a propensity");
        weights += explored.iter().map(weight).sum::<f64>();
        candidates += usage.candidates as f64;
        drawn.extend(explored.iter().map(|hit| hit.id.clone()));
    }
    assert!(
        (weights / candidates - 1.0).abs() < 0.1,
        "{weights} of {candidates}"
    );
    assert!(drawn.contains("new") && drawn.len() > 20, "{drawn:?}");
}

#[test]
fn the_ranking_keeps_its_order_and_what_leaves_a_page_comes_back() {
    let (_fixture, shop) = shop_with_a_new_item();
    let plain = ask(&shop, json!({"user": "v", "limit": LIMIT}));
    assert!(plain.exploration.is_none() && plain.hits[0].propensity.is_none());
    let body = |cursor: Option<String>| json!({"user": "v", "limit": LIMIT, "explore": {"max_per_page": 2}, "cursor": cursor});
    let first = ask(&shop, body(None));
    let ranked = first.hits.iter().filter(|hit| !hit.explored);
    assert_eq!(ids(ranked), ids(&plain.hits)[..LIMIT - 2]);
    assert_eq!(
        ids(&ask(&shop, body(None)).hits),
        ids(&first.hits),
        "it repeats its draw"
    );

    let second = ask(&shop, body(first.next_cursor.clone()));
    let left: Vec<_> = ids(&plain.hits)[LIMIT - 2..].to_vec();
    assert!(
        left.iter().all(|id| ids(&second.hits).contains(id)),
        "{left:?}"
    );
    let (mut seen, mut page) = (HashSet::new(), first);
    loop {
        for hit in &page.hits {
            assert!(seen.insert(hit.id.clone()), "{} comes twice", hit.id);
        }
        match page.next_cursor.take() {
            Some(cursor) => page = ask(&shop, body(Some(cursor))),
            None => break,
        }
    }
    assert_eq!(seen.len(), 61, "no item is lost");
}

#[test]
fn pins_stay_and_buried_items_are_not_explored() {
    let (_fixture, shop) = shop_with_a_new_item();
    let then = json!({"pin": [{"id": "old50", "position": 6}], "bury": ["new"]});
    let rule: Rule = serde_json::from_value(json!({"id": "r", "then": then})).expect("a rule");
    shop.put_setting(rule).expect("stored");
    for number in 0..100 {
        let page = explored_page(&shop, number);
        assert_eq!(page.hits.iter().filter(|hit| hit.explored).count(), 2);
        let pinned = &page.hits[5];
        assert_eq!((pinned.id.as_str(), pinned.explored), ("old50", false));
        assert!(!ids(&page.hits).contains(&"new"), "{:?}", ids(&page.hits));
    }
}

#[test]
fn a_group_is_shown_once_on_all_pages() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let item = |n: usize| {
        json!({"id": format!("i{n}"), "attributes": {"color": format!("c{}", n % 6)},
               "vectors": {"shared": [1.0, 0.0]}})
    };
    put(&shop, &(0..18).map(item).collect::<Vec<_>>());
    for user in 0..20 {
        let (mut groups, mut explored, mut cursor) = (HashSet::new(), 0, None);
        loop {
            let page = ask(
                &shop,
                json!({"user": format!("u{user}"), "limit": 3, "diversify": {"group_by": "color"},
                       "explore": {"max_per_page": 2}, "cursor": cursor}),
            );
            for hit in page.hits {
                explored += usize::from(hit.explored);
                let group = hit.group.expect("a group").value;
                assert!(groups.insert(group.clone()), "{group} comes twice");
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(groups.len(), 6);
        assert!(explored > 0);
    }
}

#[test]
fn a_collection_may_explore_by_default() {
    let (fixture, _) = shop_with_a_new_item();
    let feed = json!({"feed": {"explore": {"max_per_page": 1}}});
    let patch = serde_json::from_value(feed).expect("a change");
    let shop = fixture.db.patch_collection("shop", patch).expect("changed");
    let explored = |value: Value| {
        let page = ask(&shop, value);
        page.hits.iter().filter(|hit| hit.explored).count()
    };
    assert_eq!(explored(json!({"user": "v"})), 1);
    assert_eq!(
        explored(json!({"user": "v", "explore": {"max_per_page": 3}})),
        3
    );
    assert_eq!(
        explored(json!({"user": "v", "explore": {"max_per_page": 0}})),
        0
    );
    assert_eq!(explored(json!({"user": "v", "feed": false})), 0);
}

#[test]
fn invalid_budgets_and_private_collections_are_refused() {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let too_many = request(json!({"explore": {"max_per_page": 101}}));
    let error = shop.recommend(&too_many, None).expect_err("refused");
    let message = messages(&error);
    assert!(
        message.contains("/explore/max_per_page expected 0 to 100, got 101"),
        "{message}"
    );

    let config = json!({"vectors": {"shared": {"dim": 2}}, "privacy": {"epsilon": 1}});
    let create = |name: &str, config: &Value| {
        let config = serde_json::from_value(config.clone()).expect("a config");
        fixture.db.create_collection(name, config)
    };
    let private = create("private", &config).expect("created");
    let explore = request(json!({"explore": {"max_per_page": 1}}));
    let refused = private.recommend(&explore, None);
    assert!(
        matches!(refused, Err(Error::PrivateCollection(_))),
        "{refused:?}"
    );
    let off = request(json!({"explore": {"max_per_page": 0}}));
    assert!(private.recommend(&off, None).is_ok());
    let mut exploring = config;
    exploring["feed"] = json!({"explore": {"max_per_page": 1}});
    let error = create("exploring", &exploring)
        .map(|_| ())
        .expect_err("refused");
    assert!(
        messages(&error).contains("/feed/explore/max_per_page"),
        "{error:?}"
    );
}
