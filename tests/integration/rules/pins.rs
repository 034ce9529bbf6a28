//! Pins are at their places on every page and in every list.

use super::*;

#[test]
fn pins_are_at_their_places_on_all_pages() {
    let (_fixture, shop) = shop();
    let then = json!({"pin": [
        {"id": "i150", "position": 1}, {"id": "i003", "position": 12}, {"id": "i000", "position": 25},
        {"id": "i199", "position": 900}, {"id": "none", "position": 2}
    ]});
    set(&shop, "pins", json!({"then": then}));
    for search in [by_vector, by_words, by_both] {
        let without = Search {
            without_rules: true,
            ..search(7)
        };
        let plain = paged(&shop, without, &Shopper::default());
        let ids = paged(&shop, search(7), &Shopper::default());
        once(&ids);
        assert_eq!(ids.len(), 200, "nothing is lost");
        assert_eq!((&*ids[0], &*ids[11], &*ids[24]), ("i150", "i003", "i000"));
        assert_eq!(ids[199], "i199", "after the last one");
        let others = |ids: &[String]| -> Vec<String> {
            let pins = ["i150", "i003", "i000", "i199"];
            ids.iter()
                .filter(|id| !pins.contains(&id.as_str()))
                .cloned()
                .collect()
        };
        assert_eq!(others(&ids), others(&plain), "the rest is in its order");
        // With several sources, one large page has more candidates than each of many small ones.
        if search(1).lexical.is_none() || search(1).target.is_none() {
            let whole = find(&shop, &search(200));
            let whole: Vec<_> = whole.hits.into_iter().map(|hit| hit.id).collect();
            assert_eq!(ids, whole, "pages are as good as one");
        }
    }
}

#[test]
fn a_pin_tells_why_it_is_there_and_honors_the_filter() {
    let (_fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 2}]}}),
    );
    let answer = find(&shop, &by_both(5));
    let pin = &answer.hits[1];
    assert_eq!(pin.id, "i150");
    assert_eq!(pin.reason.as_ref().expect("a reason").code, "pinned");
    let used = serde_json::to_value(&answer.rules).expect("JSON");
    assert_eq!(used, json!([{"id": "pin", "pinned": ["i150"]}]));
    let odd = Search {
        filter: Some(FilterSpec::Text("category = \"Shoes > Trail\"".into())),
        ..by_both(5)
    };
    assert!(find(&shop, &odd).hits.iter().all(|hit| hit.id != "i150"));
    let none = Search {
        lexical: Some(LexicalQuery {
            text: "umbrella".into(),
            ..LexicalQuery::default()
        }),
        ..by_words(5)
    };
    let answer = find(&shop, &none);
    assert_eq!(answer.hits.len(), 1, "a pin needs not be found");
    assert_eq!(answer.total.expect("a total").value, 1);
    assert_eq!(answer.next_cursor, None);
}

#[test]
fn pins_take_their_places_in_recommendations_and_among_similar_items() {
    let (fixture, shop) = shop();
    let then = json!({"pin": [{"id": "i190", "position": 3}, {"id": "i007", "position": 1}, {"id": "i010", "position": 2}]});
    set(&shop, "pins", json!({"then": then}));
    let seen = json!({"collection": "shop", "kind": "view", "user": "u1", "items": ["i010"]});
    let seen = serde_json::from_value(seen).expect("an event");
    fixture.db.append_events(&[seen]).expect("stored");
    let (mut body, mut ids) = (json!({"user": "u1", "limit": 8}), Vec::new());
    loop {
        let answer = recommend(&shop, body.clone());
        ids.extend(answer.hits.into_iter().map(|hit| hit.id));
        match answer.next_cursor {
            Some(cursor) => body["cursor"] = json!(cursor),
            None => break,
        }
    }
    once(&ids);
    assert_eq!(
        ids.len(),
        200 - 20 - 1,
        "but for what is out of stock and what was seen"
    );
    assert_eq!(
        ids[2], "i190",
        "i007 is out of stock, i010 was seen, the place stays"
    );
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 4, "exclude_out_of_stock": false}),
    );
    let ids: Vec<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!((ids[0], ids[2]), ("i007", "i190"));
    assert!(!ids.contains(&"i010"), "the item itself is left out");
    let score = answer.hits[2].score;
    assert!(score < answer.hits[1].score, "a pin keeps its own score");
    let answer = similar(
        &shop,
        "i010",
        json!({"limit": 4, "scope": "cross", "exclude_out_of_stock": false}),
    );
    let ids: Vec<_> = answer.hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0]), (4, "i007"), "of another category");
    assert!(!ids.contains(&"i190"), "of its own");
    assert_eq!(
        answer.hits[0].reason.as_ref().expect("a reason").code,
        "pinned"
    );
    let answer = similar(&shop, "i010", json!({"limit": 4, "rules": false}));
    assert!(answer.rules.is_empty() && answer.hits[0].id != "i007");
}

#[test]
fn one_of_a_group_is_enough_where_it_is_pinned() {
    let (_fixture, shop) = shop();
    set(
        &shop,
        "pin",
        json!({"then": {"pin": [{"id": "i150", "position": 3}]}}),
    );
    let shopper = Shopper {
        diversify: serde_json::from_value(json!({"group_by": "brand"})).expect("a spec"),
        ..Shopper::default()
    };
    let answer = shop.search(&by_vector(5), &shopper).expect("an answer");
    let brands: Vec<_> = answer
        .hits
        .iter()
        .map(|hit| hit.group.clone().expect("a group").value)
        .collect();
    assert_eq!(brands.len(), 3);
    assert_eq!((&*answer.hits[2].id, &*brands[2]), ("i150", "b0"));
}
