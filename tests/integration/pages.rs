//! Pages of recommendations: nothing twice, nothing excluded, whatever happens in between; and
//! pages that are not ten times the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vitrine::{
    Collection, Error,
    schemas::{Event, RecommendRequest, RecommendResponse},
};

use crate::support::{Fixture, put};

fn ask(shop: &Collection, body: Value) -> RecommendResponse {
    let request: RecommendRequest = serde_json::from_value(body).expect("a request");
    shop.recommend(&request, None).expect("an answer")
}

fn ids(answer: &RecommendResponse) -> Vec<String> {
    answer.hits.iter().map(|h| h.id.clone()).collect()
}

/// 300 items of six brands and three categories, some hidden, some out of stock; people who bought
/// some of them.
fn stock() -> Fixture {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let items: Vec<Value> = (0..300_u32)
        .map(|i| {
            json!({
                "id": format!("i{i}"), "hidden": i % 29 == 0, "brand": format!("b{}", i % 6),
                "category": format!("c{}", i % 3),
                "availability": if i % 31 == 0 { "out_of_stock" } else { "in_stock" },
                "vectors": {"shared": [f64::from(i % 17), f64::from(i % 13)]}
            })
        })
        .collect();
    put(&shop, &items);
    for user in 0..60_u32 {
        let bought: Vec<_> = (0..8)
            .map(|n| format!("i{}", (user * 7 + n * n * 3) % 300))
            .collect();
        happens(
            &fixture,
            json!({"kind": "purchase", "user": format!("u{user}"), "items": bought}),
        );
    }
    shop.train(&vitrine::Training::default()).expect("trained");
    fixture
}

fn happens(fixture: &Fixture, mut event: Value) {
    event["collection"] = json!("shop");
    let event: Event = serde_json::from_value(event).expect("an event");
    fixture.db.append_events(&[event]).expect("stored");
}

#[test]
fn pages_of_one_ranking_make_it_up() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let whole = ids(&ask(&shop, json!({"user": "u3", "limit": 33})));
    let (mut body, mut paged) = (json!({"user": "u3"}), Vec::new());
    for limit in [20, 6, 7] {
        body["limit"] = json!(limit);
        let answer = ask(&shop, body.clone());
        assert_eq!(answer.hits.len(), limit);
        paged.extend(ids(&answer));
        body["cursor"] = json!(answer.next_cursor.expect("more"));
    }
    assert_eq!(paged, whole, "three pages are as good as one");
}

#[test]
fn nothing_comes_twice_or_though_excluded_while_events_arrive() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let mut body = json!({"user": "u1", "limit": 11});
    let mut out: BTreeSet<String> = (0..300)
        .filter(|i| i % 29 == 0 || i % 31 == 0)
        .map(|i| format!("i{i}"))
        .collect();
    out.extend((0..8).map(|n| format!("i{}", (7 + n * n * 3) % 300)));
    let mut seen = BTreeSet::new();
    for page in 0..100 {
        let answer = ask(&shop, body.clone());
        for id in ids(&answer) {
            assert!(!out.contains(&id), "{id} is excluded, page {page}");
            assert!(seen.insert(id.clone()), "{id} came twice, page {page}");
        }
        // Something not shown yet is bought, something else hidden; others buy too, and models are
        // trained anew.
        let mut rest = (0..300)
            .map(|i| format!("i{}", i * 113 % 300))
            .filter(|id| !seen.contains(id) && !out.contains(id));
        if let (Some(bought), Some(hidden)) = (rest.next(), rest.next()) {
            happens(
                &fixture,
                json!({"kind": "purchase", "user": "u1", "items": [bought]}),
            );
            happens(
                &fixture,
                json!({"kind": "hide", "user": "u1", "items": [hidden]}),
            );
            out.extend([bought, hidden]);
        }
        happens(
            &fixture,
            json!({"kind": "view", "user": format!("other{page}"), "items": [format!("i{}", page * 17 % 300), "i5"]}),
        );
        if page % 5 == 0 {
            shop.train(&vitrine::Training::default()).expect("trained");
        }
        match answer.next_cursor {
            Some(cursor) => body["cursor"] = json!(cursor),
            None => {
                assert!(answer.hits.len() <= 11);
                assert_eq!(
                    seen.len() + out.len(),
                    300,
                    "everything that may be shown was"
                );
                return;
            }
        }
    }
    panic!("it never ended");
}

#[test]
fn a_cursor_belongs_to_its_request() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let first = ask(&shop, json!({"user": "u3", "limit": 5}));
    let cursor = first.next_cursor.expect("more");
    let cut = &cursor[..cursor.len() - 3];
    for body in [
        json!({"user": "u4", "limit": 5, "cursor": cursor}),
        json!({"user": "u3", "filter": "brand = b1", "cursor": cursor}),
        json!({"user": "u3", "cursor": "x"}),
        json!({"user": "u3", "cursor": ""}),
        json!({"user": "u3", "cursor": cut}),
        json!({"user": "u3", "cursor": "!!"}),
    ] {
        let request: RecommendRequest = serde_json::from_value(body.clone()).expect("a request");
        match shop.recommend(&request, None) {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].pointer, "/cursor"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn quotas_hold_and_give_way_only_where_they_must() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let count = |answer: &RecommendResponse| {
        let mut brands: BTreeMap<String, usize> = BTreeMap::new();
        for hit in &answer.hits {
            *brands
                .entry(hit.item.brand.clone().expect("a brand"))
                .or_default() += 1;
        }
        brands
    };
    let body = |quota: u32, limit: u32| json!({"user": "u3", "limit": limit, "diversify": {"max_per": {"brand": quota, "category": 5}}});
    let answer = ask(&shop, body(2, 12));
    assert_eq!(answer.hits.len(), 12);
    assert!(
        count(&answer).values().all(|n| *n == 2),
        "{:?}",
        count(&answer)
    );
    assert_eq!(answer.diversity.clone().expect("told").relaxed, 0);
    let answer = ask(&shop, body(1, 8));
    assert_eq!(answer.hits.len(), 8, "six brands, but eight were asked for");
    assert_eq!(answer.diversity.clone().expect("told").relaxed, 2);
    assert_eq!(count(&answer).len(), 6);
}

#[test]
fn groups_come_once_with_their_sizes_on_all_pages() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let mut body = json!({"user": "u3", "limit": 4, "diversify": {"group_by": "brand"}});
    let first = ask(&shop, body.clone());
    body["cursor"] = json!(first.next_cursor.clone().expect("more"));
    let second = ask(&shop, body);
    let groups: Vec<_> = first
        .hits
        .iter()
        .chain(&second.hits)
        .map(|h| h.group.clone().expect("a group"))
        .collect();
    assert_eq!((first.hits.len(), second.hits.len()), (4, 2));
    assert_eq!(
        groups
            .iter()
            .map(|g| &g.value)
            .collect::<BTreeSet<_>>()
            .len(),
        6
    );
    let whole = ask(&shop, json!({"user": "u3", "limit": 300}));
    for group in groups {
        let of = whole
            .hits
            .iter()
            .filter(|h| h.item.brand.as_ref() == Some(&group.value));
        assert_eq!(of.count() as u64, group.size, "{group:?}");
    }
}

#[test]
fn marginal_relevance_spreads_a_page() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let nearest = |mmr: f64| {
        let body = json!({"user": "u3", "limit": 10, "diversify": {"mmr": mmr}});
        let answer = ask(&shop, body);
        assert_eq!(answer.hits.len(), 10);
        let at: Vec<_> = answer
            .hits
            .iter()
            .map(|h| shop.get(&h.id, true).expect("there").vectors["shared"].clone())
            .collect();
        let mut least = f32::INFINITY;
        for (n, a) in at.iter().enumerate() {
            for b in &at[..n] {
                least = least.min((a[0] - b[0]).hypot(a[1] - b[1]));
            }
        }
        least
    };
    assert!(nearest(0.2) > nearest(1.0));
}

#[test]
fn bad_diversity_names_its_field() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    for (spec, at) in [
        (json!({"mmr": 1.5}), "/diversify/mmr"),
        (json!({"max_per": {"brand": 0}}), "/diversify/max_per/brand"),
        (json!({"max_per": {"price": 1}}), "/diversify/max_per/price"),
        (json!({"max_per": {"smell": 1}}), "/diversify/max_per/smell"),
        (json!({"group_by": "stock"}), "/diversify/group_by"),
        (json!({"mmr": 0.5, "space": "sound"}), "/diversify/space"),
    ] {
        let request: RecommendRequest =
            serde_json::from_value(json!({"diversify": spec})).expect("a request");
        match shop.recommend(&request, None) {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].pointer, at),
            other => panic!("{spec}: {other:?}"),
        }
    }
}
