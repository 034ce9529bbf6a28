//! Searches that know who searches, and similar items over bridges.

use serde_json::{Value, json};
use vitrine::{
    Collection, Shopper,
    schemas::{Event, SearchResponse, SimilarParams, Source},
};

use crate::support::{Fixture, near, put};

/// Items on a line, one half of them shoes and one half hats; people take every fourth.
fn stock() -> Fixture {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let items: Vec<Value> = (0..40_u32)
        .map(|i| {
            json!({
                "id": format!("i{i:02}"), "title": format!("thing {i}"), "brand": format!("b{}", i % 4),
                "category": if i < 20 { "Shoes" } else { "Hats" }, "vectors": {"shared": [f64::from(i), 0.0]}
            })
        })
        .collect();
    put(&shop, &items);
    let mut events: Vec<Event> = Vec::new();
    for user in 0..80_u32 {
        let own: Vec<_> = (0..10)
            .filter(|n| *n != user / 4 % 10)
            .map(|n| format!("i{:02}", 4 * n + user % 4))
            .collect();
        let event = json!({"kind": "purchase", "collection": "shop", "user": format!("u{user}"), "items": own});
        events.push(serde_json::from_value(event).expect("an event"));
    }
    fixture.db.append_events(&events).expect("stored");
    shop.train(&vitrine::Training::default()).expect("trained");
    fixture
}

fn shopper(value: Value) -> Shopper {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    fn part<T: serde::de::DeserializeOwned>(value: &Value, key: &str) -> Option<T> {
        serde_json::from_value(value[key].clone()).expect("a part")
    }
    Shopper {
        user: text("user"),
        session: text("session"),
        blend: part(&value, "blend"),
        diversify: part(&value, "diversify"),
    }
}

fn ids(answer: &SearchResponse) -> Vec<&str> {
    answer.hits.iter().map(|h| h.id.as_str()).collect()
}

fn check(answer: &SearchResponse) {
    for hit in &answer.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!((sum - hit.score).abs() < 1e-5, "{hit:?}");
        assert!(hit.reason.is_some());
    }
}

#[test]
fn without_a_shopper_nothing_changes() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let search = near(&[9.3, 0.0], 7);
    let plain = shop.search_vectors(&search).expect("an answer");
    let mut same = shop
        .search(&search.clone().into(), &Shopper::default())
        .expect("an answer");
    same.took_ms = plain.took_ms;
    assert!(same.total.take().is_some() && same.next_cursor.take().is_some());
    assert_eq!(same, plain);
    let text = serde_json::to_value(&plain).expect("JSON");
    for absent in ["sources", "blend", "fallbacks", "diversity"] {
        assert!(text.get(absent).is_none(), "{text}");
    }
}

#[test]
fn a_shopper_gets_what_is_near_in_the_order_of_their_taste() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let search = near(&[9.5, 0.0], 8);
    // u3 takes those of 3, 7, 11, ...
    let who =
        json!({"user": "u3", "blend": {"method": "rrf", "weights": {"query": 1, "behavior": 3}}});
    let answer = shop
        .search(&search.clone().into(), &shopper(who))
        .expect("an answer");
    check(&answer);
    assert_eq!(answer.hits.len(), 8);
    let place = |id: &str| ids(&answer).iter().position(|i| *i == id).unwrap_or(99);
    assert!(place("i11") < place("i10"), "{:?}", ids(&answer));
    let sources: Vec<_> = answer.sources.iter().map(|s| s.source).collect();
    assert_eq!(sources, [Source::Query, Source::Behavior]);
    let main = answer.hits[0].reason.clone().expect("a reason");
    assert_eq!(main.code, "also_liked", "{:?}", answer.hits[0]);
    // Hidden items are gone; bought items may be found again.
    let hide = json!({"kind": "hide", "collection": "shop", "user": "u3", "items": ["i09"]});
    let hide: Event = serde_json::from_value(hide).expect("an event");
    fixture.db.append_events(&[hide]).expect("stored");
    let answer = shop
        .search(&search.clone().into(), &shopper(json!({"user": "u3"})))
        .expect("an answer");
    check(&answer);
    assert_eq!(answer.hits.len(), 8);
    assert!(!ids(&answer).contains(&"i09"));
}

#[test]
fn a_search_is_diversified_without_a_shopper_too() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let search = near(&[9.5, 0.0], 4);
    let who = shopper(json!({"diversify": {"group_by": "brand"}}));
    let answer = shop
        .search(&search.clone().into(), &who)
        .expect("an answer");
    check(&answer);
    let sizes: Vec<_> = answer
        .hits
        .iter()
        .map(|h| h.group.clone().expect("a group").size)
        .collect();
    assert_eq!(sizes, [10, 10, 10, 10]);
    assert_eq!(ids(&answer).len(), 4);
}

fn similar(shop: &Collection, id: &str, params: Value) -> SearchResponse {
    let params: SimilarParams = serde_json::from_value(params).expect("params");
    shop.similar(id, &params, None).expect("an answer")
}

#[test]
fn other_categories_are_reached_over_bridges() {
    let fixture = stock();
    let shop = fixture.db.collection("shop").expect("open");
    let answer = similar(&shop, "i03", json!({"scope": "cross", "limit": 8}));
    check(&answer);
    let hats = answer
        .hits
        .iter()
        .all(|h| h.item.category.as_deref() == Some("Hats"));
    assert!(hats, "{:?}", ids(&answer));
    // By content the nearest hats are 20, 21, 22; the people of 3 chose 23, 27, ...
    assert_eq!(ids(&answer)[0], "i23", "near, and chosen");
    let over = answer
        .hits
        .iter()
        .filter_map(|h| Some((h, h.reason.clone()?)));
    let over: Vec<_> = over.filter(|(_, reason)| reason.code == "bridge").collect();
    assert!(over.len() >= 3, "{:?}", answer.hits);
    for (hit, reason) in over {
        assert_eq!(hit.id[1..].parse::<u32>().expect("a number") % 4, 3);
        assert_eq!(reason.items, ["i03"]);
        assert!(reason.text.ends_with("who chose thing 3 also chose this"));
    }
    assert!(ids(&answer).contains(&"i20"), "what is near is there too");
    // In its own category nothing changes.
    let same = similar(&shop, "i03", json!({"scope": "same", "limit": 2}));
    assert_eq!(ids(&same), ["i02", "i04"]);
    assert!(same.hits.iter().all(|h| h.contributions.is_empty()));
    let spread = similar(&shop, "i03", json!({"limit": 4, "max_per_brand": 1}));
    check(&spread);
    let mut brands: Vec<_> = spread.hits.iter().map(|h| h.item.brand.clone()).collect();
    brands.sort();
    brands.dedup();
    assert_eq!(brands.len(), 4);
}
